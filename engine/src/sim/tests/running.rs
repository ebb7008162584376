//! What goes wrong while the machine runs, and that all of it follows from the seed.

use super::*;
use crate::sim::Rng;

#[test]
fn reads_and_writes_are_short_in_whole_sectors() {
    let mut rig = Rig::new(1, Faults { short_write_one_in: 2, short_read_one_in: 2, ..Faults::none() });
    rig.fs.allocate(rig.file, 0, 16 * BLOCK_SIZE as u64).unwrap();
    let (mut short_writes, mut short_reads) = (0, 0);
    for _ in 0..50 {
        rig.write(0, 0, 2, 1);
        let written = *rig.wait(1)[0].result.as_ref().unwrap();
        assert!(written > 0 && written.is_multiple_of(512));
        short_writes += u32::from(written < 2 * BLOCK_SIZE as u64);

        let into = rig.io.pool().take().unwrap();
        rig.io.submit(Token(1), Op::Read { file: rig.file, offset: 0, into, len: 2 * BLOCK_SIZE });
        let completion = rig.wait(1).remove(0);
        let read = *completion.result.as_ref().unwrap();
        assert!(read > 0 && read.is_multiple_of(512));
        short_reads += u32::from(read < 2 * BLOCK_SIZE as u64);
        let Returned::Chunk(mut chunk) = completion.returned else { panic!("a read hands its chunk back") };
        assert!(chunk.is_empty(), "the owner counts what was read");
        chunk.advance(usize::try_from(read.min(written)).unwrap());
        assert!(chunk.iter().all(|&byte| byte == 1));
    }
    observed([("short writes", short_writes > 5), ("short reads", short_reads > 5)]);
}

#[test]
fn a_read_at_the_end_brings_what_is_there() {
    let mut rig = Rig::new(1, Faults::none());
    rig.write_and_wait(0, 1, 1);
    for (block, expected) in [(0, BLOCK_SIZE as u64), (1, 0)] {
        let into = Pool::heap(2 * BLOCK_SIZE);
        let offset = block * BLOCK_SIZE as u64;
        rig.io.submit(Token(0), Op::Read { file: rig.file, offset, into, len: 2 * BLOCK_SIZE });
        assert_eq!(*rig.wait(1)[0].result.as_ref().unwrap(), expected);
    }
}

#[test]
fn errors_come_as_the_kernels_numbers() {
    let faults = Faults { write_error_one_in: 1, flush_error_one_in: 1, ..Faults::none() };
    let mut rig = Rig::new(1, Faults { allocate_full_one_in: 1, read_error_one_in: 1, ..faults });
    rig.write(0, 0, 1, 1);
    assert_eq!(rig.wait(1)[0].result.as_ref().unwrap_err().raw_os_error(), Some(libc::EIO));
    rig.io.submit(Token(0), Op::Flush { file: rig.file });
    assert_eq!(rig.wait(1)[0].result.as_ref().unwrap_err().raw_os_error(), Some(libc::EIO));
    let full = rig.fs.allocate(rig.file, 0, 1).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    assert!(rig.fs.read_at(rig.file, 0, &mut [0]).is_err());
}

#[test]
fn much_at_once_may_lack_descriptors_and_one_alone_does_not() {
    let rig = Rig::new(1, Faults { crowded_one_in: 1, ..Faults::none() });
    let open = |fs: &SimFs, ()| fs.open(Path::new(PATH), OpenMode::Read).map(|file| fs.close(file));
    for result in rig.fs.for_all(vec![(); 2], 8, open) {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EMFILE));
    }
    assert!(rig.fs.for_all(vec![()], 8, open)[0].is_ok());
    assert!(open(&rig.fs, ()).is_ok());
}

#[test]
fn a_full_disk_has_room_again_when_something_is_removed() {
    let world = SimWorld::new(1, Faults { space_bytes_max: 10_000, ..Faults::none() });
    let fs = world.fs();
    let first = fs.open(Path::new("/a"), OpenMode::CreateNew).unwrap();
    let second = fs.open(Path::new("/b"), OpenMode::CreateNew).unwrap();
    fs.allocate(first, 0, 8_000).unwrap();
    assert!(fs.allocate(second, 0, 8_000).is_err());
    fs.remove_file(Path::new("/a")).unwrap();
    assert!(fs.allocate(second, 0, 8_000).is_err(), "an open file keeps its space");
    fs.close(first);
    fs.allocate(second, 0, 8_000).unwrap();
}

#[test]
fn operations_end_in_any_order() {
    let (mut in_order, mut reordered) = (false, false);
    for seed in 0..20 {
        let mut rig = Rig::new(seed, Faults::none());
        for nth in 0..3 {
            rig.write(nth, nth, 1, 1);
        }
        let order: Vec<u64> = rig.wait(3).iter().map(|completion| completion.token.0).collect();
        if order == [0, 1, 2] { in_order = true } else { reordered = true }
    }
    observed([("in order", in_order), ("out of order", reordered)]);
}

#[test]
fn jobs_run_later_and_bring_their_value() {
    let mut rig = Rig::new(1, Faults::none());
    rig.io.submit(Token(4), Op::Job(Box::new(|fs: &SimFs| Ok(fs.list(Path::new("/data"))?.len() as u64))));
    let completion = rig.wait(1).remove(0);
    assert_eq!((completion.token, completion.result.unwrap()), (Token(4), 1));
}

#[test]
fn a_shard_sleeps_until_it_is_woken_or_its_time_has_come() {
    let mut rig = Rig::new(1, Faults::none());
    let mut none = Vec::new();
    turn(&mut rig.io, &mut none);
    assert_eq!(rig.world.step(), Step::Idle);
    rig.io.waker().wake();
    assert_eq!(rig.world.step(), Step::Turn(0));
    let later = rig.io.now().plus_millis(5_000);
    rig.io.turn(Wait::Until(later), &mut none).expect("a wake-up ends the sleep at once");
    assert!(rig.io.turn(Wait::Until(later), &mut none).is_err(), "there is nothing to wake up for");
    assert_eq!(rig.world.step(), Step::Turn(0));
    assert!(rig.io.now() >= later && none.is_empty());
}

#[test]
fn the_power_goes_between_any_two_calls_and_everything_before_it_is_dead() {
    for calls in 0..6 {
        let mut rig = Rig::new(calls, Faults::none());
        rig.world.crash_after(calls);
        let mut made = 0;
        while rig.fs.list(Path::new("/")).is_ok() {
            made += 1;
        }
        assert_eq!(made, calls);
        assert!(rig.world.is_crashed());
        assert_eq!(rig.world.step(), Step::Crashed);
        assert!(rig.io.turn(Wait::No, &mut Vec::new()).is_err());
        rig.world.crash();
        assert!(rig.fs.list(Path::new("/")).is_err(), "an old file system has come back to life");
        rig.fs.close(rig.file);
        assert!(rig.world.fs().list(Path::new("/")).is_ok());
        assert_eq!(rig.world.open_files(), 0);
    }
}

/// Random operations with every fault and a crash; the trace's hash.
fn random_run(seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let mut rig = Rig::new(seed, Faults::random(&mut rng));
    let mut free: Vec<u64> = (0..8).collect();
    let mut completions = Vec::new();
    for _ in 0..200 {
        match rng.below(3) {
            0 if !free.is_empty() => {
                let block = free.swap_remove(rng.index(free.len()));
                rig.write(block, block, 1, rng.word().to_le_bytes()[0]);
            }
            1 => rig.io.submit(Token(100), Op::Flush { file: rig.file }),
            _ => {
                if let Step::Turn(_) = rig.world.step() {
                    turn(&mut rig.io, &mut completions);
                }
            }
        }
        free.extend(completions.drain(..).map(|done| done.token.0).filter(|&token| token < 8));
    }
    let world = rig.world.clone();
    // What was written is to be seen, whatever reading it would come to.
    world.set_faults(Faults::none());
    let bytes = rig.crash().unwrap();
    world.note("end", "", &[("crc", crc_fast::crc32_iscsi(&bytes).into())]);
    world.trace_hash()
}

#[test]
fn the_same_seed_is_the_same_run() {
    let hashes: Vec<u64> = (0..50).map(random_run).collect();
    assert_eq!(hashes, (0..50).map(random_run).collect::<Vec<_>>());
    assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]), "different seeds are different runs");
}

#[test]
fn a_killed_program_leaves_what_it_wrote_until_the_power_goes() {
    let mut lost = false;
    for seed in 0..20 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 1, 1);
        rig.world.kill();
        assert!(rig.fs.list(Path::new("/")).is_err(), "the killed program goes on");
        assert_eq!(contents(&rig.world, PATH).unwrap(), [1; BLOCK_SIZE]);
        lost |= rig.crash().unwrap() != [1; BLOCK_SIZE];
    }
    assert!(lost, "a kill has synced a file");
}

#[test]
fn a_sync_after_a_kill_covers_what_was_written_before() {
    for seed in 0..20 {
        let mut rig = Rig::new(seed, Faults::none());
        rig.write_and_wait(0, 1, 1);
        rig.write(0, 1, 1, 2);
        rig.world.kill();
        let before = contents(&rig.world, PATH).unwrap();
        let fs = rig.world.fs();
        let file = fs.open(Path::new(PATH), OpenMode::ReadWrite).unwrap();
        fs.sync(file).unwrap();
        assert_eq!(rig.crash().unwrap(), before);
    }
}
