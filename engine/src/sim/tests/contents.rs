//! What a crash does to bytes and sizes.

use super::*;

const SECTORS_A_BLOCK: usize = BLOCK_SIZE / 512;

fn sectors(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks(512).map(|sector| {
        assert!(sector.iter().all(|&byte| byte == sector[0]), "a sector is torn");
        sector[0]
    })
}

#[test]
fn what_is_flushed_survives_and_what_is_not_is_torn_lost_or_kept() {
    let (mut torn, mut lost, mut kept, mut older) = (false, false, false, false);
    for seed in 0..200 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 2, 1);
        rig.flush();
        rig.write_and_wait(1, 1, 2);
        rig.write_and_wait(1, 1, 3);
        let bytes = rig.crash().expect("the name was synced");
        assert_eq!(bytes.len(), 2 * BLOCK_SIZE);
        let (flushed, rewritten) = bytes.split_at(BLOCK_SIZE);
        assert!(sectors(flushed).all(|byte| byte == 1), "flushed bytes are lost with seed {seed}");
        let survived: Vec<u8> = sectors(rewritten).collect();
        assert!(survived.iter().all(|byte| (1..=3).contains(byte)));
        lost |= survived == [1; SECTORS_A_BLOCK];
        kept |= survived == [3; SECTORS_A_BLOCK];
        torn |= survived.contains(&1) && survived.contains(&3);
        older |= survived.contains(&2);
    }
    observed([("lost", lost), ("kept", kept), ("torn", torn), ("an older unsynced version", older)]);
}

#[test]
fn a_later_write_survives_where_an_earlier_one_is_lost() {
    let mut reordered = false;
    for seed in 0..200 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.fs.truncate(rig.file, 8 * BLOCK_SIZE as u64).unwrap();
        rig.flush();
        rig.write_and_wait(0, 4, 1);
        rig.write_and_wait(4, 4, 2);
        let bytes = rig.crash().unwrap();
        let (first, second) = bytes.split_at(4 * BLOCK_SIZE);
        reordered |= first.iter().all(|&byte| byte == 0) && second.iter().all(|&byte| byte == 2);
    }
    observed([("the whole second write without the first", reordered)]);
}

#[test]
fn a_write_in_flight_may_be_there_and_no_flush_beside_it_covers_it() {
    let (mut present, mut absent) = (false, false);
    for seed in 0..100 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 1, 1);
        rig.flush();
        rig.write(1, 0, 1, 2);
        rig.io.submit(Token(2), Op::Flush { file: rig.file });
        if seed % 2 == 0 {
            // Both have ended, but the flush was submitted before the write's end was seen.
            rig.wait(2);
        }
        let bytes = rig.crash().unwrap();
        present |= bytes.contains(&2);
        absent |= bytes.contains(&1);
    }
    observed([("the write", present), ("what it would have replaced", absent)]);
}

#[test]
fn a_size_is_lost_until_it_is_synced() {
    let (mut shorter, mut whole) = (false, false);
    for seed in 0..50 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 1, 1);
        rig.flush();
        rig.fs.allocate(rig.file, 0, 4 * BLOCK_SIZE as u64).unwrap();
        rig.write_and_wait(3, 1, 2);
        match rig.crash().unwrap().len() / BLOCK_SIZE {
            1 => shorter = true,
            4 => whole = true,
            other => panic!("a size of {other} blocks was never set"),
        }
    }
    observed([("the size from before", shorter), ("the new size", whole)]);

    let rig = Rig::new(1, Faults::none());
    rig.fs.allocate(rig.file, 0, 4 * BLOCK_SIZE as u64).unwrap();
    rig.fs.sync(rig.file).unwrap();
    assert_eq!(rig.crash().unwrap(), vec![0; 4 * BLOCK_SIZE]);
}

#[test]
fn a_truncation_is_undone_unless_synced() {
    let (mut back, mut gone) = (false, false);
    for seed in 0..100 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 2, 1);
        rig.flush();
        rig.fs.truncate(rig.file, BLOCK_SIZE as u64).unwrap();
        rig.fs.allocate(rig.file, 0, 2 * BLOCK_SIZE as u64).unwrap();
        let mut running = vec![7; 2 * BLOCK_SIZE];
        assert_eq!(rig.fs.size(rig.file).unwrap(), running.len() as u64);
        let world = rig.world.clone();
        running.copy_from_slice(&contents(&world, PATH).unwrap());
        assert!(running[BLOCK_SIZE..].iter().all(|&byte| byte == 0), "space allocated again reads as zeros");

        let bytes = rig.crash().unwrap();
        assert!(bytes[..BLOCK_SIZE].iter().all(|&byte| byte == 1));
        back |= bytes[BLOCK_SIZE..].contains(&1);
        gone |= !bytes[BLOCK_SIZE..].contains(&1);
    }
    observed([("old bytes come back", back), ("old bytes stay away", gone)]);

    for seed in 0..20 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 2, 1);
        rig.flush();
        rig.fs.truncate(rig.file, BLOCK_SIZE as u64).unwrap();
        rig.fs.sync(rig.file).unwrap();
        assert_eq!(rig.crash().unwrap(), vec![1; BLOCK_SIZE]);
    }
}

#[test]
fn a_failed_flush_leaves_its_writes_uncovered_for_good() {
    let (mut lost, mut later_kept) = (false, false);
    for seed in 0..50 {
        let mut rig = Rig::new(seed, Faults { flush_error_one_in: 1, ..Faults::none() });
        rig.write_and_wait(0, 1, 1);
        assert!(rig.fs.sync(rig.file).is_err());
        rig.world.set_faults(Faults::none());
        rig.write_and_wait(1, 1, 2);
        rig.flush();
        let bytes = rig.crash().unwrap();
        lost |= bytes[..BLOCK_SIZE].contains(&0);
        later_kept |= bytes.len() == 2 * BLOCK_SIZE && bytes[BLOCK_SIZE..].iter().all(|&byte| byte == 2);
    }
    observed([("the write before the failed flush is lost", lost), ("the flushed one is kept", later_kept)]);
}

#[test]
fn bytes_of_any_length_are_written_and_cut_anywhere() {
    let world = SimWorld::new(3, Faults::none());
    let fs = world.fs();
    let path = Path::new("/notes");
    let file = fs.open(path, OpenMode::CreateNew).unwrap();
    let mut model = Vec::new();
    let mut rng = super::super::Rng::new(5);
    for _ in 0..300 {
        if rng.odds(1, 5) {
            let size = rng.below(3_000);
            fs.truncate(file, size).unwrap();
            model.resize(usize::try_from(size).unwrap(), 0);
        } else {
            let (at, len) = (rng.index(2_000), rng.index(1_200));
            let bytes: Vec<u8> = (0..len).map(|_| rng.word().to_le_bytes()[0]).collect();
            fs.write_at(file, at as u64, &bytes).unwrap();
            if len > 0 {
                model.resize(model.len().max(at + len), 0);
                model[at..at + len].copy_from_slice(&bytes);
            }
        }
        assert_eq!(contents(&world, "/notes").unwrap(), model);
    }
    fs.sync(file).unwrap();
    fs.sync_folder(Path::new("/")).unwrap();
    world.crash();
    assert_eq!(contents(&world, "/notes").unwrap(), model);
}
