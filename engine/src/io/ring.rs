//! The seam on io_uring: one ring per shard, made and used on the shard's own thread.
//!
//! An operation waits in the [`Backlog`] until the next turn hands it to the kernel; from then on a [`Slots`] entry owns
//! its buffers, and only the kernel's one completion gives them back, also where the ring is dropped meanwhile. A turn
//! is one `io_uring_enter`: it hands over what was submitted, runs what the kernel deferred, and sleeps if nothing is
//! there yet.

mod backlog;
mod clock;
mod entry;
mod error;
mod queues;
mod slots;
mod wake;

pub(crate) use clock::{Random, now, unix_millis};

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::sync::{Arc, Once};

pub use error::{Locked, RingError};

use self::backlog::{Backlog, Limits};
use self::entry::{Message, Registered};
use self::queues::{Entered, Queues, Sleep};
use self::slots::{InFlight, Key, Slots};
use self::wake::EventFd;
use super::helpers::Helpers;
use super::{CHUNK_SIZE, ChunkMut, Completion, HostFs, Io, Op, Pool, Token, Wait, Wake, sys};
use crate::types::{Nanos, ShardId};

/// What a ring is made with.
#[derive(Clone, Debug)]
pub struct RingOptions {
    /// The shard it is for; names its helper threads.
    pub shard: ShardId,
    /// Bytes of registered memory (`tora.buffer.bytes`), rounded down to whole chunks, of which there is at least one.
    pub buffer_bytes: usize,
}

/// The queues' sizes, in entries, and what follows from them.
#[derive(Clone, Copy)]
struct Sizes {
    /// Operations handed over in one call; more take more calls. 64 bytes each.
    submission: u32,
    /// Operations that may be in flight. 16 bytes each.
    completion: u32,
    /// Those of them that may wait for peers.
    for_peers: usize,
}

impl Sizes {
    /// A turn of a busy shard submits some hundreds of operations. In flight, a connection has a receive and at times a
    /// send: room for 6,000 connections with both, and 4,000 disk operations beside them, in 320 KiB a ring.
    const DEFAULT: Self = Self { submission: 1024, completion: 16_384, for_peers: PEER_OPERATIONS_MAX };

    /// What the queues take, near enough.
    fn bytes(self) -> u64 {
        64 * u64::from(self.submission) + 16 * u64::from(self.completion)
    }

    /// Each operation completes once, so the completion queue cannot overflow while fewer are in flight than it has
    /// entries. The wake-up's read and the final cancellation are two more.
    fn limits(self) -> Limits {
        Limits { in_flight: self.completion as usize - 2, for_peers: self.for_peers }
    }
}

/// Accepts, receives and sends that a ring has in flight at once; more of them wait until some end. A limit on
/// connections should keep them below it.
pub const PEER_OPERATIONS_MAX: usize = 12_288;

/// How long a turn pauses where the kernel has no memory for more operations.
const SHORTAGE_PAUSE_NANOS: u64 = 1_000_000;

/// A shard's way to the machine.
pub struct RingIo {
    queues: Queues,
    slots: Slots,
    backlog: Backlog,
    /// Operations that ended for a passing reason (EINTR, EAGAIN) and are to be handed over again.
    again: VecDeque<Key>,
    /// Send lists to be used again.
    messages: Vec<Message>,
    registered: Registered,
    pool: Pool,
    waker: Arc<EventFd>,
    /// Where the eventfd's counter is read to.
    counter: ChunkMut,
    /// The eventfd's read is in flight.
    wake_armed: bool,
    /// Somebody woke a turn that did not sleep.
    roused: bool,
    helpers: Helpers<HostFs>,
    random: Random,
    fs: HostFs,
    /// The kernel refuses other threads than the one that made the ring.
    _one_thread: PhantomData<*const ()>,
}

impl RingIo {
    /// A ring of the calling thread.
    ///
    /// # Errors
    /// Where io_uring, or as much locked memory, is not to be had; the message says what to do.
    pub fn new(options: &RingOptions) -> Result<Self, RingError> {
        Self::with_sizes(options, Sizes::DEFAULT)
    }

    fn with_sizes(options: &RingOptions, sizes: Sizes) -> Result<Self, RingError> {
        let chunks = (options.buffer_bytes / CHUNK_SIZE).max(1);
        let mut queues = Queues::new(sizes.submission, sizes.completion)
            .map_err(|error| RingError::making(error, sizes.bytes()))?;
        let pool = Pool::new(chunks);
        let registered = register(&mut queues, &pool)?;
        let waker = Arc::new(EventFd::new().map_err(RingError::at("making an eventfd"))?);
        let random = Random::from_system().map_err(RingError::at("asking the kernel for randomness"))?;
        let name = format!("tora-help-{}", options.shard);
        let helpers = Helpers::new(HostFs, name, Arc::<EventFd>::clone(&waker));
        Ok(Self {
            queues,
            slots: Slots::default(),
            backlog: Backlog::new(sizes.limits()),
            again: VecDeque::new(),
            messages: Vec::new(),
            registered,
            pool,
            waker,
            counter: Pool::heap(size_of::<u64>()),
            wake_armed: false,
            roused: false,
            helpers,
            random,
            fs: HostFs,
            _one_thread: PhantomData,
        })
    }

    /// Queues for the kernel whatever may go to it. Enters it only where more goes than the submission queue holds.
    fn hand_over(&mut self) -> io::Result<Entered> {
        loop {
            self.arm_wake();
            self.fill();
            if !self.queues.is_full() {
                return Ok(Entered::Done);
            }
            if self.queues.enter(Sleep::No)? == Entered::Busy {
                return Ok(Entered::Busy);
            }
        }
    }

    /// Moves operations into the submission queue until that is full, or nothing more may go.
    fn fill(&mut self) {
        while !self.queues.is_full() {
            let key = match self.again.pop_front() {
                Some(key) => key,
                None => match self.backlog.next(self.slots.len(), self.slots.waiting_for_peers()) {
                    Some((token, op)) => {
                        let message = if matches!(op, Op::Send { .. }) { self.messages.pop() } else { None };
                        self.slots.insert(InFlight { token, op, message })
                    }
                    None => return,
                },
            };
            let entry = entry::entry(self.slots.occupant(key), &self.registered).user_data(key.pack());
            // SAFETY: the slot owns what the entry points at, and gives it up only for the operation's completion.
            let pushed = unsafe { self.queues.push(&entry) };
            assert!(pushed, "checked that the queue is not full");
        }
    }

    fn arm_wake(&mut self) {
        if self.wake_armed {
            return;
        }
        let entry = entry::wake_read(self.waker.descriptor(), self.counter.spare());
        // SAFETY: `counter` has room for the eight bytes and nobody else touches it; it and the eventfd live until
        // `wait_for_all` has seen the completion, or are never freed.
        self.wake_armed = unsafe { self.queues.push(&entry.user_data(Key::WAKE.pack())) };
    }

    /// How long this turn may sleep, all told.
    fn sleep(&mut self, wait: Wait) -> Sleep {
        if wait == Wait::No {
            return Sleep::No;
        }
        let roused = mem::take(&mut self.roused);
        if roused || self.queues.has_completions() || self.helpers.has_results() || self.backlog.has_ended() {
            return Sleep::No;
        }
        match wait {
            Wait::No => Sleep::No,
            Wait::Forever => Sleep::Forever,
            Wait::Until(moment) => match moment.since(now()) {
                0 => Sleep::No,
                nanos => Sleep::For(nanos),
            },
        }
    }

    /// Takes the kernel's completions.
    fn reap(&mut self, completions: &mut Vec<Completion>) {
        while let Some(entry) = self.queues.next_completion() {
            self.settle(Key::unpack(entry.user_data()), entry.result(), completions);
        }
    }

    fn settle(&mut self, key: Key, result: i32, completions: &mut Vec<Completion>) {
        if key == Key::WAKE {
            self.waker.heard();
            self.wake_armed = false;
            self.roused = true;
            return;
        }
        if is_passing(&self.slots.occupant(key).op, result) {
            self.again.push_back(key);
            return;
        }
        let mut in_flight = self.slots.remove(key);
        self.messages.extend(in_flight.message.take());
        completions.push(in_flight.complete(outcome(result)));
    }

    /// Cancels what is in flight and waits until the kernel is done with all of it.
    fn wait_for_all(&mut self) -> io::Result<()> {
        // Cancelling misses what is just changing hands inside the kernel: asked for again until nothing is left.
        const PATIENCE: Sleep = Sleep::For(100_000_000);
        while self.slots.len() > self.again.len() || self.wake_armed {
            // SAFETY: the entry points at nothing.
            unsafe { self.queues.push(&entry::cancel_all().user_data(Key::CANCEL.pack())) };
            self.queues.enter(PATIENCE)?;
            while let Some(entry) = self.queues.next_completion() {
                match Key::unpack(entry.user_data()) {
                    Key::CANCEL => {}
                    Key::WAKE => self.wake_armed = false,
                    key => {
                        let ended = self.slots.remove(key);
                        if matches!(ended.op, Op::Accept { .. }) && entry.result() >= 0 {
                            sys::close(entry.result());
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Registers the pool's memory. Where the system does not let that much be locked, the ring goes on without: the kernel
/// then maps the pages of each operation anew, which costs some CPU time and changes nothing else.
fn register(queues: &mut Queues, pool: &Pool) -> Result<Registered, RingError> {
    queues.register(pool).or_else(|error| {
        let refused = RingError::registering(error, (pool.chunks() * CHUNK_SIZE) as u64);
        if !matches!(refused, RingError::Memory { .. }) {
            return Err(refused);
        }
        static ONCE: Once = Once::new();
        ONCE.call_once(|| log::warn!("{refused}. It goes on without locking them, a little slower"));
        Ok(Registered::nothing())
    })
}

/// Whether the operation ended only because it would have had to wait, or a signal came, and nothing was moved.
fn is_passing(op: &Op<HostFs>, result: i32) -> bool {
    match -result {
        // close(2): the descriptor is gone even so.
        libc::EINTR | libc::EAGAIN => !matches!(op, Op::Close { .. } | Op::CloseSocket { .. }),
        // accept(2): the peer left before it was accepted; the next one may not.
        libc::ECONNABORTED => matches!(op, Op::Accept { .. }),
        _ => false,
    }
}

fn outcome(result: i32) -> io::Result<u64> {
    u64::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

impl Io for RingIo {
    type Fs = HostFs;

    fn submit(&mut self, token: Token, op: Op<HostFs>) {
        match op {
            Op::Job(job) => self.helpers.start(token, job),
            mut op => {
                entry::check(&mut op);
                self.backlog.push(token, op);
            }
        }
    }

    fn turn(&mut self, wait: Wait, completions: &mut Vec<Completion>) -> io::Result<()> {
        let before = completions.len();
        let handed_over = self.hand_over()?;
        let sleep = if handed_over == Entered::Busy { Sleep::No } else { self.sleep(wait) };
        let entered = if sleep == Sleep::No && self.queues.is_quiet() {
            Entered::Done
        } else {
            self.queues.enter(sleep)?
        };
        self.reap(completions);
        if sleep != Sleep::No {
            self.roused = false;
        }
        self.backlog.take_ended(completions);
        self.helpers.collect(completions);
        if (handed_over, entered) != (Entered::Done, Entered::Done) && completions.len() == before {
            // Nothing came to be taken, so it is memory that the kernel is short of.
            self.queues.sleep(Sleep::For(SHORTAGE_PAUSE_NANOS))?;
        }
        Ok(())
    }

    fn now(&self) -> Nanos {
        now()
    }

    fn unix_millis(&self) -> i64 {
        unix_millis()
    }

    fn give_way(&self) -> bool {
        std::thread::yield_now();
        true
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::<EventFd>::clone(&self.waker)
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn fs(&self) -> &HostFs {
        &self.fs
    }

    fn rest(&mut self) {
        sys::return_freed_memory();
    }
}

impl Drop for RingIo {
    fn drop(&mut self) {
        // Operations that the kernel never saw just end, but handles that were to be closed are.
        for (_, op) in self.backlog.drain() {
            match op {
                Op::Close { file } => sys::close(file.0),
                Op::CloseSocket { socket } => sys::close(socket.0),
                _ => {}
            }
        }
        if let Err(error) = self.wait_for_all() {
            log::error!(
                "a ring failed while its last operations were in flight; their memory is not reused: {error}"
            );
            mem::forget(mem::take(&mut self.slots));
            mem::forget(mem::replace(&mut self.counter, Pool::heap(1)));
            mem::forget(Arc::clone(&self.waker));
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests look at the machine from outside"
)]
mod tests;
