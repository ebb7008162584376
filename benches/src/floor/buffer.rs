//! Block-aligned memory that can be handed to the kernel and comes back when it is done with it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Alignment of every buffer and of every position and length written with O_DIRECT, in bytes. A multiple of any
/// device's logical block size met in practice.
pub const BLOCK_BYTES: usize = 4096;

/// A huge page of the processors that Tora runs on.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Buffers of at least this many bytes get whole huge pages: the device is then handed a write as one run of memory rather
/// than a run a page, which is most of what a large write costs here.
const HUGE_FROM_BYTES: usize = 128 << 10;

/// Owned memory, aligned to [`BLOCK_BYTES`], that does not move.
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    layout: Layout,
    registered: Option<u16>,
}

impl Buffer {
    /// Zeroed memory of `bytes`, rounded up to whole blocks (at least one).
    pub fn new(bytes: usize) -> Self {
        let unit = if bytes < HUGE_FROM_BYTES { BLOCK_BYTES } else { HUGE_PAGE_BYTES };
        let len = bytes.max(1).next_multiple_of(BLOCK_BYTES);
        let layout = Layout::from_size_align(len.next_multiple_of(unit), unit)
            .expect("a multiple of the alignment fits it");
        // SAFETY: the layout's size is at least one block, so it is not zero.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        // SAFETY: the memory is ours; advice changes no bytes, and where it is refused nothing is lost. Writing all of it
        // is what makes its pages.
        unsafe {
            if unit == HUGE_PAGE_BYTES {
                libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE);
            }
            start.as_ptr().write_bytes(0, layout.size());
        }
        Self { start, len, layout, registered: None }
    }

    /// Notes the index under which the ring has this buffer registered.
    pub fn set_registered(&mut self, index: u16) {
        self.registered = Some(index);
    }

    /// The index under which the ring has this buffer registered, if it has.
    pub fn registered(&self) -> Option<u16> {
        self.registered
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` points at `len` initialised bytes that this value owns; the kernel writes to them only
        // while the ring, and nobody else, holds the value.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc` with this very layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

// SAFETY: the memory is owned, not shared, and not tied to a thread.
unsafe impl Send for Buffer {}
