//! The disk below the broker's data: what it is, how full, and how much it reads, writes and flushes.
//!
//! Sources: proc(5) for /proc/self/mountinfo; the kernel's `iostats` and `queue-sysfs` documents for /proc/diskstats
//! and /sys/block/DEVICE/queue.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys;

/// A mounted filesystem and the device below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// A folder on it.
    pub folder: PathBuf,
    /// Such as `ext4`.
    pub filesystem: String,
    /// Where it is mounted.
    pub mount_point: String,
    /// The whole block device, such as `vda`; none below tmpfs, overlay and network filesystems.
    pub device: Option<String>,
    /// The kernel's view of the device's cache: `write back` (a flush matters) or `write through`.
    pub write_cache: Option<String>,
    /// The filesystem's mount options, such as `rw,noatime`.
    pub mount_options: String,
}

/// What a device has completed since boot, or between two readings, for anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskUse {
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
    pub flushes: u64,
    /// Of what the device was told that nobody needs it any more: blocks of removed files.
    pub discarded_bytes: u64,
}

impl DiskUse {
    /// What was done from `earlier` to here.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
            reads: self.reads.saturating_sub(earlier.reads),
            writes: self.writes.saturating_sub(earlier.writes),
            flushes: self.flushes.saturating_sub(earlier.flushes),
            discarded_bytes: self.discarded_bytes.saturating_sub(earlier.discarded_bytes),
        }
    }
}

impl Volume {
    /// Looks up what lies below `folder`, which must exist.
    pub fn below(folder: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let Some(mount) = Mount::holding(&mounts, &folder) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no mounted filesystem holds the folder"));
        };
        let device = block_device(fs::metadata(&folder)?.dev(), mount.source);
        let write_cache = device.as_deref().and_then(write_cache);
        Ok(Self {
            folder,
            filesystem: mount.filesystem.to_owned(),
            mount_point: mount.point.to_owned(),
            device,
            write_cache,
            mount_options: mount.options.to_owned(),
        })
    }

    /// Whether it lives in memory: nothing on it survives a power cut, whatever is flushed.
    pub fn is_memory(&self) -> bool {
        matches!(self.filesystem.as_str(), "tmpfs" | "ramfs" | "devtmpfs")
    }

    /// Bytes that may still be filled.
    pub fn free_bytes(&self) -> io::Result<u64> {
        sys::free_bytes(&self.folder)
    }

    /// What the device has completed since boot.
    pub fn used(&self) -> Option<DiskUse> {
        let stats = fs::read_to_string("/proc/diskstats").ok()?;
        use_of(&stats, self.device.as_deref()?)
    }
}

/// A line of /proc/self/mountinfo.
#[derive(Debug, PartialEq, Eq)]
struct Mount<'a> {
    point: &'a str,
    filesystem: &'a str,
    source: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// The mount that `folder` lies on: the last one with the longest mount point above it.
    fn holding(mounts: &'a str, folder: &Path) -> Option<Self> {
        mounts
            .lines()
            .filter_map(Self::parse)
            .filter(|mount| folder.starts_with(unescape(mount.point)))
            .max_by_key(|mount| mount.point.len())
    }

    /// Reads `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD]… - TYPE SOURCE OPTIONS`.
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let (mut before, mut after) = (before.split(' ').skip(4), after.split(' '));
        Some(Self {
            point: before.next()?,
            options: before.next()?,
            filesystem: after.next()?,
            source: after.next()?,
        })
    }
}

/// Undoes the octal escapes (`\040` for a blank) of mount points.
fn unescape(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// The name of the whole device that holds block device `dev`, or `source` where the filesystem has an anonymous number
/// (as btrfs does). Of a partition it is the disk: only disks have a cache and count flushes.
fn block_device(dev: u64, source: &str) -> Option<String> {
    // makedev(3): twelve bits of major above eight of minor, whose other bits lie higher.
    let major = (dev >> 8) & 0xfff | (dev >> 32) & 0xffff_f000;
    let minor = dev & 0xff | (dev >> 12) & 0xffff_ff00;
    let by_number = || fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok();
    let by_source = || {
        let device = fs::canonicalize(source).ok().filter(|path| path.starts_with("/dev"))?;
        fs::canonicalize(Path::new("/sys/class/block").join(device.file_name()?)).ok()
    };
    let folder = by_number().or_else(by_source)?;
    let disk = if folder.join("partition").exists() { folder.parent()? } else { &folder };
    Some(disk.file_name()?.to_str()?.to_owned())
}

/// The write cache mode of a device.
fn write_cache(device: &str) -> Option<String> {
    let mode = fs::read_to_string(format!("/sys/class/block/{device}/queue/write_cache")).ok()?;
    Some(mode.trim().to_owned())
}

/// The counters of `device` in the text of /proc/diskstats; flushes are there since Linux 5.5. Sectors are 512 bytes,
/// whatever the device's own are.
fn use_of(stats: &str, device: &str) -> Option<DiskUse> {
    const NAME: usize = 2;
    const SECTOR_BYTES: u64 = 512;
    let line = stats.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(NAME);
        (fields.next()? == device).then_some(fields)
    })?;
    let fields: Vec<u64> = line.map_while(|field| field.parse().ok()).collect();
    Some(DiskUse {
        reads: *fields.first()?,
        read_bytes: fields.get(2)? * SECTOR_BYTES,
        writes: *fields.get(4)?,
        written_bytes: fields.get(6)? * SECTOR_BYTES,
        flushes: *fields.get(15)?,
        discarded_bytes: fields.get(13)? * SECTOR_BYTES,
    })
}

#[cfg(test)]
mod tests;
