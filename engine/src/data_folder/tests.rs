use super::{open as claim_folder, *};
use crate::io::OpenMode;
use crate::sim::{Faults, SimFs, SimWorld};

fn folder() -> &'static Path {
    Path::new("/var/lib/tora")
}

fn machine() -> (SimWorld, SimFs) {
    let world = SimWorld::new(1, Faults::none());
    let fs = world.fs();
    (world, fs)
}

fn id() -> TopicId {
    TopicId::from_random(0x0123_4567_89ab_cdef, 42)
}

/// A folder that is claimed, and its opening counted.
#[derive(Debug)]
struct Opened {
    lock: File,
    cluster_id: String,
    epoch: LeaderEpoch,
}

fn open<F: Fs>(fs: &F, folder: &Path, new_id: TopicId) -> Result<Opened, DataFolderError> {
    let DataFolder { lock, cluster_id, last_epoch } = claim_folder(fs, folder, new_id)?;
    let epoch = count_opening(fs, folder)?;
    assert!(epoch.value() == last_epoch.value() + 1);
    Ok(Opened { lock, cluster_id, epoch })
}

fn opened(fs: &SimFs) -> Opened {
    open(fs, folder(), id()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(fs: &SimFs) -> DataFolderError {
    open(fs, folder(), id()).expect_err("it must be refused")
}

fn put(fs: &SimFs, name: &str, text: &str) {
    create_with_parents(fs, folder()).expect("no faults");
    replace_file(fs, &folder().join(name), text.as_bytes()).expect("no faults");
}

fn names(fs: &SimFs) -> Vec<String> {
    fs.list(folder()).expect("it exists").into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_new_folder_is_made_with_its_parents_and_kept() {
    let (world, fs) = machine();
    let first = opened(&fs);
    assert_eq!(first.epoch, LeaderEpoch::new(0));
    assert_eq!(first.cluster_id.len(), 22);
    for epoch in 1..4 {
        world.crash();
        let again = opened(&world.fs());
        assert_eq!(again.epoch, LeaderEpoch::new(epoch));
        assert_eq!(again.cluster_id, first.cluster_id);
    }
}

#[test]
fn wherever_making_it_crashes_it_can_be_made_and_epochs_rise() {
    for events in 0..60 {
        let (world, fs) = machine();
        world.crash_after(events);
        let first = open(&fs, folder(), id()).ok();
        world.crash();
        let second = opened(&world.fs());
        world.crash();
        let third = opened(&world.fs());
        assert!(third.epoch > second.epoch && third.cluster_id == second.cluster_id);
        if let Some(first) = first {
            assert!(second.epoch > first.epoch && second.cluster_id == first.cluster_id);
            return;
        }
    }
    panic!("opening takes fewer than 60 calls");
}

#[test]
fn a_second_process_is_refused() {
    let (_world, fs) = machine();
    let first = opened(&fs);
    let error = refused(&fs);
    assert!(matches!(error, DataFolderError::InUse { .. }));
    let message = error.to_string();
    assert!(message.contains("/var/lib/tora") && message.contains("another process"), "{message}");
    fs.close(first.lock);
    assert_eq!(opened(&fs).epoch, LeaderEpoch::new(1), "the refused opening doesn't count");
}

#[test]
fn who_only_reads_is_told_apart_from_who_has_it_open() {
    let (world, fs) = machine();
    let first = opened(&fs);
    let error = share(&fs, folder()).expect_err("it is open");
    assert!(matches!(error, DataFolderError::InUse { .. }), "{error}");
    fs.close(first.lock);
    let (lock, epoch) = share(&fs, folder()).expect("it is free");
    assert_eq!(epoch, LeaderEpoch::new(0));
    let (another, _) = share(&fs, folder()).expect("reading disturbs no reader");
    let error = refused(&fs);
    assert!(error.to_string().contains("is being verified"), "{error}");
    [lock, another].into_iter().flatten().for_each(|lock| fs.unlock_folder(lock));
    assert_eq!((opened(&fs).epoch, world.open_files()), (LeaderEpoch::new(1), 1));
}

#[test]
fn a_copy_without_its_lock_file_is_read_without_making_one() {
    let (_world, fs) = machine();
    let first = opened(&fs);
    fs.close(first.lock);
    fs.remove_file(&folder().join(LOCK)).expect("it is there");
    let before = names(&fs);
    assert!(matches!(share(&fs, folder()), Ok((None, _))));
    assert_eq!(names(&fs), before);
}

#[test]
fn a_newer_format_is_refused() {
    let (world, fs) = machine();
    put(&fs, META, "format=tora\nversion=3\ncluster.id=abc\n");
    let error = refused(&fs);
    assert!(matches!(error, DataFolderError::Newer { version: 3, .. }), "{error}");
    assert!(error.to_string().contains("newer Tora"), "{error}");
    assert_eq!(world.open_files(), 0, "the lock is given up");
}

#[test]
fn an_older_format_becomes_this_one_and_keeps_its_id() {
    let (_world, fs) = machine();
    put(&fs, META, "format=tora\nversion=1\ncluster.id=abc\n");
    assert_eq!(opened(&fs).cluster_id, "abc");
    let meta = read_file(&fs, &folder().join(META)).expect("no faults");
    assert_eq!(meta, format!("format=tora\nversion={VERSION}\ncluster.id=abc\n").as_bytes());
}

#[test]
fn somebody_elses_folder_is_refused_and_left_as_it_was() {
    let kafka = "version=1\nnode.id=1\ndirectory.id=xyz\ncluster.id=abc\n";
    for (name, text) in [("notes.txt", "mine"), (META, kafka), ("__consumer_offsets-0", "")] {
        let (_world, fs) = machine();
        put(&fs, name, text);
        let error = refused(&fs);
        assert!(matches!(error, DataFolderError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains("choose an empty or new folder"), "{error}");
        assert_eq!(names(&fs), [name]);
    }
}

#[test]
fn what_mkfs_and_a_crash_leave_is_no_ones() {
    let (_world, fs) = machine();
    put(&fs, "meta.properties.tmp", "format=to");
    fs.create_folder(&folder().join("lost+found")).expect("no faults");
    assert_eq!(opened(&fs).epoch, LeaderEpoch::new(0));
}

#[test]
fn damaged_files_are_refused() {
    for text in ["", "format=tora\n", "format=tora\nversion=x\ncluster.id=a\n", "format=tora\nversion=1\n"] {
        let (_world, fs) = machine();
        put(&fs, META, text);
        assert!(open(&fs, folder(), id()).is_err(), "{text:?}");
    }
    for text in ["", "x", "-1\n", "2147483647\n", "99999999999\n"] {
        let (_world, fs) = machine();
        let first = opened(&fs);
        fs.close(first.lock);
        put(&fs, EPOCH, text);
        let error = refused(&fs);
        assert!(error.to_string().contains("broker-epoch"), "{text:?}: {error}");
    }
}

#[test]
fn files_missing_beside_logs_are_noticed() {
    for name in [META, EPOCH] {
        let (_world, fs) = machine();
        let first = opened(&fs);
        fs.close(first.lock);
        fs.create_folder(&folder().join(PartitionId::new(id(), 0).to_string())).expect("no faults");
        fs.remove_file(&folder().join(name)).expect("it is there");
        let error = refused(&fs);
        assert!(matches!(error, DataFolderError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("missing") && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn cluster_ids_look_like_kafkas() {
    // `Uuid.ONE_UUID`, and sixteen bytes of all kinds.
    let mut one = [0; 16];
    one[15] = 1;
    assert_eq!(base64_url(one), "AAAAAAAAAAAAAAAAAAAAAQ");
    let all = [0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7];
    assert_eq!(base64_url(all), "----____AAAAAQIDBAUGBw");

    let (_world, fs) = machine();
    let dash = TopicId::new(all);
    let opened = open(&fs, folder(), dash).expect("no faults");
    assert!(!opened.cluster_id.starts_with('-'), "{}", opened.cluster_id);
    assert!(fs.open(&folder().join(EPOCH), OpenMode::Read).is_ok());
}
