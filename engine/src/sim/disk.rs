//! The simulated disk: a tree of folders and files, each as the running system sees it and as a crash may leave it.
//!
//! # The fault model
//! It is as pessimistic as POSIX and the device's data sheet allow, not as kind as ext4 is.
//!
//! What a crash does:
//! - **Contents** are tracked in sectors of 512 bytes. Each sector of a file survives as what the last sync that covers
//!   it made durable, or as any version written since, each sector on its own: writes are torn, lost and reordered. A
//!   sector itself is never a mixture. A write in flight counts as written and not synced.
//! - **Sizes** that are not synced, after an append, an allocation or a truncation, survive or don't, whatever becomes
//!   of the contents. Bytes past the surviving size are gone; what was cut may come back, size and bytes apart.
//! - **Names** (of a new file or folder, after a rename or a removal) survive or don't until the folder they stand in is
//!   synced, each change on its own and whatever was synced of the file itself. A rename is atomic. A file or folder
//!   that no surviving name leads to is gone.
//! - **Nothing else survives**: open files, locks, operations under way.
//!
//! What a killed program leaves, when the system goes on:
//! - **All that it did**, synced or not, as the next start sees it; a later crash may still take it. Writes in flight are
//!   done, not done, or done in part. Open files are closed, locks released.
//! - What a failed sync left uncovered is settled then: from the next start on, what is seen is what the device has.
//!   (A system that goes on showing bytes it could not write can't be told from one that wrote them.)
//!
//! What a sync does:
//! - A file's sync covers its contents and its size, as far as they were complete (completions collected, calls
//!   returned) when it was started; not its name.
//! - A folder's sync covers the names in it; not the folder's own name, and nothing in the files.
//! - A sync that failed leaves what it should have covered uncovered for good: a second one proves nothing.
//!
//! What happens while the system runs (odds in [`Faults`](super::Faults)): operations end after random delays in any
//! order; reads and writes through [`Op`](crate::io::Op) may be short; writes, reads and syncs may fail with EIO, a
//! failed write having written any of its sectors; allocations may fail with ENOSPC, and opening a file, where much is done at
//! once, with EMFILE. Space that is allocated, or given
//! back and allocated again, reads as zeros.
//!
//! What is a bug of whoever uses the disk, and panics: a write that isn't aligned, overlaps another one in flight, or
//! goes to a file not opened for it; a truncation or close under a write in flight; closing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::Arc;

use super::folder::{Folder, NodeId};
use super::image::{Fate, Image, Stamp};
use super::rng::Rng;
use crate::io::{BLOCK_SIZE, Entry, File, OpenMode};

const BLOCK: u64 = BLOCK_SIZE as u64;
const ROOT: NodeId = NodeId(0);
/// The lock file's name in a folder that is claimed.
const LOCK: &str = ".lock";

enum Node {
    Folder(Folder),
    File(Image),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Opened(OpenMode),
    Lock,
    SharedLock,
}

#[derive(Clone, Copy)]
struct Handle {
    node: NodeId,
    mode: Mode,
}

/// Blocks of a file that an operation in flight reads or writes.
struct InFlight {
    file: File,
    node: NodeId,
    start: u64,
    end: u64,
    writes: bool,
}

/// The tree, the open files, and what is in flight on them.
pub(super) struct Disk {
    nodes: BTreeMap<NodeId, Node>,
    handles: BTreeMap<File, Handle>,
    in_flight: Vec<InFlight>,
    /// Bytes that the medium does not give back any more.
    unreadable: Vec<(NodeId, Range<u64>)>,
    next_node: u32,
    next_handle: i32,
    stamp: u64,
}

/// What every call on a path or file may fail with: the kernel's own errors.
pub(super) fn system_error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

fn not_found() -> io::Error {
    system_error(libc::ENOENT)
}

impl Disk {
    pub(super) fn new() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::Folder(Folder::default()))]),
            handles: BTreeMap::new(),
            in_flight: Vec::new(),
            unreadable: Vec::new(),
            next_node: 1,
            next_handle: 3,
            stamp: 0,
        }
    }

    // ---- Names.

    pub(super) fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        if self.folder(parent)?.find(&name).is_some() {
            return Err(system_error(libc::EEXIST));
        }
        let node = self.add(Node::Folder(Folder::default()));
        self.folder_mut(parent).link(&name, node);
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let folder = self.folder(self.resolve(path)?)?;
        let is_folder = |node| matches!(self.nodes.get(&node), Some(Node::Folder(_)));
        Ok(folder
            .names()
            .map(|(name, node)| Entry { name: name.to_owned(), is_folder: is_folder(node) })
            .collect())
    }

    pub(super) fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<File> {
        let (parent, name) = self.parent(path)?;
        let node = match (self.folder(parent)?.find(&name), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(system_error(libc::EEXIST)),
            (Some(node), _) => node,
            (None, OpenMode::CreateNew) => self.create(parent, &name),
            (None, _) => return Err(not_found()),
        };
        if matches!(self.nodes[&node], Node::Folder(_)) {
            return Err(system_error(libc::EISDIR));
        }
        Ok(self.handle(node, Mode::Opened(mode)))
    }

    pub(super) fn lock_folder(&mut self, path: &Path) -> io::Result<File> {
        let folder = self.resolve(path)?;
        let node = match self.folder(folder)?.find(LOCK) {
            Some(node) => node,
            None => self.create(folder, LOCK),
        };
        if self
            .handles
            .values()
            .any(|handle| handle.node == node && matches!(handle.mode, Mode::Lock | Mode::SharedLock))
        {
            return Err(system_error(libc::EAGAIN));
        }
        Ok(self.handle(node, Mode::Lock))
    }

    pub(super) fn share_folder(&mut self, path: &Path) -> io::Result<File> {
        let folder = self.resolve(path)?;
        let node = self.folder(folder)?.find(LOCK).ok_or_else(not_found)?;
        if self.handles.values().any(|handle| handle.node == node && handle.mode == Mode::Lock) {
            return Err(system_error(libc::EAGAIN));
        }
        Ok(self.handle(node, Mode::SharedLock))
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (parent, from) = self.parent(from)?;
        let (other, to) = self.parent(to)?;
        assert!(parent == other, "a rename from one folder to another is not part of the seam");
        let node = self.folder(parent)?.find(&from).ok_or_else(not_found)?;
        assert!(matches!(self.nodes[&node], Node::File(_)), "a rename of a folder is not part of the seam");
        if from == to {
            return Ok(());
        }
        self.folder_mut(parent).rename(&from, &to, node);
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let node = self.folder(parent)?.find(&name).ok_or_else(not_found)?;
        self.image(node)?;
        self.folder_mut(parent).unlink(&name);
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let node = self.folder(parent)?.find(&name).ok_or_else(not_found)?;
        if !self.folder(node)?.is_empty() {
            return Err(system_error(libc::ENOTEMPTY));
        }
        self.folder_mut(parent).unlink(&name);
        Ok(())
    }

    /// Makes the names in a folder durable, or, where it `fails`, never.
    pub(super) fn sync_folder(&mut self, path: &Path, fails: bool) -> io::Result<()> {
        let node = self.resolve(path)?;
        self.folder(node)?;
        let folder = self.folder_mut(node);
        if fails {
            folder.give_up();
            return Err(system_error(libc::EIO));
        }
        folder.sync();
        Ok(())
    }

    // ---- Open files.

    pub(super) fn close(&mut self, file: File) {
        assert!(
            !self.in_flight.iter().any(|op| op.file == file),
            "{file:?} is closed under an operation in flight"
        );
        let closed = self.handles.remove(&file);
        assert!(closed.is_some(), "{file:?} is closed, but is not open");
    }

    pub(super) fn size(&self, file: File) -> io::Result<u64> {
        Ok(self.image(self.node(file))?.size())
    }

    /// From now on no read of these bytes of a file succeeds.
    pub(super) fn spoil(&mut self, path: &Path, bytes: Range<u64>) -> io::Result<()> {
        let node = self.resolve(path)?;
        self.unreadable.push((node, bytes));
        Ok(())
    }

    /// Reads what the running system sees.
    pub(super) fn read(&self, file: File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let (node, end) = (self.node(file), offset + into.len() as u64);
        let mut unreadable = self.unreadable.iter();
        if unreadable.any(|(bad, range)| *bad == node && range.start < end && offset < range.end) {
            return Err(system_error(libc::EIO));
        }
        Ok(self.image(self.node(file))?.read(offset, into))
    }

    /// Writes through the page cache.
    pub(super) fn write_at(&mut self, file: File, offset: u64, bytes: &[u8], space: u64) -> io::Result<()> {
        let node = self.buffered(file);
        self.assert_untouched(node, offset, offset + bytes.len() as u64);
        self.grow(node, offset + bytes.len() as u64, space)?;
        let stamp = self.next_stamp();
        self.change(node, |image| image.write_bytes(offset, bytes, stamp));
        Ok(())
    }

    /// Where there is too little space the file gets what there is, as on ext4.
    pub(super) fn allocate(&mut self, file: File, offset: u64, len: u64, space: u64) -> io::Result<()> {
        let node = self.node(file);
        let before = self.image(node)?.size();
        let wanted = before.max(offset + len);
        let free = if space == u64::MAX { space } else { space.saturating_sub(self.used()) };
        let size = wanted.min(before.saturating_add(free / BLOCK * BLOCK));
        let stamp = self.next_stamp();
        self.change(node, |image| image.set_size(size, stamp));
        if size < wanted { Err(system_error(libc::ENOSPC)) } else { Ok(()) }
    }

    pub(super) fn truncate(&mut self, file: File, size: u64) -> io::Result<()> {
        let node = self.node(file);
        self.assert_untouched(node, size, u64::MAX);
        let stamp = self.next_stamp();
        self.change(node, |image| image.set_size(size, stamp));
        Ok(())
    }

    /// The stamp of what is complete by now: what a sync that starts now covers.
    pub(super) fn complete(&self) -> Stamp {
        Stamp(self.stamp)
    }

    /// Makes durable what was complete at `upto`, or, where it `fails`, never.
    pub(super) fn sync(&mut self, file: File, upto: Stamp, fails: bool) -> io::Result<()> {
        let node = self.node(file);
        if fails {
            self.change(node, |image| image.give_up(upto));
            return Err(system_error(libc::EIO));
        }
        self.change(node, |image| image.sync(upto));
        Ok(())
    }

    // ---- Operations in flight.

    /// Takes note of a read or write of `len` bytes that starts.
    pub(super) fn start(&mut self, file: File, offset: u64, len: usize, writes: bool) {
        let end = offset + len as u64;
        let aligned = offset.is_multiple_of(BLOCK) && end.is_multiple_of(BLOCK) && len > 0;
        assert!(aligned, "{len} bytes at {offset} of {file:?} are not whole blocks of {BLOCK_SIZE}");
        let node = self.node(file);
        if writes {
            let direct = self.handles[&file].mode == Mode::Opened(OpenMode::Direct);
            assert!(direct, "a write to {file:?}, which is not opened for direct writes");
            self.assert_untouched(node, offset, end);
        }
        self.in_flight.push(InFlight { file, node, start: offset, end, writes });
    }

    /// Takes note that it has ended.
    pub(super) fn end(&mut self, file: File, offset: u64, writes: bool) {
        let found =
            self.in_flight.iter().position(|op| (op.file, op.start, op.writes) == (file, offset, writes));
        self.in_flight.swap_remove(found.expect("only what was started ends"));
    }

    /// Puts those sectors of a write on the device that `chosen` picks. Unless it `completes` with that, no sync covers
    /// them yet.
    pub(super) fn write(
        &mut self,
        file: File,
        offset: u64,
        data: &Arc<[u8]>,
        completes: bool,
        space: u64,
        chosen: impl FnMut(usize) -> bool,
    ) -> io::Result<()> {
        let node = self.node(file);
        self.grow(node, offset + data.len() as u64, space)?;
        let stamp = if completes { self.next_stamp() } else { Stamp::IN_FLIGHT };
        self.change(node, |image| image.write(offset, data, stamp, chosen));
        Ok(())
    }

    /// Makes a completed write's bytes durable, with the file's size, and nothing else.
    pub(super) fn sync_range(&mut self, file: File, offset: u64, len: u64) {
        let (node, upto) = (self.node(file), self.complete());
        self.change(node, |image| image.sync_range(offset, len, upto));
    }

    /// Loses what a crash takes. Writes in flight were handed over with [`Self::write`] before.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        self.handles.clear();
        self.in_flight.clear();
        for node in self.nodes.values_mut() {
            match node {
                Node::Folder(folder) => folder.crash(rng),
                Node::File(image) => image.crash(Fate::random(rng), rng),
            }
        }
        let reachable = self.reachable();
        self.nodes.retain(|node, _| reachable.contains(node));
    }

    /// Closes what the program had open, as the system does when it is killed. What it wrote stays.
    pub(super) fn kill(&mut self, rng: &mut Rng) {
        self.handles.clear();
        self.in_flight.clear();
        let now = self.next_stamp();
        for node in self.nodes.values_mut() {
            match node {
                Node::Folder(folder) => folder.outlive(rng),
                Node::File(image) => image.outlive(now, rng),
            }
        }
    }

    /// Files that are open.
    pub(super) fn open_files(&self) -> usize {
        self.handles.len()
    }

    // ---- Inside.

    fn reachable(&self) -> BTreeSet<NodeId> {
        let mut reachable = BTreeSet::new();
        let mut next = vec![ROOT];
        while let Some(node) = next.pop() {
            if reachable.insert(node)
                && let Some(Node::Folder(folder)) = self.nodes.get(&node)
            {
                next.extend(folder.names().map(|(_, node)| node));
            }
        }
        reachable
    }

    fn resolve(&self, path: &Path) -> io::Result<NodeId> {
        let mut node = ROOT;
        for component in path.components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => {
                    let name = name.to_str().ok_or_else(not_found)?;
                    node = self.folder(node)?.find(name).ok_or_else(not_found)?;
                }
                Component::ParentDir | Component::Prefix(_) => {
                    panic!("{} is not a plain path", path.display())
                }
            }
        }
        Ok(node)
    }

    fn parent(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let name =
            path.file_name().and_then(|name| name.to_str()).ok_or_else(|| system_error(libc::EINVAL))?;
        let parent = self.resolve(path.parent().unwrap_or_else(|| Path::new("")))?;
        Ok((parent, name.to_owned()))
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.next_node);
        self.next_node += 1;
        self.nodes.insert(id, node);
        id
    }

    fn create(&mut self, folder: NodeId, name: &str) -> NodeId {
        let node = self.add(Node::File(Image::default()));
        self.folder_mut(folder).link(name, node);
        node
    }

    fn handle(&mut self, node: NodeId, mode: Mode) -> File {
        let file = File(self.next_handle);
        self.next_handle += 1;
        self.handles.insert(file, Handle { node, mode });
        file
    }

    fn folder(&self, node: NodeId) -> io::Result<&Folder> {
        match self.nodes.get(&node) {
            Some(Node::Folder(folder)) => Ok(folder),
            _ => Err(system_error(libc::ENOTDIR)),
        }
    }

    fn folder_mut(&mut self, node: NodeId) -> &mut Folder {
        match self.nodes.get_mut(&node) {
            Some(Node::Folder(folder)) => folder,
            _ => panic!("{node:?} was a folder a moment ago"),
        }
    }

    fn image(&self, node: NodeId) -> io::Result<&Image> {
        match self.nodes.get(&node) {
            Some(Node::File(image)) => Ok(image),
            _ => Err(system_error(libc::EISDIR)),
        }
    }

    fn node(&self, file: File) -> NodeId {
        self.handles.get(&file).unwrap_or_else(|| panic!("{file:?} is not open")).node
    }

    /// The file, which must be opened for writing through the page cache.
    fn buffered(&self, file: File) -> NodeId {
        let node = self.node(file);
        let mode = self.handles[&file].mode;
        let writable = matches!(mode, Mode::Opened(OpenMode::ReadWrite | OpenMode::CreateNew));
        assert!(writable, "a blocking write to {file:?}, which is not opened for it");
        node
    }

    fn change(&mut self, node: NodeId, change: impl FnOnce(&mut Image)) {
        if let Some(Node::File(image)) = self.nodes.get_mut(&node) {
            change(image);
        }
    }

    fn grow(&self, node: NodeId, end: u64, space: u64) -> io::Result<()> {
        let more = end.saturating_sub(self.image(node)?.size());
        if more > 0 && space < u64::MAX && self.used().saturating_add(more) > space {
            return Err(system_error(libc::ENOSPC));
        }
        Ok(())
    }

    /// Bytes of the files that have a name or are open.
    fn used(&self) -> u64 {
        let mut held = self.reachable();
        held.extend(self.handles.values().map(|handle| handle.node));
        held.iter().filter_map(|&node| self.image(node).ok()).map(Image::size).sum()
    }

    fn next_stamp(&mut self) -> Stamp {
        self.stamp += 1;
        Stamp(self.stamp)
    }

    fn assert_untouched(&self, node: NodeId, start: u64, end: u64) {
        let blocks = (start / BLOCK * BLOCK, end.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX));
        let mut writes = self.in_flight.iter().filter(|op| op.writes && op.node == node);
        if let Some(other) = writes.find(|op| op.start < blocks.1 && blocks.0 < op.end) {
            panic!(
                "bytes {start} to {end} of node {} change under the write in flight of {} to {}",
                node.0, other.start, other.end
            );
        }
    }
}
