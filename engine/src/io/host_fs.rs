//! The machine's own file system, blocking: for start-up, recovery and helper jobs.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "inside the seam")]

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Once, OnceLock};

use super::ring::Random;
use super::{Device, Entry, File, Fs, OpenMode, at_once, sys};

/// The name of the file whose lock claims a folder.
const LOCK_NAME: &str = ".lock";

/// The file system that std's calls reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFs;

impl Fs for HostFs {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, is_folder: entry.file_type()?.is_dir() });
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read).create_new(mode == OpenMode::CreateNew);
        if mode != OpenMode::Direct {
            return Ok(File(options.open(path)?.into_raw_fd()));
        }
        match options.clone().custom_flags(libc::O_DIRECT).open(path) {
            Ok(file) => Ok(File(file.into_raw_fd())),
            // open(2): the file system has no O_DIRECT.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                let file = options.open(path)?;
                warn_buffered(path);
                Ok(File(file.into_raw_fd()))
            }
            Err(error) => Err(error),
        }
    }

    fn close(&self, file: File) {
        sys::close(file.0);
    }

    fn size(&self, file: File) -> io::Result<u64> {
        sys::with_file(file, |file| Ok(file.metadata()?.len()))
    }

    fn read_at(&self, file: File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        sys::with_file(file, |file| {
            let mut done = 0;
            while done < into.len() {
                match file.read_at(&mut into[done..], offset + done as u64) {
                    Ok(0) => break,
                    Ok(count) => done += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(done)
        })
    }

    fn write_at(&self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        sys::with_file(file, |file| file.write_all_at(bytes, offset))
    }

    fn allocate(&self, file: File, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match sys::allocate(file, offset, len) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                warn_unreserved();
                let end = offset.checked_add(len).ok_or(io::ErrorKind::FileTooLarge)?;
                if self.size(file)? < end { self.truncate(file, end) } else { Ok(()) }
            }
            done => done,
        }
    }

    fn truncate(&self, file: File, size: u64) -> io::Result<()> {
        sys::with_file(file, |file| file.set_len(size))
    }

    fn sync(&self, file: File) -> io::Result<()> {
        // fdatasync(2) covers the size and the allocated space; what it leaves out are times.
        sys::with_file(file, fs::File::sync_data)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn device(&self, path: &Path) -> Option<Device> {
        Device::below(path)
    }

    fn for_all<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        at_once: usize,
        work: impl Fn(&Self, T) -> R + Sync,
    ) -> Vec<R> {
        at_once::for_all(self, items, at_once, work)
    }

    fn lock_folder(&self, path: &Path) -> io::Result<File> {
        // The file stays behind when the lock is given up: removing it would let two processes hold locks on two
        // files of this name.
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = options.open(path.join(LOCK_NAME))?;
        file.try_lock()?;
        // For whoever finds it locked; a disk that is full is no reason to refuse.
        let holder = process_mark() + "\n";
        if file.set_len(0).and_then(|()| file.write_all_at(holder.as_bytes(), 0)).is_err() {
            let _ = file.set_len(0);
        }
        Ok(File(file.into_raw_fd()))
    }

    fn share_folder(&self, path: &Path) -> io::Result<File> {
        // flock(2): any descriptor will do for a lock, and on a network's file system one to read from for a shared one.
        let file = OpenOptions::new().read(true).open(path.join(LOCK_NAME))?;
        file.try_lock_shared()?;
        Ok(File(file.into_raw_fd()))
    }

    fn unlock_folder(&self, lock: File) {
        // flock(2): LOCK_UN is for all copies of the descriptor, closing one for that one.
        let _ = sys::with_file(lock, fs::File::unlock);
        self.close(lock);
    }
}

/// What this process writes into the lock of a folder that it holds: its number, which another one may have as well, in another
/// container or on another machine, and a random word.
#[must_use]
pub fn process_mark() -> String {
    static WORD: OnceLock<u64> = OnceLock::new();
    let word = WORD.get_or_init(|| Random::from_system().map_or(0, |mut random| random.next()));
    format!("{} {word:016x}", std::process::id())
}

fn warn_buffered(path: &Path) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::warn!(
            "the file system of {} has no O_DIRECT: its files are written through the page cache, which is slower; \
             durability is the same",
            path.display()
        );
    });
}

fn warn_unreserved() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::warn!(
            "the data folder's file system cannot reserve space (fallocate): a full disk will fail writes that were \
             already accepted, and with them their partitions"
        );
    });
}

#[cfg(test)]
mod tests;
