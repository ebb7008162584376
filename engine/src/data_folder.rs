//! The data folder: whose it is, which format it has, and how often it was opened.
//!
//! `meta.properties` names the format's version and the cluster id, as Kafka's file of that name does; `broker-epoch`
//! counts the openings and becomes the leader epoch of everything appended since. Both are text, and replaced as a whole.
//!
//! # Non-obvious
//! Kafka's own log folders have a `meta.properties` too, with the same keys; ours begins with `format=tora`. A folder is
//! looked at before it is locked, so that nothing is left in one that is somebody else's.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::io::{File, Fs, process_mark, read_file, replace_file};
use crate::types::{LeaderEpoch, PartitionId, TopicId};

/// The format's version: a newer one is refused, an older one made this one's. 2 has journals, which a Tora that knows only 1
/// would pass over.
const VERSION: u32 = 2;
const META: &str = "meta.properties";
const EPOCH: &str = "broker-epoch";
const LOCK: &str = ".lock";

/// A data folder that is claimed, whose opening is not counted yet.
#[derive(Debug)]
pub struct DataFolder {
    /// Held for as long as the folder is used.
    pub lock: File,
    /// The cluster's id, made with the folder.
    pub cluster_id: String,
    /// The epoch of the last opening that was counted; −1 where there was none.
    pub last_epoch: LeaderEpoch,
}

/// Why a folder cannot be used. `Display` says what to do.
#[derive(Debug)]
pub enum DataFolderError {
    /// Somebody reads it as a whole, and nothing may change meanwhile ([`verify`](crate::verify)).
    BeingVerified {
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody has it open.
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process, as it wrote its number down. In another container or on another machine it may be any process's.
        holder: Option<u32>,
        /// Whether that is this very process.
        here: bool,
    },
    /// It holds something else.
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What was found there.
        found: String,
    },
    /// A newer Tora wrote it.
    Newer {
        /// The folder.
        folder: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A file of it cannot be understood.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// The system's error.
    Io {
        /// The folder.
        folder: PathBuf,
        /// The error.
        error: io::Error,
    },
}

impl fmt::Display for DataFolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { folder, here: true, .. } => write!(
                f,
                "the data folder {} is open in this very process already: share that engine's handle \
                 (Engine::handle), or close it first",
                folder.display()
            ),
            Self::InUse { folder, holder, here: false } => {
                write!(f, "the data folder {} is in use by another process", folder.display())?;
                match holder {
                    Some(holder) if *holder == std::process::id() => {
                        write!(
                            f,
                            " (number {holder}, as this one: in another container or on another machine)"
                        )?;
                    }
                    Some(holder) => write!(f, " (number {holder})")?,
                    None => {}
                }
                f.write_str(": stop that one, or choose another folder")
            }
            Self::BeingVerified { folder } => write!(
                f,
                "the data folder {} is being verified by another process (tora log verify): wait until that has ended, or \
                 stop it",
                folder.display()
            ),
            Self::Foreign { folder, found } => write!(
                f,
                "the folder {} holds {found}, which is not Tora's: choose an empty or new folder",
                folder.display()
            ),
            Self::Newer { folder, version } => write!(
                f,
                "the data folder {} has format version {version}, this Tora reads up to {VERSION}: use the newer Tora",
                folder.display()
            ),
            Self::Damaged { file, why } => {
                write!(f, "{} cannot be used: {why}; restore it from a copy of the folder", file.display())
            }
            Self::Io { folder, error } if error.kind() == ErrorKind::StorageFull => {
                write!(f, "the disk of the data folder {} is full: free some space", folder.display())
            }
            Self::Io { folder, error } if error.kind() == ErrorKind::ReadOnlyFilesystem => write!(
                f,
                "the data folder {} is on a file system that is mounted for reading only: mount it for writing, or choose \
                 another folder (tora log verify reads it as it is)",
                folder.display()
            ),
            Self::Io { folder, error } => {
                write!(f, "the data folder {} cannot be used: {error}", folder.display())
            }
        }
    }
}

impl std::error::Error for DataFolderError {}

/// Claims a data folder, making it if it is missing. [`count_opening`] follows once what the last opening has left is seen to.
///
/// `new_id`, random, becomes the cluster id of a new folder.
///
/// # Errors
/// See [`DataFolderError`].
pub fn open<F: Fs>(fs: &F, folder: &Path, new_id: TopicId) -> Result<DataFolder, DataFolderError> {
    let failed = |error| DataFolderError::Io { folder: folder.to_owned(), error };
    create_with_parents(fs, folder).map_err(failed)?;
    if read_meta(fs, folder)?.is_none() {
        check_new(fs, folder)?;
    }
    let lock = fs.lock_folder(folder).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => in_use(fs, folder),
        _ => failed(error),
    })?;
    let opened = (|| {
        // Another process may have been faster in between.
        let cluster_id = match read_meta(fs, folder)? {
            Some(Meta { cluster_id, version }) => {
                if version < VERSION {
                    write_meta(fs, folder, &cluster_id).map_err(failed)?;
                }
                cluster_id
            }
            None => create_meta(fs, folder, new_id).map_err(failed)?,
        };
        let last_epoch = LeaderEpoch::new(read_epoch(fs, folder)?);
        Ok(DataFolder { lock, cluster_id, last_epoch })
    })();
    if opened.is_err() {
        fs.unlock_folder(lock);
    }
    opened
}

/// Who keeps a folder from being claimed.
fn in_use<F: Fs>(fs: &F, folder: &Path) -> DataFolderError {
    // Whoever only reads it writes nothing: what stands in the file is the mark of the last who claimed it.
    match fs.share_folder(folder) {
        Ok(shared) => {
            fs.unlock_folder(shared);
            DataFolderError::BeingVerified { folder: folder.to_owned() }
        }
        Err(_) => claimed(fs, folder),
    }
}

/// Somebody has claimed a folder: by what that one could write down of itself.
fn claimed<F: Fs>(fs: &F, folder: &Path) -> DataFolderError {
    let bytes = read_file(fs, &folder.join(LOCK)).unwrap_or_default();
    let mark = String::from_utf8_lossy(&bytes);
    let holder = mark.split_whitespace().next().and_then(|number| number.parse().ok());
    DataFolderError::InUse { folder: folder.to_owned(), holder, here: mark.trim() == process_mark() }
}

/// Keeps others from opening a data folder that is there, without counting an opening or writing anything. Answers the lock,
/// if the folder was ever opened and is no copy without its lock file, and the last opening's epoch.
///
/// # Errors
/// See [`DataFolderError`].
pub fn share<F: Fs>(fs: &F, folder: &Path) -> Result<(Option<File>, LeaderEpoch), DataFolderError> {
    let failed = |error| DataFolderError::Io { folder: folder.to_owned(), error };
    fs.list(folder).map_err(failed)?;
    if read_meta(fs, folder)?.is_none() {
        check_new(fs, folder)?;
        let found = "no meta.properties".to_owned();
        return Err(DataFolderError::Foreign { folder: folder.to_owned(), found });
    }
    let lock = match fs.share_folder(folder) {
        Ok(lock) => Some(lock),
        // Nobody has the folder open: whoever opens it makes one first.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(claimed(fs, folder)),
        Err(error) => return Err(failed(error)),
    };
    let epoch = read_epoch(fs, folder).inspect_err(|_| {
        if let Some(lock) = lock {
            fs.unlock_folder(lock);
        }
    })?;
    Ok((lock, LeaderEpoch::new(epoch)))
}

fn create_with_parents<F: Fs>(fs: &F, folder: &Path) -> io::Result<()> {
    match fs.create_folder(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(error)?;
            create_with_parents(fs, parent)?;
            fs.create_folder(folder)
        }
        created => created,
    }
}

/// Makes the names of a new folder and of the folders it stands in durable. Which of them are new is not known: an
/// attempt before this one may have crashed half-way.
fn sync_parents<F: Fs>(fs: &F, folder: &Path) -> io::Result<()> {
    for parent in folder.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match fs.sync_folder(parent) {
            // A folder that this process may not even list is none that it made.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// What `meta.properties` says.
struct Meta {
    cluster_id: String,
    version: u32,
}

fn read_meta<F: Fs>(fs: &F, folder: &Path) -> Result<Option<Meta>, DataFolderError> {
    let file = folder.join(META);
    let bytes = match read_file(fs, &file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataFolderError::Io { folder: folder.to_owned(), error }),
    };
    let damaged = |why: &str| DataFolderError::Damaged { file: file.clone(), why: why.to_owned() };
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(str::to_owned)
    };
    if value("format").as_deref() != Some("tora") {
        let found = "a meta.properties of another program (Kafka's, perhaps)".to_owned();
        return Err(DataFolderError::Foreign { folder: folder.to_owned(), found });
    }
    let version =
        value("version").and_then(|text| text.parse().ok()).ok_or_else(|| damaged("it has no version"))?;
    if version > VERSION {
        return Err(DataFolderError::Newer { folder: folder.to_owned(), version });
    }
    let cluster_id = value("cluster.id").ok_or_else(|| damaged("it has no cluster.id"))?;
    Ok(Some(Meta { cluster_id, version }))
}

/// A folder without `meta.properties` is new: nothing but what a crash while making it left may be in it.
fn check_new<F: Fs>(fs: &F, folder: &Path) -> Result<(), DataFolderError> {
    let entries =
        fs.list(folder).map_err(|error| DataFolderError::Io { folder: folder.to_owned(), error })?;
    if let Some(log) = entries.iter().find(|entry| PartitionId::parse(&entry.name).is_some()) {
        let why = format!("it is missing, though the folder holds logs ({})", log.name);
        return Err(DataFolderError::Damaged { file: folder.join(META), why });
    }
    // A faster process may be making them right now.
    let is_ours = |name: &str| {
        matches!(name, LOCK | "lost+found" | META | "meta.properties.tmp" | EPOCH | "broker-epoch.tmp")
    };
    match entries.into_iter().find(|entry| !is_ours(&entry.name)) {
        Some(other) => {
            let found = format!("{:?}", other.name);
            Err(DataFolderError::Foreign { folder: folder.to_owned(), found })
        }
        None => Ok(()),
    }
}

fn create_meta<F: Fs>(fs: &F, folder: &Path, new_id: TopicId) -> io::Result<String> {
    let mut bytes = new_id.bytes();
    // As Kafka does, so that no command line takes the id for an option: none begins with a '-', which is 62.
    if bytes[0] >> 2 == 62 {
        bytes[0] ^= 0x80;
    }
    let id = base64_url(bytes);
    sync_parents(fs, folder)?;
    write_meta(fs, folder, &id)?;
    Ok(id)
}

fn write_meta<F: Fs>(fs: &F, folder: &Path, cluster_id: &str) -> io::Result<()> {
    let text = format!("format=tora\nversion={VERSION}\ncluster.id={cluster_id}\n");
    replace_file(fs, &folder.join(META), text.as_bytes())
}

/// Sixteen bytes as Kafka writes ids: base64 with `-` and `_`, unpadded (RFC 4648, section 5).
#[must_use]
pub fn base64_url(bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = u128::from_be_bytes(bytes);
    // 21 digits of six bits, then the last two bits.
    let digit = |at: u32| if at < 21 { (number >> (122 - 6 * at)) & 63 } else { (number & 3) << 4 };
    (0..22).map(|at| char::from(DIGITS[usize::try_from(digit(at)).expect("six bits")])).collect()
}

/// Counts an opening of a claimed folder, durably, before anything is stamped with it: answers its epoch.
///
/// # Errors
/// See [`DataFolderError`].
pub fn count_opening<F: Fs>(fs: &F, folder: &Path) -> Result<LeaderEpoch, DataFolderError> {
    let epoch = read_epoch(fs, folder)? + 1;
    replace_file(fs, &folder.join(EPOCH), format!("{epoch}\n").as_bytes())
        .map_err(|error| DataFolderError::Io { folder: folder.to_owned(), error })?;
    Ok(LeaderEpoch::new(epoch))
}

/// The last opening's epoch, −1 where there was none.
fn read_epoch<F: Fs>(fs: &F, folder: &Path) -> Result<i32, DataFolderError> {
    let file = folder.join(EPOCH);
    let failed = |error| DataFolderError::Io { folder: folder.to_owned(), error };
    let damaged = |why: &str| DataFolderError::Damaged { file: file.clone(), why: why.to_owned() };
    match read_file(fs, &file) {
        Ok(bytes) => {
            let number: Option<i32> = str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
            number
                .filter(|number| (0..i32::MAX).contains(number))
                .ok_or_else(|| damaged("it should hold one number, the epoch"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let entries = fs.list(folder).map_err(failed)?;
            if entries.iter().any(|entry| PartitionId::parse(&entry.name).is_some()) {
                return Err(damaged("it is missing, though the folder holds logs"));
            }
            Ok(-1)
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests;
