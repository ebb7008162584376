//! The block device below a folder, as far as its way of making writes durable goes.
#![expect(clippy::disallowed_methods, reason = "inside the seam")]

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::sys;

/// How a block device keeps what it has accepted (the kernel's `queue/write_cache` and `queue/fua`), or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The disk's name in /sys/block, or the name of a file system that lies in memory.
    pub name: String,
    /// Whether it is memory (tmpfs, ramfs), so that nothing outlasts the machine's running.
    pub in_memory: bool,
    /// Whether it has a volatile cache, which a flush empties.
    pub volatile_cache: bool,
    /// Whether it takes single writes past that cache (FUA), so that they need no flush.
    pub forced_unit_access: bool,
}

impl Device {
    /// The device below `folder`; `None` where the kernel names none, as for a network.
    #[must_use]
    pub fn below(folder: &Path) -> Option<Self> {
        if let Some(name) = sys::in_memory(folder) {
            let name = name.to_owned();
            return Some(Self { name, in_memory: true, volatile_cache: false, forced_unit_access: false });
        }
        let device = fs::metadata(folder).ok()?.dev();
        let link = PathBuf::from(format!("/sys/dev/block/{}:{}", libc::major(device), libc::minor(device)));
        Self::at(&link.canonicalize().ok()?)
    }

    /// A device by its folder in sysfs; a partition's disk is the folder around it.
    fn at(folder: &Path) -> Option<Self> {
        let disk = if folder.join("queue").is_dir() { folder } else { folder.parent()? };
        let read = |name: &str| fs::read_to_string(disk.join("queue").join(name)).ok();
        let name = disk.file_name()?.to_string_lossy().into_owned();
        let volatile_cache = read("write_cache")?.trim() == "write back";
        let forced_unit_access = read("fua").is_some_and(|fua| fua.trim() == "1");
        Some(Self { name, in_memory: false, volatile_cache, forced_unit_access })
    }

    /// Whether a write that is durable by itself costs no flush of the whole device.
    #[must_use]
    pub fn has_cheap_durable_writes(&self) -> bool {
        self.forced_unit_access || !self.volatile_cache
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.in_memory {
            return write!(f, "{} (memory)", self.name);
        }
        let cache = if self.volatile_cache { "a volatile write cache" } else { "no volatile write cache" };
        let fua = if self.forced_unit_access { "FUA" } else { "no FUA" };
        write!(f, "{} ({cache}, {fua})", self.name)
    }
}

#[cfg(test)]
mod tests;
