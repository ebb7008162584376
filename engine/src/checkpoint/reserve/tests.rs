use super::*;
use crate::io::{File, read_file};
use crate::sim::{Faults, SimFs, SimWorld};

const STEP: u64 = limits::CHECKPOINT_RESERVE_BYTES;

fn path() -> &'static Path {
    Path::new("/checkpoint-0")
}

/// Replaces the file, and keeps space for the next one, as each checkpoint does.
fn replace(fs: &SimFs, path: &Path, bytes: &[u8], on_full_disk: OnFullDisk) -> io::Result<()> {
    super::replace(fs, path, bytes, on_full_disk)?;
    let _ = keep(fs, path, bytes.len() as u64);
    Ok(())
}

/// A disk of five steps, of which a file takes what the others leave.
struct Disk {
    world: SimWorld,
    fs: SimFs,
    ballast: File,
}

impl Disk {
    fn new() -> Self {
        let world = SimWorld::new(1, Faults { space_bytes_max: 5 * STEP, ..Faults::none() });
        let fs = world.fs();
        let ballast = fs.open(Path::new("/ballast"), OpenMode::CreateNew).expect("no faults");
        Self { world, fs, ballast }
    }

    fn fill(&self) {
        const BLOCK: u64 = 4096;
        let mut size = 0;
        while self.fs.allocate(self.ballast, size, BLOCK).is_ok() {
            size += BLOCK;
        }
    }

    fn make_room(&self) {
        self.fs.truncate(self.ballast, 0).expect("no faults");
    }

    fn reserved(&self) -> Option<u64> {
        let file = self.fs.open(&beside(path(), SUFFIX), OpenMode::Read).ok()?;
        let size = self.fs.size(file).expect("no faults");
        self.fs.close(file);
        Some(size)
    }
}

#[test]
fn a_full_disk_takes_what_space_was_kept_for() {
    let disk = Disk::new();
    replace(&disk.fs, path(), &[1; 5000], OnFullDisk::Reserve).expect("there is space");
    assert_eq!(disk.reserved(), Some(STEP));
    disk.fill();
    assert!(replace_file(&disk.fs, path(), &[2; 20_000]).is_err(), "the disk is full");
    replace(&disk.fs, path(), &[2; 20_000], OnFullDisk::Reserve).expect("space was kept");
    assert_eq!(read_file(&disk.fs, path()).expect("it is there"), [2; 20_000]);

    // It is durable, and was one or the other all the time.
    disk.world.crash();
    let fs = disk.world.fs();
    assert_eq!(read_file(&fs, path()).expect("it is there"), [2; 20_000]);
}

#[test]
fn space_is_kept_again_once_there_is_some() {
    let disk = Disk::new();
    replace(&disk.fs, path(), &[1; 100], OnFullDisk::Reserve).expect("there is space");
    disk.fill();
    // It takes nearly all of it, and what the one before gives back is not enough for another.
    let large = vec![2; 1_000_000];
    replace(&disk.fs, path(), &large, OnFullDisk::Reserve).expect("space was kept");
    disk.fill();
    let error = replace(&disk.fs, path(), &large, OnFullDisk::Reserve).expect_err("it was used");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(read_file(&disk.fs, path()).expect("it is there") == large, "nothing has changed");

    disk.make_room();
    replace(&disk.fs, path(), &[3; 100], OnFullDisk::Reserve).expect("there is space");
    assert_eq!(disk.reserved(), Some(STEP));
}

#[test]
fn large_ones_have_more_kept_for_them() {
    let disk = Disk::new();
    let large = vec![1; STEP as usize / 2 + 1];
    replace(&disk.fs, path(), &large, OnFullDisk::Reserve).expect("there is space");
    assert_eq!(disk.reserved(), Some(2 * STEP));
}

#[test]
fn a_reserve_for_which_there_is_no_space_takes_none() {
    let disk = Disk::new();
    disk.fill();
    keep(&disk.fs, path(), 0).expect("it has to do without");
    assert_eq!(disk.reserved(), Some(0));
}

#[test]
fn what_a_checkpoint_leaves_of_the_space_is_kept_for_the_next() {
    let disk = Disk::new();
    replace(&disk.fs, path(), &[1; 4_000], OnFullDisk::Reserve).expect("there is space");
    disk.fill();
    for len in [5_000, 4_000, 9_000, 5_000, 20_000] {
        // Each larger one takes a block of it for good.
        replace(&disk.fs, path(), &vec![2; len], OnFullDisk::Reserve).expect("space was kept");
        disk.fill();
    }
    assert!(disk.reserved().is_some_and(|kept| (STEP - 6 * BLOCK..STEP).contains(&kept)));
    // A crash at any time costs a part of it at most.
    disk.world.crash();
    let fs = disk.world.fs();
    assert_eq!(read_file(&fs, path()).expect("it is there"), [2; 20_000]);
}

#[test]
fn space_is_kept_for_checkpoints_that_others_wait_for() {
    let disk = Disk::new();
    replace(&disk.fs, path(), &[1; 100], OnFullDisk::Fail).expect("there is space");
    disk.fill();
    let error = replace(&disk.fs, path(), &[2; 5_000], OnFullDisk::Fail).expect_err("the disk is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.reserved(), Some(STEP));
    assert_eq!(read_file(&disk.fs, path()).expect("it is there"), [1; 100]);
}

#[test]
fn a_little_space_is_kept_where_there_is_no_more() {
    let disk = Disk::new();
    disk.fill();
    disk.fs.truncate(disk.ballast, 5 * STEP - 3 * BLOCK).expect("no faults");
    keep(&disk.fs, path(), 0).expect("there is a little");
    assert_eq!(disk.reserved(), Some(3 * BLOCK));
}
