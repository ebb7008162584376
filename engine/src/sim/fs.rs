//! The blocking file system of the simulated machine, for start-up, recovery and helper jobs.
//!
//! The power may go between any two calls; from then on each of them fails, and who made them gives up.

use std::io;
use std::path::Path;

use super::disk::system_error;
use super::world::{SimWorld, World, crashed};
use crate::io::{BLOCK_SIZE, Device, Entry, File, Fs, OpenMode};

/// A [`Fs`] on the simulated machine. After a crash it only returns errors.
#[derive(Clone)]
pub struct SimFs {
    world: SimWorld,
    incarnation: u64,
    /// Whether what uses it shares the descriptors with others.
    crowded: bool,
}

impl SimFs {
    pub(super) fn new(world: SimWorld, incarnation: u64) -> Self {
        Self { world, incarnation, crowded: false }
    }

    /// Makes one call: counted, traced, and refused once the power is gone.
    fn call<T>(
        &self,
        kind: &str,
        name: &str,
        numbers: &[(&str, u64)],
        call: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut world = self.world.lock();
        if world.incarnation != self.incarnation {
            return Err(crashed());
        }
        world.tick()?;
        world.note(kind, name, numbers);
        call(&mut world)
    }

    fn on_path<T>(
        &self,
        kind: &str,
        path: &Path,
        call: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> io::Result<T> {
        self.call(kind, &path.to_string_lossy(), &[], call)
    }

    fn on_file<T>(
        &self,
        kind: &str,
        file: File,
        at: u64,
        call: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> io::Result<T> {
        self.call(kind, "", &[("file", u64::from(file.0.unsigned_abs())), ("at", at)], call)
    }
}

impl Fs for SimFs {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.on_path("create_folder", path, |world| world.disk.create_folder(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.on_path("list", path, |world| world.disk.list(path))
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File> {
        self.on_path("open", path, |world| {
            if self.crowded && world.rng.one_in(world.faults.crowded_one_in) {
                world.note("fault", "open", &[]);
                return Err(system_error(libc::EMFILE));
            }
            world.disk.open(path, mode)
        })
    }

    fn close(&self, file: File) {
        // A crash closes everything; there is nobody to tell.
        let _ = self.on_file("close", file, 0, |world| {
            world.disk.close(file);
            Ok(())
        });
    }

    fn size(&self, file: File) -> io::Result<u64> {
        self.on_file("size", file, 0, |world| world.disk.size(file))
    }

    fn read_at(&self, file: File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.on_file("read_at", file, offset, |world| {
            world.fail(world.faults.read_error_one_in, "read_at")?;
            world.disk.read(file, offset, into)
        })
    }

    fn write_at(&self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.on_file("write_at", file, offset, |world| {
            world.note("data", "", &[("crc", u64::from(crc_fast::crc32_iscsi(bytes)))]);
            world.disk.write_at(file, offset, bytes, world.faults.space_bytes_max)?;
            // The page cache took it, but the error is all that the caller knows.
            world.fail(world.faults.write_error_one_in, "write_at")
        })
    }

    fn allocate(&self, file: File, offset: u64, len: u64) -> io::Result<()> {
        self.on_file("allocate", file, offset + len, |world| {
            if world.rng.one_in(world.faults.allocate_full_one_in) {
                world.note("fault", "allocate", &[]);
                let part = world.rng.below(len / BLOCK_SIZE as u64 + 1) * BLOCK_SIZE as u64;
                world.disk.allocate(file, offset, part.min(len), world.faults.space_bytes_max)?;
                return Err(system_error(libc::ENOSPC));
            }
            world.disk.allocate(file, offset, len, world.faults.space_bytes_max)
        })
    }

    fn truncate(&self, file: File, size: u64) -> io::Result<()> {
        self.on_file("truncate", file, size, |world| world.disk.truncate(file, size))
    }

    fn sync(&self, file: File) -> io::Result<()> {
        self.on_file("sync", file, 0, |world| {
            let fails = world.fail(world.faults.flush_error_one_in, "sync").is_err();
            let upto = world.disk.complete();
            world.disk.sync(file, upto, fails)
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.on_path("sync_folder", path, |world| {
            let fails = world.fail(world.faults.folder_error_one_in, "sync_folder").is_err();
            world.disk.sync_folder(path, fails)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.on_path("rename", to, |world| world.disk.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.on_path("remove_file", path, |world| world.disk.remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.on_path("remove_folder", path, |world| world.disk.remove_folder(path))
    }

    fn device(&self, _: &Path) -> Option<Device> {
        // How rounds are flushed comes from the seed (`workload::config`).
        None
    }

    /// One after the other, in whatever order: what they change must be apart from each other.
    fn for_all<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        _: usize,
        work: impl Fn(&Self, T) -> R + Sync,
    ) -> Vec<R> {
        let crowded = Self { crowded: items.len() > 1, ..self.clone() };
        let mut left: Vec<_> = items.into_iter().enumerate().collect();
        let mut done = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let chosen = self.world.lock().rng.index(left.len());
            let (at, item) = left.swap_remove(chosen);
            done.push((at, work(&crowded, item)));
        }
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }

    fn lock_folder(&self, path: &Path) -> io::Result<File> {
        self.on_path("lock_folder", path, |world| world.disk.lock_folder(path))
    }

    fn share_folder(&self, path: &Path) -> io::Result<File> {
        self.on_path("share_folder", path, |world| world.disk.share_folder(path))
    }

    fn unlock_folder(&self, lock: File) {
        self.close(lock);
    }
}
