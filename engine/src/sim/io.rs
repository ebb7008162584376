//! A shard's side of the simulated machine.
//!
//! An operation takes effect when its completion is collected, except that part of a write may reach the device
//! earlier, and that a read may have looked when it was submitted. Sockets are not simulated yet: their operations end
//! with `Unsupported`.
//!
//! # Non-obvious
//! All shards run in one thread, so none can sleep in its turn. Where a turn would sleep it fails with `WouldBlock`
//! instead, and the shard counts as asleep, in the eyes of those who send to it too, until [`SimWorld::step`] names it:
//! because something has completed, its time has come, or somebody has woken it. So a wake-up that is missing in the
//! engine leaves it asleep here as well.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::disk::system_error;
use super::fs::SimFs;
use super::image::{SECTOR_SIZE, Stamp};
use super::rng::Rng;
use super::world::{Seat, SimWorld, World, crashed};
use crate::io::{
    BLOCK_SIZE, ChunkMut, Completion, File, Io, Job, Op, Pool, Returned, Slice, Token, Wait, Wake,
};
use crate::types::Nanos;

/// An operation under way.
pub(super) struct InFlight {
    pub(super) token: Token,
    pub(super) work: Work,
    /// When it may end; for a job, when it may run.
    pub(super) ready_at: u64,
    /// Sorts operations that are ready at the same time.
    order: u64,
}

pub(super) enum Work {
    Write {
        file: File,
        offset: u64,
        slice: Slice,
        data: Arc<[u8]>,
        durable: bool,
        early_at: Option<u64>,
    },
    Read {
        file: File,
        offset: u64,
        into: ChunkMut,
        len: usize,
        seen: Option<Vec<u8>>,
    },
    Flush {
        file: File,
        upto: Stamp,
    },
    Close {
        file: File,
    },
    Job(Job<SimFs>),
    /// A job that is being run at this moment.
    Running,
    Done(io::Result<u64>),
    Unsupported(Returned),
}

impl InFlight {
    /// Whether its completion may be collected.
    pub(super) fn is_ready(&self, now: u64) -> bool {
        self.ready_at <= now && !matches!(self.work, Work::Job(_) | Work::Running)
    }

    /// When it will want attention next.
    pub(super) fn next_event(&self) -> Option<u64> {
        match &self.work {
            Work::Running => None,
            Work::Write { early_at: Some(early_at), .. } => Some(*early_at.min(&self.ready_at)),
            _ => Some(self.ready_at),
        }
    }
}

/// Sets the flag that lets a sleeping shard take a turn.
struct SimWake(Arc<AtomicBool>);

impl Wake for SimWake {
    fn wake(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A shard's [`Io`] on the simulated machine. After a crash it only returns errors.
pub struct SimIo {
    world: SimWorld,
    shard: u16,
    incarnation: u64,
    pool: Pool,
    fs: SimFs,
    rng: Rng,
    woken: Arc<AtomicBool>,
}

impl SimIo {
    pub(super) fn new(world: SimWorld, shard: u16, pool: Pool) -> Self {
        let woken = Arc::new(AtomicBool::new(false));
        let (incarnation, rng) = {
            let mut inner = world.lock();
            assert!(
                !inner.seats.iter().any(|seat| seat.shard == shard),
                "shard {shard} has its SimIo already"
            );
            inner.seats.push(Seat {
                shard,
                in_flight: Vec::new(),
                sleep: Wait::No,
                woken: Arc::clone(&woken),
                is_left: false,
            });
            (inner.incarnation, inner.rng.fork())
        };
        let fs = SimFs::new(world.clone(), incarnation);
        Self { world, shard, incarnation, pool, fs, rng, woken }
    }
}

/// Whether a sleeper need not sleep, or no longer.
pub(super) fn has_come(wait: Wait, now: u64) -> bool {
    match wait {
        Wait::No => true,
        Wait::Forever => false,
        Wait::Until(moment) => moment.value() <= now,
    }
}

impl Drop for SimIo {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if world.incarnation == self.incarnation {
            world.seat(self.shard).is_left = true;
        }
    }
}

impl Io for SimIo {
    type Fs = SimFs;

    fn submit(&mut self, token: Token, op: Op<SimFs>) {
        let mut world = self.world.lock();
        if world.incarnation != self.incarnation || world.tick().is_err() {
            return;
        }
        let ready_at = world.after_delay();
        let order = world.next_order();
        let work = world.begin(token, op, ready_at);
        world.seat(self.shard).in_flight.push(InFlight { token, work, ready_at, order });
    }

    fn turn(&mut self, wait: Wait, completions: &mut Vec<Completion>) -> io::Result<()> {
        let mut world = self.world.lock();
        if world.incarnation != self.incarnation {
            return Err(crashed());
        }
        world.tick()?;
        let now = world.now();
        let seat = world.seat(self.shard);
        let mut ready: Vec<InFlight> = seat.in_flight.extract_if(.., |op| op.is_ready(now)).collect();
        let woken = self.woken.swap(false, Ordering::Relaxed);
        if ready.is_empty() && !woken && !has_come(wait, now) {
            seat.sleep = wait;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        seat.sleep = Wait::No;
        ready.sort_by_key(|op| (op.ready_at, op.order));
        completions.extend(ready.into_iter().map(|op| world.finish(op)));
        Ok(())
    }

    fn now(&self) -> Nanos {
        self.world.now()
    }

    fn unix_millis(&self) -> i64 {
        self.world.unix_millis()
    }

    fn random(&mut self) -> u64 {
        self.rng.word()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(SimWake(Arc::clone(&self.woken)))
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn fs(&self) -> &SimFs {
        &self.fs
    }
}

impl World {
    /// Checks an operation against the seam's contract and prepares its end.
    fn begin(&mut self, token: Token, op: Op<SimFs>, ready_at: u64) -> Work {
        match op {
            Op::Write { file, offset, data } => self.begin_write(token, file, offset, data, false, ready_at),
            Op::WriteDurably { file, offset, data } => {
                self.begin_write(token, file, offset, data, true, ready_at)
            }
            Op::Read { file, offset, into, len } => {
                self.disk.start(file, offset, len, false);
                let room = into.len().is_multiple_of(BLOCK_SIZE) && len <= into.remaining();
                assert!(room, "a read of {len} bytes into {into:?} is unaligned or too large");
                self.note("read", "", &numbers(token, file, offset, len));
                let seen = self.rng.coin().then(|| self.look(file, offset, len));
                Work::Read { file, offset, into, len, seen }
            }
            Op::Flush { file } => {
                self.note("flush", "", &[("token", token.0), ("file", number(file))]);
                Work::Flush { file, upto: self.disk.complete() }
            }
            Op::Close { file } => {
                self.note("close", "", &[("token", token.0), ("file", number(file))]);
                Work::Close { file }
            }
            Op::Job(job) => {
                self.note("submit job", "", &[("token", token.0)]);
                Work::Job(job)
            }
            Op::Receive { into, .. } => Work::Unsupported(Returned::Chunk(into)),
            Op::Send { slices, .. } => Work::Unsupported(Returned::Slices(slices)),
            Op::Accept { .. } | Op::Shutdown { .. } | Op::CloseSocket { .. } => {
                Work::Unsupported(Returned::Nothing)
            }
        }
    }

    fn begin_write(
        &mut self,
        token: Token,
        file: File,
        offset: u64,
        slice: Slice,
        durable: bool,
        ready_at: u64,
    ) -> Work {
        self.disk.start(file, offset, slice.len(), true);
        let aligned = slice.as_ptr().addr().is_multiple_of(BLOCK_SIZE);
        assert!(aligned, "a write to {file:?} at {offset} comes from unaligned memory");
        let kind = if durable { "durable write" } else { "write" };
        self.note(kind, "", &numbers(token, file, offset, slice.len()));
        let data: Arc<[u8]> = Arc::from(&slice[..]);
        self.note("data", "", &[("crc", u64::from(crc_fast::crc32_iscsi(&data)))]);
        let early_at = self.rng.one_in(4).then(|| {
            let now = self.now();
            now + self.rng.below(ready_at - now + 1)
        });
        Work::Write { file, offset, slice, data, durable, early_at }
    }

    /// Lets an operation take effect and end.
    fn finish(&mut self, op: InFlight) -> Completion {
        let (result, returned) = match op.work {
            Work::Write { file, offset, slice, data, durable, .. } => {
                assert!(
                    slice[..] == data[..],
                    "the memory under a write to {file:?} at {offset} has changed"
                );
                self.disk.end(file, offset, true);
                (self.finish_write(file, offset, &data, durable), Returned::Nothing)
            }
            Work::Read { file, offset, mut into, len, seen } => {
                self.disk.end(file, offset, false);
                let result = self.finish_read(file, offset, &mut into, len, seen);
                (result, Returned::Chunk(into))
            }
            Work::Flush { file, upto } => {
                let fails = self.fail(self.faults.flush_error_one_in, "flush").is_err();
                (self.disk.sync(file, upto, fails).map(|()| 0), Returned::Nothing)
            }
            Work::Close { file } => {
                self.disk.close(file);
                (Ok(0), Returned::Nothing)
            }
            Work::Done(result) => (result, Returned::Nothing),
            Work::Unsupported(returned) => (Err(io::ErrorKind::Unsupported.into()), returned),
            Work::Job(_) | Work::Running => unreachable!("a job is not ready before it has run"),
        };
        let (kind, value) = match &result {
            Ok(value) => ("done", *value),
            Err(error) => ("failed", error.raw_os_error().map_or(0, i32::unsigned_abs).into()),
        };
        self.note(kind, "", &[("token", op.token.0), ("result", value)]);
        Completion { token: op.token, result, returned }
    }

    fn finish_write(&mut self, file: File, offset: u64, data: &Arc<[u8]>, durable: bool) -> io::Result<u64> {
        let space = self.faults.space_bytes_max;
        if let Err(error) = self.fail(self.faults.write_error_one_in, "write") {
            let rng = &mut self.rng;
            let _ = self.disk.write(file, offset, data, false, space, |_| rng.coin());
            return Err(error);
        }
        let whole = data.len() / SECTOR_SIZE;
        let short = self.rng.one_in(self.faults.short_write_one_in);
        let sectors = if short { 1 + self.rng.index(whole) } else { whole };
        self.disk.write(file, offset, data, true, space, |sector| sector < sectors)?;
        let count = (sectors * SECTOR_SIZE) as u64;
        if durable {
            self.disk.sync_range(file, offset, count);
        }
        Ok(count)
    }

    fn finish_read(
        &mut self,
        file: File,
        offset: u64,
        into: &mut ChunkMut,
        len: usize,
        seen: Option<Vec<u8>>,
    ) -> io::Result<u64> {
        self.fail(self.faults.read_error_one_in, "read")?;
        let mut bytes = seen.unwrap_or_else(|| self.look(file, offset, len));
        if bytes.len() > SECTOR_SIZE && self.rng.one_in(self.faults.short_read_one_in) {
            bytes.truncate((1 + self.rng.index(bytes.len() / SECTOR_SIZE)) * SECTOR_SIZE);
        }
        fill_spare(into, &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn look(&self, file: File, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let count = self.disk.read(file, offset, &mut bytes).expect("an open file is a file");
        bytes.truncate(count);
        bytes
    }
}

/// Puts `bytes` into the chunk's spare room without counting them, as the kernel would: filled, emptied, and counted up
/// to where it was.
fn fill_spare(chunk: &mut ChunkMut, bytes: &[u8]) -> io::Result<()> {
    let before = chunk.len();
    chunk.push(bytes);
    if !chunk.try_reset() {
        // Only a chunk that nobody looks at can be emptied.
        return Err(system_error(libc::EFAULT));
    }
    chunk.advance(before);
    Ok(())
}

fn number(file: File) -> u64 {
    u64::from(file.0.unsigned_abs())
}

fn numbers(token: Token, file: File, offset: u64, len: usize) -> [(&'static str, u64); 4] {
    [("token", token.0), ("file", number(file)), ("offset", offset), ("len", len as u64)]
}
