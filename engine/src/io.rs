//! The seam: everything that is not computation passes through [`Io`] and [`Fs`].
//!
//! Files, directories, sockets, clocks, randomness, wake-ups and helper jobs are reached here and nowhere else, so
//! that everything above runs unchanged on the ring (`io::ring`) and, in one thread from a seed, on the simulated disk
//! (`sim`). [`Io`] is what a running shard uses: operations are submitted and their completions collected once a turn.
//! [`Fs`] is blocking; only start-up, recovery and helper jobs, which run off the shard's thread, may use it.

mod at_once;
#[expect(unsafe_code, reason = "shared memory under one writer; each block says why it is sound")]
pub mod buffer;
mod device;
mod helpers;
mod host_fs;
#[expect(unsafe_code, reason = "the kernel's queues; each block says why it is sound")]
pub mod ring;
pub mod socket;
#[expect(
    unsafe_code,
    reason = "descriptors as plain numbers, and fallocate; each block says why it is sound"
)]
mod sys;
pub mod thread;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use at_once::for_all_files;
pub use buffer::{BLOCK_SIZE, CHUNK_SIZE, ChunkMut, Pool, Slice};
pub use device::Device;
pub use host_fs::{HostFs, process_mark};
pub use sys::{descriptors_max, raise_descriptors_max};

use crate::types::Nanos;

/// An open file. Plain data: it must be closed exactly once, by [`Op::Close`] or [`Fs::close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct File(pub i32);

impl File {
    /// The handle as a job's value.
    #[must_use]
    pub fn as_value(self) -> u64 {
        u64::try_from(self.0).expect("handles are not negative")
    }

    /// The handle that a job's value is.
    #[must_use]
    pub fn of_value(value: u64) -> Self {
        Self(i32::try_from(value).expect("it was made from a handle"))
    }
}

/// An open socket, under the same rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Socket(pub i32);

/// What an operation's owner recognises its completion by. The seam only carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Work for a helper thread. Its value (a file handle, a count) comes back as the completion's.
pub type Job<F> = Box<dyn FnOnce(&F) -> io::Result<u64> + Send>;

/// An operation to start. Buffers move into it and stay untouchable until its completion hands them back.
pub enum Op<F> {
    /// Writes all of `data` at `offset`. The offset, `data`'s length and its place in its chunk are multiples of the block
    /// size. Completes with the bytes written, which may be fewer.
    Write {
        /// A file opened with [`OpenMode::Direct`].
        file: File,
        /// Bytes from the file's start.
        offset: u64,
        /// What to write.
        data: Slice,
    },
    /// A [`Op::Write`] that completes only when its bytes, and what it takes to find them again, are on the disk
    /// (pwritev2's RWF_DSYNC). It says nothing of other writes.
    WriteDurably {
        /// A file opened with [`OpenMode::Direct`].
        file: File,
        /// Bytes from the file's start.
        offset: u64,
        /// What to write.
        data: Slice,
    },
    /// Reads at most `len` bytes at `offset` into the chunk's spare room. Completes with the bytes read, which may be
    /// fewer (0 at the file's end), and the chunk; its owner counts them with [`ChunkMut::advance`]. All three of
    /// `offset`, `len` and the chunk's filled length are multiples of the block size.
    Read {
        /// A file opened in any mode.
        file: File,
        /// Bytes from the file's start.
        offset: u64,
        /// Where to put them.
        into: ChunkMut,
        /// Bytes wanted.
        len: usize,
    },
    /// Makes everything whose write has completed before this was submitted durable, with the file's size.
    Flush {
        /// The file.
        file: File,
    },
    /// Closes a file.
    Close {
        /// The file.
        file: File,
    },
    /// Waits for one connection. Completes with its [`Socket`]'s number.
    Accept {
        /// A listening socket.
        listener: Socket,
    },
    /// Receives at least one byte into the chunk's spare room. Completes with the bytes received (0: the peer is
    /// done) and the chunk.
    Receive {
        /// The socket.
        socket: Socket,
        /// Where to put them.
        into: ChunkMut,
    },
    /// Sends the slices, one after the other. Completes with the bytes sent, which may be fewer, and the slices.
    Send {
        /// The socket.
        socket: Socket,
        /// What to send; at most [`SEND_SLICES_MAX`].
        slices: Vec<Slice>,
    },
    /// Ends both directions of a connection: pending receives and sends complete.
    Shutdown {
        /// The socket.
        socket: Socket,
    },
    /// Closes a socket.
    CloseSocket {
        /// The socket.
        socket: Socket,
    },
    /// Runs a job on a helper thread. Jobs run beside each other and finish in any order. A value that is a handle is
    /// lost, and stays open, if the [`Io`] is dropped before the completion was collected.
    Job(Job<F>),
}

/// The most slices one [`Op::Send`] may carry (the kernel's `UIO_MAXIOV`).
pub const SEND_SLICES_MAX: usize = 1024;

/// What an operation hands back.
#[derive(Debug)]
pub enum Returned {
    /// It held no buffer, or only slices that are no longer needed.
    Nothing,
    /// The chunk of a read or receive.
    Chunk(ChunkMut),
    /// The slices of a send, all of them, for what is left to be sent again.
    Slices(Vec<Slice>),
}

/// An operation's end. Every submitted operation has exactly one.
#[derive(Debug)]
pub struct Completion {
    /// As submitted.
    pub token: Token,
    /// Bytes, a handle or a job's value; errors carry the system's number.
    pub result: io::Result<u64>,
    /// The operation's buffers.
    pub returned: Returned,
}

/// How long a turn may sleep where nothing has completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until something completes or somebody wakes it.
    Forever,
    /// At most until this moment.
    Until(Nanos),
}

/// Rouses a sleeping [`Io::turn`] from any thread. Waking one that does not sleep makes its next sleep return at once.
pub trait Wake: Send + Sync {
    /// Rouses it.
    fn wake(&self);
}

/// A shard's way to the outside.
pub trait Io {
    /// The blocking file system that jobs get.
    type Fs: Fs;

    /// Starts an operation. It is handed to the device or kernel with the next [`Io::turn`] at the latest, or, where as
    /// many are under way as there is room for, when earlier ones have ended. Operations start in the order in which
    /// they were submitted, but do not wait for each other's ends. One that breaks its contract panics here.
    fn submit(&mut self, token: Token, op: Op<Self::Fs>);

    /// Hands over what was submitted, sleeps as `wait` allows while nothing has completed, and appends what has
    /// completed to `completions`, in the order of completion. May return early with nothing at all.
    ///
    /// # Errors
    /// When the ring itself fails; the shard cannot go on then.
    fn turn(&mut self, wait: Wait, completions: &mut Vec<Completion>) -> io::Result<()>;

    /// Monotonic time. Cheap enough to be asked once a turn, not per record.
    fn now(&self) -> Nanos;

    /// Milliseconds since the Unix epoch, as record timestamps count.
    fn unix_millis(&self) -> i64;

    /// A random word.
    fn random(&mut self) -> u64;

    /// What other threads wake this one by.
    fn waker(&self) -> Arc<dyn Wake>;

    /// This shard's aligned memory.
    fn pool(&self) -> &Pool;

    /// The blocking file system, for start-up only.
    fn fs(&self) -> &Self::Fs;

    /// Lets a moment pass in which other threads may have this core. Says whether time goes on so: not on a simulated machine,
    /// where nobody may wait that way.
    fn give_way(&self) -> bool {
        false
    }

    /// The shard has nothing to do and had enough of late: the moment for what would else be in somebody's way.
    fn rest(&mut self) {}
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Blocking reads through [`Fs::read_at`].
    Read,
    /// Blocking reads and writes through [`Fs`].
    ReadWrite,
    /// The same, creating the file; fails if it exists.
    CreateNew,
    /// [`Op::Write`], [`Op::Read`] and [`Op::Flush`] past the page cache (O_DIRECT), where the file system can;
    /// the file must exist.
    Direct,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name. Names that are not UTF-8 are not listed.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// A blocking file system. Every method is one system call's worth of work, and nothing is durable until synced:
/// contents and size by [`Fs::sync`], names by [`Fs::sync_folder`] of the folder they stand in.
pub trait Fs: Clone + Send + 'static {
    /// Creates one folder.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound` for a missing parent, or the system's error.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// A folder's names, sorted.
    ///
    /// # Errors
    /// `NotFound`, or the system's error.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists` for [`OpenMode::CreateNew`], or the system's error.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File>;

    /// Closes a file.
    fn close(&self, file: File);

    /// The file's size in bytes, allocated space included.
    ///
    /// # Errors
    /// The system's error.
    fn size(&self, file: File) -> io::Result<u64>;

    /// Reads into `into` at `offset` and says how much; fewer bytes than asked for only at the file's end.
    ///
    /// # Errors
    /// The system's error.
    fn read_at(&self, file: File, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// The system's error; some of the bytes may be written then.
    fn write_at(&self, file: File, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reserves space for `[offset, offset + len)`, which then reads as zeros, and extends the size to cover it. Space
    /// already there keeps its contents.
    ///
    /// # Errors
    /// `StorageFull`, or the system's error.
    fn allocate(&self, file: File, offset: u64, len: u64) -> io::Result<()>;

    /// Cuts the file to `size`, or extends it with zeros. Space past the cut is given back: allocated again, it reads
    /// as zeros.
    ///
    /// # Errors
    /// The system's error.
    fn truncate(&self, file: File, size: u64) -> io::Result<()>;

    /// Makes the file's contents and size durable. Not its name.
    ///
    /// # Errors
    /// The system's error; what was written before may be lost then, and a second call proves nothing.
    fn sync(&self, file: File) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's error.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing one of that name, in the same folder.
    ///
    /// # Errors
    /// `NotFound`, or the system's error.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// `NotFound`, or the system's error.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `NotFound`, `DirectoryNotEmpty`, or the system's error.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// The block device below a folder, where there is one.
    fn device(&self, path: &Path) -> Option<Device>;

    /// Does `work` with each of `items`, at most `at_once` of them at a time, and answers what that came to, in the items'
    /// order. For start-up, where much waits for the device and nothing for each other: it returns when all is done.
    fn for_all<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        at_once: usize,
        work: impl Fn(&Self, T) -> R + Sync,
    ) -> Vec<R>;

    /// Claims the folder for this process until [`Fs::unlock_folder`] or the process's end, by a lock on the file `.lock`
    /// in it, which may then hold [this process's mark](process_mark).
    ///
    /// # Errors
    /// `WouldBlock` where another process holds it.
    fn lock_folder(&self, path: &Path) -> io::Result<File>;

    /// Keeps others from claiming the folder until [`Fs::unlock_folder`] or the process's end, and writes nothing, so that a
    /// folder may be read that cannot be written to. Any number of processes may do so at a time.
    ///
    /// # Errors
    /// `NotFound` where there is no file `.lock`: nobody has claimed the folder, or what is there is a copy without it.
    /// `WouldBlock` where a process has claimed it.
    fn share_folder(&self, path: &Path) -> io::Result<File>;

    /// Gives up what [`Fs::lock_folder`] or [`Fs::share_folder`] has given, also where another process has a copy of the file:
    /// a child has one from its fork to its exec.
    fn unlock_folder(&self, lock: File);
}

/// Opens a file for `run` and closes it again.
///
/// # Errors
/// As [`Fs::open`] and `run`.
pub fn with_file<F: Fs, T>(
    fs: &F,
    path: &Path,
    mode: OpenMode,
    run: impl FnOnce(File) -> io::Result<T>,
) -> io::Result<T> {
    let file = fs.open(path, mode)?;
    let result = run(file);
    fs.close(file);
    result
}

/// Allocates space for `len` bytes from `from` on, where the file's space ends, or nothing.
///
/// # Errors
/// `StorageFull`, after which everything is as before, or the system's error.
pub fn allocate_all<F: Fs>(fs: &F, file: File, from: u64, len: u64) -> io::Result<()> {
    fs.allocate(file, from, len).inspect_err(|_| {
        // A file system may have given what it had left (ext4 does). That is for others to use; nothing is written
        // there yet. Where it cannot be given back it stays as it is, zeros behind the file's end.
        let _ = fs.truncate(file, from.next_multiple_of(BLOCK_SIZE as u64));
    })
}

/// Sees to it that the file at `path`, made if it is missing, has space for `bytes`, or as much of it as there is: on a disk
/// that is full but for a little, that little may be what is needed. Nothing is synced.
///
/// # Errors
/// The system's error.
pub fn keep_space<F: Fs>(fs: &F, path: &Path, bytes: u64) -> io::Result<()> {
    const BLOCK: u64 = BLOCK_SIZE as u64;
    let grow = |file| {
        let mut size = fs.size(file)?;
        let mut step = bytes.saturating_sub(size);
        while step > 0 && size < bytes {
            match allocate_all(fs, file, size, step.min(bytes - size)) {
                Ok(()) => size = fs.size(file)?,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => step = step / 2 / BLOCK * BLOCK,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    match with_file(fs, path, OpenMode::ReadWrite, grow) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            with_file(fs, path, OpenMode::CreateNew, grow)
        }
        kept => kept,
    }
}

/// Reads a whole file.
///
/// # Errors
/// As [`Fs::open`] and [`Fs::read_at`].
pub fn read_file<F: Fs>(fs: &F, path: &Path) -> io::Result<Vec<u8>> {
    with_file(fs, path, OpenMode::Read, |file| {
        let size = usize::try_from(fs.size(file)?).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        let count = fs.read_at(file, 0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    })
}

/// The name of a file beside the one at `path`.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = PathBuf::from(path);
    beside.as_mut_os_string().push(suffix);
    beside
}

/// Removes a file if there is one.
///
/// # Errors
/// The system's error.
pub fn remove_if_there<F: Fs>(fs: &F, path: &Path) -> io::Result<()> {
    match fs.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Replaces a small file as a whole, so that after a crash it holds either what it held or `bytes`: written beside
/// it, synced, renamed over it, and the folder synced.
///
/// # Errors
/// As the steps.
pub fn replace_file<F: Fs>(fs: &F, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path, ".tmp");
    remove_if_there(fs, &beside)?;
    with_file(fs, &beside, OpenMode::CreateNew, |file| {
        fs.write_at(file, 0, bytes).and_then(|()| fs.sync(file))
    })
    .inspect_err(|_| {
        // On a full disk others need what it took; where it stays, the next try removes it.
        let _ = fs.remove_file(&beside);
    })?;
    put_in_place(fs, &beside, path)
}

/// Gives a file that is synced another's name, in the same folder, and syncs that.
///
/// # Errors
/// As [`Fs::rename`] and [`Fs::sync_folder`].
pub fn put_in_place<F: Fs>(fs: &F, from: &Path, path: &Path) -> io::Result<()> {
    fs.rename(from, path)?;
    fs.sync_folder(path.parent().unwrap_or_else(|| Path::new(".")))
}
