//! Aligned memory that the device, the sockets and the log share without copying.
//!
//! One kind of buffer serves log tails, receive buffers and read buffers: a chunk is filled front to back by its one
//! [`ChunkMut`], and what has been filled never changes again, so any number of [`Slice`]s may look at it, on any core,
//! while the writer goes on behind them. A chunk's memory returns to its pool when the last of them is dropped.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_queue::ArrayQueue;

/// The alignment of every chunk, and the unit of appends: no device that Linux lets O_DIRECT write needs more.
pub const BLOCK_SIZE: usize = 4096;

/// The size of a pooled chunk: large enough for the device's full throughput, small enough to be plentiful.
pub const CHUNK_SIZE: usize = 256 * 1024;

/// Where a chunk's memory came from, and so where it goes.
enum Origin {
    Heap,
    /// A vector's, unaligned.
    Vec,
    Pool {
        pool: Arc<PoolMemory>,
        index: u32,
    },
}

struct ChunkMemory {
    start: NonNull<u8>,
    capacity: usize,
    origin: Origin,
}

// SAFETY: the memory is owned by this value alone; bytes below a writer's length are only read, bytes at or past it
// are touched by the one writer alone (`ChunkMut` is not `Clone`), so sharing across threads never races.
unsafe impl Send for ChunkMemory {}
// SAFETY: as above.
unsafe impl Sync for ChunkMemory {}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, BLOCK_SIZE).expect("a chunk's capacity is far below isize::MAX")
}

/// Zeroed, aligned memory. Zeroed so that no reader can ever see bytes of something else.
fn allocate(capacity: usize) -> NonNull<u8> {
    assert!(capacity > 0);
    // SAFETY: the layout has a non-zero size.
    let start = unsafe { alloc_zeroed(layout(capacity)) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout(capacity)))
}

/// The alignment of a pool's region: a huge page of the processors that Tora runs on.
const HUGE_PAGE: usize = 2 << 20;

fn region_layout(chunks: usize) -> Layout {
    Layout::from_size_align(chunks * CHUNK_SIZE, HUGE_PAGE).expect("a region is far below isize::MAX")
}

/// Zeroed memory for a pool, in huge pages where the system gives any: a copy then misses fewer translations, and the
/// device is handed one run of memory for a write rather than one a page.
fn allocate_region(chunks: usize) -> NonNull<u8> {
    let layout = region_layout(chunks);
    // SAFETY: the layout has a non-zero size, as a pool has at least one chunk.
    let start = unsafe { alloc(layout) };
    let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
    // SAFETY: the region is ours, and advice changes no bytes; it may be refused, and then nothing is lost. All of the
    // region is written, which is what makes its pages.
    unsafe {
        libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE);
        start.as_ptr().write_bytes(0, layout.size());
    }
    start
}

impl Drop for ChunkMemory {
    fn drop(&mut self) {
        match &self.origin {
            // SAFETY: allocated in `Pool::heap` with the same layout, and nobody holds the chunk any more.
            Origin::Heap => unsafe { dealloc(self.start.as_ptr(), layout(self.capacity)) },
            // SAFETY: start and capacity are those of the vector that `ChunkMemory::of_vec` took apart, and bytes need
            // no dropping.
            Origin::Vec => unsafe { drop(Vec::from_raw_parts(self.start.as_ptr(), 0, self.capacity)) },
            Origin::Pool { pool, index } => {
                pool.free.push(*index).expect("the free list has room for every chunk of the pool");
            }
        }
    }
}

/// The one writer of a chunk: it fills the memory front to back.
pub struct ChunkMut {
    memory: Arc<ChunkMemory>,
    len: usize,
}

impl ChunkMut {
    /// A chunk that is full of a vector's bytes, in no more memory than they take. They lie anywhere, so that no file is
    /// written from them.
    #[must_use]
    pub fn full(bytes: Vec<u8>) -> Self {
        let (memory, len) = ChunkMemory::of_vec(bytes.into_boxed_slice().into_vec());
        Self { memory: Arc::new(memory), len }
    }

    /// Appends as much of `bytes` as fits and says how much that was.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.remaining());
        // SAFETY: `len + count <= capacity`; memory at and past `len` is seen by no slice, and `bytes` cannot overlap
        // it, since only slices below `len` are ever handed out.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.start.as_ptr().add(self.len), count);
        }
        self.len += count;
        count
    }

    /// Counts `count` bytes of the spare room as filled, after a read or receive put them there.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining(), "{count} bytes filled where {} had room", self.remaining());
        self.len += count;
    }

    /// Empties the chunk for reuse if no slice looks at it any more; says whether it did.
    pub fn try_reset(&mut self) -> bool {
        let unique = Arc::get_mut(&mut self.memory).is_some();
        if unique {
            self.len = 0;
        }
        unique
    }

    /// The filled bytes of `range`, shared without a copy.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Slice {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} filled bytes", self.len);
        Slice { memory: Arc::clone(&self.memory), start: range.start, len: range.end - range.start }
    }

    /// Everything filled so far, shared without a copy.
    #[must_use]
    pub fn filled(&self) -> Slice {
        self.slice(0..self.len)
    }

    /// Bytes filled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True before the first byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.capacity
    }

    /// Bytes of memory still to be filled.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.memory.capacity - self.len
    }

    /// The first byte to be filled, for the kernel to write to; valid for `remaining()` bytes.
    pub(super) fn spare(&mut self) -> *mut u8 {
        // SAFETY: `len <= capacity`.
        unsafe { self.memory.start.as_ptr().add(self.len) }
    }

    /// The pool whose registered memory this is.
    pub(super) fn pool_id(&self) -> Option<u32> {
        self.memory.pool_id()
    }
}

impl Deref for ChunkMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised (all memory is zeroed at the start) and no longer change.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for ChunkMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkMut({} of {} bytes)", self.len, self.memory.capacity)
    }
}

impl ChunkMemory {
    /// A vector's memory, and how many bytes it holds.
    fn of_vec(bytes: Vec<u8>) -> (Self, usize) {
        let mut bytes = ManuallyDrop::new(bytes);
        let start = NonNull::new(bytes.as_mut_ptr()).expect("a vector's pointer is never null");
        (Self { start, capacity: bytes.capacity(), origin: Origin::Vec }, bytes.len())
    }

    fn pool_id(&self) -> Option<u32> {
        match &self.origin {
            Origin::Heap | Origin::Vec => None,
            Origin::Pool { pool, .. } => Some(pool.id),
        }
    }
}

/// Filled bytes of a chunk. They never change, and cloning shares them.
#[derive(Clone)]
pub struct Slice {
    memory: Arc<ChunkMemory>,
    start: usize,
    len: usize,
}

impl Slice {
    /// A slice with a copy of `bytes`, in memory of its own.
    #[must_use]
    pub fn copy_from(bytes: &[u8]) -> Self {
        let mut chunk = Pool::heap(bytes.len().max(1));
        chunk.push(bytes);
        chunk.filled()
    }

    /// The bytes of a vector, without a copy. They lie anywhere, so that no file is written from them.
    #[must_use]
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        let (memory, len) = ChunkMemory::of_vec(bytes);
        Self { memory: Arc::new(memory), start: 0, len }
    }

    /// The bytes of `range` within this slice.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} bytes", self.len);
        Self {
            memory: Arc::clone(&self.memory),
            start: self.start + range.start,
            len: range.end - range.start,
        }
    }

    /// Drops the first `count` bytes.
    pub fn skip(&mut self, count: usize) {
        assert!(count <= self.len);
        self.start += count;
        self.len -= count;
    }

    /// The pool whose registered memory this is.
    pub(super) fn pool_id(&self) -> Option<u32> {
        self.memory.pool_id()
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start + len` lay below the writer's length when the slice was made; those bytes never change.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(self.start), self.len) }
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({} bytes)", self.len)
    }
}

struct PoolMemory {
    id: u32,
    start: NonNull<u8>,
    chunks: usize,
    free: ArrayQueue<u32>,
}

// SAFETY: the memory is only ever reached through the chunks handed out, each to one owner at a time.
unsafe impl Send for PoolMemory {}
// SAFETY: as above; the free list is a concurrent queue.
unsafe impl Sync for PoolMemory {}

impl Drop for PoolMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `Pool::new` with the same layout; every chunk holds the pool, so none is left.
        unsafe { dealloc(self.start.as_ptr(), region_layout(self.chunks)) }
    }
}

/// One shard's aligned memory: a region that its ring registers once, cut into chunks of [`CHUNK_SIZE`].
#[derive(Clone)]
pub struct Pool {
    memory: Arc<PoolMemory>,
}

impl Pool {
    /// A pool of `chunks` chunks (at least one).
    #[must_use]
    pub fn new(chunks: usize) -> Self {
        static NEXT_ID: AtomicU32 = AtomicU32::new(0);
        let chunks = chunks.max(1);
        let free = ArrayQueue::new(chunks);
        for index in 0..chunks {
            free.push(u32::try_from(index).expect("far fewer chunks than u32::MAX")).expect("sized for all");
        }
        let start = allocate_region(chunks);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { memory: Arc::new(PoolMemory { id, start, chunks, free }) }
    }

    /// An empty pooled chunk, or `None` while all are in use.
    #[must_use]
    pub fn take(&self) -> Option<ChunkMut> {
        let index = self.memory.free.pop()?;
        // SAFETY: `index < chunks`, so the chunk lies inside the region.
        let start = unsafe { self.memory.start.add(index as usize * CHUNK_SIZE) };
        let origin = Origin::Pool { pool: Arc::clone(&self.memory), index };
        Some(ChunkMut { memory: Arc::new(ChunkMemory { start, capacity: CHUNK_SIZE, origin }), len: 0 })
    }

    /// An empty chunk of `capacity` bytes in memory of its own, outside any pool.
    #[must_use]
    pub fn heap(capacity: usize) -> ChunkMut {
        let memory = ChunkMemory { start: allocate(capacity), capacity, origin: Origin::Heap };
        ChunkMut { memory: Arc::new(memory), len: 0 }
    }

    /// Chunks that nobody holds.
    #[must_use]
    pub fn free(&self) -> usize {
        self.memory.free.len()
    }

    /// Chunks in all.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.memory.chunks
    }

    /// The number by which its chunks know it.
    pub(super) fn id(&self) -> u32 {
        self.memory.id
    }

    /// The whole region, to be registered with the ring.
    pub(super) fn region(&self) -> (*mut u8, usize) {
        (self.memory.start.as_ptr(), self.memory.chunks * CHUNK_SIZE)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} of {} chunks free)", self.free(), self.chunks())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests need other threads")]
mod tests;
