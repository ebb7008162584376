//! What the disk itself can: files read front to back with O_DIRECT, by one thread that keeps several reads in flight.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use io_uring::{IoUring, opcode, types};

use crate::floor::{BLOCK_BYTES, Buffer};
use crate::os;

/// Bytes of one read.
const PIECE_BYTES: usize = 1 << 20;
/// Reads in flight.
const DEPTH: usize = 8;

/// The log's segments below `folder`, one partition after the other, each as its consumers read it.
pub fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(segments(&path)?);
        } else if is_segment(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the file is named as a segment is: twenty digits and `.log`.
fn is_segment(path: &Path) -> bool {
    let digits = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log"));
    digits.is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Bytes of `files` that were written, rounded up to whole blocks; space allocated ahead is left out.
pub fn written_bytes(files: &[PathBuf]) -> io::Result<u64> {
    files.iter().map(|path| os::written_bytes(&File::open(path)?)).sum()
}

/// Reads what was written of `files` once, and gives bytes per second.
pub fn sequential_read(files: &[PathBuf]) -> io::Result<f64> {
    let mut reader = Reader::new()?;
    let begun = Instant::now();
    let mut bytes = 0;
    for path in files {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)?;
        bytes += reader.read(&file, os::written_bytes(&file)?)?;
    }
    Ok(bytes as f64 / begun.elapsed().as_secs_f64())
}

/// A reader that leaves the disk as much time as it takes: one piece at a time, and then a pause as long, over and over, until it
/// is dropped.
pub struct Sparing {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Sparing {
    /// Begins to read `files` in pieces of so many bytes.
    pub fn start(files: Vec<PathBuf>, piece_bytes: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut piece = Buffer::new(piece_bytes);
            while !flag.load(Ordering::Relaxed) {
                for path in &files {
                    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)?;
                    let size = os::written_bytes(&file)?;
                    for at in (0..size).step_by(piece_bytes) {
                        if flag.load(Ordering::Relaxed) {
                            return Ok(());
                        }
                        let begun = Instant::now();
                        file.read_at(&mut piece, at)?;
                        std::thread::sleep(begun.elapsed());
                    }
                }
            }
            Ok(())
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends it.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        thread.map_or(Ok(()), |thread| thread.join().expect("reading does not panic"))
    }
}

impl Drop for Sparing {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

struct Reader {
    /// Declared before the buffers, so that the kernel is done with them first.
    ring: IoUring,
    buffers: Vec<Buffer>,
}

impl Reader {
    fn new() -> io::Result<Self> {
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(DEPTH as u32)?;
        let mut buffers: Vec<_> = (0..DEPTH).map(|_| Buffer::new(PIECE_BYTES)).collect();
        let ranges: Vec<_> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
            .collect();
        // SAFETY: the buffers live as long as the ring, and only reads that name them touch their memory.
        unsafe { ring.submitter().register_buffers(&ranges)? };
        Ok(Self { ring, buffers })
    }

    /// Reads a file's first `size` bytes, and gives them.
    fn read(&mut self, file: &File, size: u64) -> io::Result<u64> {
        let (mut next, mut in_flight) = (0, 0);
        let mut failed = None;
        let mut free: Vec<usize> = (0..DEPTH).collect();
        while in_flight > 0 || (next < size && failed.is_none()) {
            while next < size
                && failed.is_none()
                && let Some(buffer) = free.pop()
            {
                let len = (size - next).min(PIECE_BYTES as u64).next_multiple_of(BLOCK_BYTES as u64);
                self.submit(file, buffer, next, u32::try_from(len).expect("a piece at most"));
                next += len;
                in_flight += 1;
            }
            self.ring.submit_and_wait(1)?;
            for entry in self.ring.completion() {
                in_flight -= 1;
                free.push(usize::try_from(entry.user_data()).expect("user data is a buffer's number"));
                match entry.result() {
                    0 => failed = Some(io::ErrorKind::UnexpectedEof.into()),
                    error if error < 0 => failed = Some(io::Error::from_raw_os_error(-error)),
                    _ => {}
                }
            }
        }
        failed.map_or(Ok(size), Err)
    }

    fn submit(&mut self, file: &File, buffer: usize, at: u64, len: u32) {
        let memory = self.buffers[buffer].as_mut_ptr();
        let index = u16::try_from(buffer).expect("a handful of buffers");
        let entry = opcode::ReadFixed::new(types::Fd(file.as_raw_fd()), memory, len, index)
            .offset(at)
            .build()
            .user_data(buffer as u64);
        // SAFETY: the buffer outlives the ring, nobody reads it, and no other read in flight has it.
        unsafe { self.ring.submission().push(&entry) }.expect("as many entries as buffers");
    }
}

const _: () = assert!(PIECE_BYTES.is_multiple_of(BLOCK_BYTES));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_and_read_as_far_as_they_are_written() {
        let folder = std::env::temp_dir().join(format!("tora-benches-disk-{}", std::process::id()));
        let partition = folder.join("data/topic-0");
        std::fs::create_dir_all(&partition).expect("the temporary folder is ours");
        let segment = partition.join("00000000000000000000.log");
        std::fs::write(&segment, vec![1; 3 * BLOCK_BYTES]).expect("it can be written");
        std::fs::write(folder.join("tora.log"), "not a segment").expect("it can be written");
        std::fs::write(partition.join("00000000000000000000.index"), "nor this").expect("it can be written");
        let files = segments(&folder).expect("the folder can be read");
        assert_eq!(files, [segment]);
        File::open(&files[0]).expect("it is there").sync_all().expect("it can be synced");
        assert_eq!(written_bytes(&files).expect("it is there"), 3 * BLOCK_BYTES as u64);
        assert!(sequential_read(&files).expect("it can be read") > 0.0);
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
