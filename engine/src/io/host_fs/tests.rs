use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::HostFs;
use crate::io::{Entry, Fs, OpenMode, read_file, replace_file, sys};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("tora-host-{}-{number}", std::process::id()));
        // A run that was killed leaves its folder, and numbers of processes come again.
        let _ = std::fs::remove_dir_all(&path);
        HostFs.create_folder(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn folders_list_their_names_in_order() {
    let folder = Folder::new();
    HostFs.create_folder(&folder.path("b")).unwrap();
    for name in ["c", "a"] {
        HostFs.close(HostFs.open(&folder.path(name), OpenMode::CreateNew).unwrap());
    }
    let entry = |name: &str, is_folder| Entry { name: name.to_owned(), is_folder };
    assert_eq!(HostFs.list(&folder.0).unwrap(), [entry("a", false), entry("b", true), entry("c", false)]);
    assert_eq!(HostFs.remove_folder(&folder.0).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    assert_eq!(HostFs.create_folder(&folder.path("b")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(HostFs.create_folder(&folder.path("no/where")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(HostFs.list(&folder.path("none")).unwrap_err().kind(), ErrorKind::NotFound);
    HostFs.rename(&folder.path("a"), &folder.path("c")).unwrap();
    HostFs.remove_folder(&folder.path("b")).unwrap();
    assert_eq!(HostFs.list(&folder.0).unwrap(), [entry("c", false)]);
    HostFs.remove_file(&folder.path("c")).unwrap();
    HostFs.sync_folder(&folder.0).unwrap();
}

#[test]
fn files_are_made_only_when_asked_for() {
    let folder = Folder::new();
    let path = folder.path("file");
    for mode in [OpenMode::Read, OpenMode::ReadWrite, OpenMode::Direct] {
        assert_eq!(HostFs.open(&path, mode).unwrap_err().kind(), ErrorKind::NotFound, "{mode:?}");
    }
    HostFs.close(HostFs.open(&path, OpenMode::CreateNew).unwrap());
    assert_eq!(HostFs.open(&path, OpenMode::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let file = HostFs.open(&path, OpenMode::Read).unwrap();
    assert!(HostFs.write_at(file, 0, b"x").is_err());
    HostFs.close(file);
}

#[test]
fn bytes_are_read_where_they_were_written() {
    let folder = Folder::new();
    let file = HostFs.open(&folder.path("file"), OpenMode::CreateNew).unwrap();
    HostFs.write_at(file, 5, b"hello").unwrap();
    HostFs.sync(file).unwrap();
    assert_eq!(HostFs.size(file).unwrap(), 10);
    let mut into = [9; 20];
    assert_eq!(HostFs.read_at(file, 3, &mut into).unwrap(), 7, "short at the end only");
    assert_eq!(&into[..7], b"\0\0hello");
    assert_eq!(HostFs.read_at(file, 10, &mut into).unwrap(), 0);
    HostFs.close(file);
}

fn space_reads_as_zeros(folder: &Folder) {
    let file = HostFs.open(&folder.path("file"), OpenMode::CreateNew).unwrap();
    HostFs.write_at(file, 0, &[7; 10_000]).unwrap();
    HostFs.allocate(file, 0, 4096).unwrap();
    assert_eq!(HostFs.size(file).unwrap(), 10_000, "space that is there stays as it is");
    HostFs.truncate(file, 5_000).unwrap();
    HostFs.allocate(file, 4096, 16_384).unwrap();
    assert_eq!(HostFs.size(file).unwrap(), 20_480);
    let mut bytes = vec![1; 20_480];
    assert_eq!(HostFs.read_at(file, 0, &mut bytes).unwrap(), 20_480);
    assert!(bytes[..5_000].iter().all(|byte| *byte == 7));
    assert!(bytes[5_000..].iter().all(|byte| *byte == 0), "nothing of what was cut comes back");
    HostFs.allocate(file, 0, 0).unwrap();
    assert_eq!(HostFs.allocate(file, u64::MAX, 1).unwrap_err().kind(), ErrorKind::FileTooLarge);
    HostFs.close(file);
}

#[test]
fn allocated_space_reads_as_zeros() {
    space_reads_as_zeros(&Folder::new());
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        space_reads_as_zeros(&Folder::within(memory));
    }
}

#[test]
fn a_small_file_is_replaced_as_a_whole() {
    let folder = Folder::new();
    let path = folder.path("meta");
    replace_file(&HostFs, &path, b"first, and longer").unwrap();
    std::fs::write(folder.path("meta.tmp"), b"left by a crash").unwrap();
    replace_file(&HostFs, &path, b"second").unwrap();
    assert_eq!(read_file(&HostFs, &path).unwrap(), b"second");
    assert_eq!(HostFs.list(&folder.0).unwrap().len(), 1);
}

#[test]
fn a_folder_has_one_holder() {
    let folder = Folder::new();
    let held = HostFs.lock_folder(&folder.0).unwrap();
    assert_eq!(HostFs.lock_folder(&folder.0).unwrap_err().kind(), ErrorKind::WouldBlock);
    // As a child has it until it calls exec.
    let copy = sys::with_file(held, std::fs::File::try_clone).unwrap();
    HostFs.unlock_folder(held);
    let again = HostFs.lock_folder(&folder.0).expect("given up, whoever has a copy of the file");
    drop(copy);
    assert_eq!(HostFs.lock_folder(&folder.0).unwrap_err().kind(), ErrorKind::WouldBlock);
    HostFs.unlock_folder(again);
    assert_eq!(HostFs.lock_folder(&folder.path("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_folder_has_many_readers_and_no_holder_meanwhile() {
    let folder = Folder::new();
    assert_eq!(HostFs.share_folder(&folder.0).unwrap_err().kind(), ErrorKind::NotFound, "it is not made");
    let held = HostFs.lock_folder(&folder.0).unwrap();
    assert_eq!(HostFs.share_folder(&folder.0).unwrap_err().kind(), ErrorKind::WouldBlock);
    HostFs.unlock_folder(held);
    let [first, second] = [(); 2].map(|()| HostFs.share_folder(&folder.0).unwrap());
    HostFs.unlock_folder(first);
    assert_eq!(HostFs.lock_folder(&folder.0).unwrap_err().kind(), ErrorKind::WouldBlock);
    HostFs.unlock_folder(second);
    HostFs.unlock_folder(HostFs.lock_folder(&folder.0).unwrap());
}
