//! What a crash does to names.

use super::*;
use crate::io::replace_file;

fn names(world: &SimWorld) -> Vec<String> {
    world.fs().list(Path::new("/")).unwrap().into_iter().map(|entry| entry.name).collect()
}

/// A file whose contents and size are synced, under a name that isn't.
fn put(fs: &SimFs, path: &str, bytes: &[u8]) {
    let file = fs.open(Path::new(path), OpenMode::CreateNew).unwrap();
    fs.write_at(file, 0, bytes).unwrap();
    fs.sync(file).unwrap();
    fs.close(file);
}

#[test]
fn a_new_name_is_lost_with_its_file_unless_its_folder_is_synced() {
    let (mut lost, mut kept, mut second_alone) = (false, false, false);
    for seed in 0..50 {
        let world = SimWorld::new(seed, Faults::none());
        put(&world.fs(), "/synced", b"1");
        world.fs().sync_folder(Path::new("/")).unwrap();
        put(&world.fs(), "/a", b"2");
        put(&world.fs(), "/b", b"3");
        world.crash();
        assert_eq!(contents(&world, "/synced").unwrap(), b"1");
        match (contents(&world, "/a"), contents(&world, "/b")) {
            (None, None) => lost = true,
            (Some(a), Some(b)) => kept = a == b"2" && b == b"3",
            (a, _) => second_alone |= a.is_none(),
        }
    }
    observed([("lost", lost), ("kept", kept), ("the second without the first", second_alone)]);
}

#[test]
fn a_folder_is_lost_with_all_that_was_synced_in_it() {
    let (mut lost, mut kept) = (false, false);
    for seed in 0..50 {
        let world = SimWorld::new(seed, Faults::none());
        world.fs().create_folder(Path::new("/folder")).unwrap();
        put(&world.fs(), "/folder/file", b"1");
        world.fs().sync_folder(Path::new("/folder")).unwrap();
        world.crash();
        match contents(&world, "/folder/file") {
            None => lost = names(&world).is_empty(),
            Some(bytes) => kept = bytes == b"1",
        }
    }
    observed([("lost", lost), ("kept", kept)]);
}

#[test]
fn a_removed_name_comes_back_unless_its_folder_is_synced() {
    let (mut back, mut gone) = (false, false);
    for seed in 0..50 {
        let world = SimWorld::new(seed, Faults::none());
        put(&world.fs(), "/a", b"1");
        put(&world.fs(), "/b", b"2");
        world.fs().sync_folder(Path::new("/")).unwrap();
        world.fs().remove_file(Path::new("/a")).unwrap();
        world.fs().sync_folder(Path::new("/")).unwrap();
        world.fs().remove_file(Path::new("/b")).unwrap();
        assert!(names(&world).is_empty());
        world.crash();
        assert!(contents(&world, "/a").is_none(), "a synced removal is undone with seed {seed}");
        match contents(&world, "/b") {
            None => gone = true,
            Some(bytes) => back = bytes == b"2",
        }
    }
    observed([("back", back), ("gone", gone)]);
}

#[test]
fn a_rename_is_old_or_new_and_never_both() {
    let (mut old, mut new) = (false, false);
    for seed in 0..50 {
        let world = SimWorld::new(seed, Faults::none());
        put(&world.fs(), "/a", b"old");
        put(&world.fs(), "/b", b"new");
        world.fs().sync_folder(Path::new("/")).unwrap();
        world.fs().rename(Path::new("/b"), Path::new("/a")).unwrap();
        world.crash();
        match (contents(&world, "/a").as_deref(), contents(&world, "/b").as_deref()) {
            (Some(b"old"), Some(b"new")) => old = true,
            (Some(b"new"), None) => new = true,
            other => panic!("seed {seed} left {other:?}"),
        }
    }
    observed([("old", old), ("new", new)]);
}

#[test]
fn a_replaced_file_is_always_whole_and_once_replaced_new() {
    let path = Path::new("/settings");
    let (mut before, mut after) = (false, false);
    for seed in 0..400 {
        let world = SimWorld::new(seed, Faults::none());
        replace_file(&world.fs(), path, &[1; 700]).unwrap();
        world.crash_after(seed % 12);
        let replaced = replace_file(&world.fs(), path, &[2; 900]);
        world.crash();
        let bytes = contents(&world, "/settings").unwrap();
        match bytes.as_slice() {
            [1, ..] if replaced.is_err() => before |= bytes == [1; 700],
            [2, ..] => after |= bytes == [2; 900],
            _ => panic!("seed {seed} left {} bytes of {}", bytes.len(), bytes[0]),
        }
        assert!(bytes == [1; 700] || bytes == [2; 900]);
    }
    observed([("what it held before", before), ("what it was replaced by", after)]);
}

#[test]
fn the_calls_answer_as_the_kernel_does() {
    use std::io::ErrorKind;
    let fs = SimWorld::new(1, Faults::none()).fs();
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(fs.open(Path::new("/a"), OpenMode::Read).unwrap_err().kind(), ErrorKind::NotFound);
    put(&fs, "/a", b"");
    assert_eq!(fs.open(Path::new("/a"), OpenMode::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
    fs.create_folder(Path::new("/folder")).unwrap();
    assert_eq!(kind(fs.create_folder(Path::new("/folder"))), ErrorKind::AlreadyExists);
    assert_eq!(kind(fs.create_folder(Path::new("/missing/folder"))), ErrorKind::NotFound);
    put(&fs, "/folder/b", b"");
    assert_eq!(kind(fs.remove_folder(Path::new("/folder"))), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(fs.remove_file(Path::new("/b"))), ErrorKind::NotFound);
    let lock = fs.lock_folder(Path::new("/folder")).unwrap();
    assert_eq!(fs.lock_folder(Path::new("/folder")).unwrap_err().kind(), ErrorKind::WouldBlock);
    fs.unlock_folder(lock);
    fs.close(fs.lock_folder(Path::new("/folder")).unwrap());
}
