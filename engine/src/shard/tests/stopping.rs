//! The shard's end: what was asked before is done.

use std::sync::Mutex;
use std::task::Poll;

use super::*;
use crate::handle::RecordRef;
use crate::io::{Wait, Wake};
use crate::request::Appended;

#[test]
fn what_was_sent_before_the_end_is_done_however_much_it_is() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    rig.append_bytes(partition, 10);
    // More than a turn takes, all of it answered at once, and an append behind it.
    let asked: Vec<_> =
        (0..2 * limits::MAIL_PER_TURN).map(|_| rig.handle.find_topic("log").unwrap()).collect();
    let appended = rig.handle.append_records(partition, [RecordRef::of_value(b"0")]).unwrap();
    let watch = |end| rig.handle.wait_for(partition, Offset::new(end), Duration::from_secs(60)).unwrap();
    let watching = [watch(0), watch(2)];
    let handle = rig.handle.clone();
    // Whatever else the end takes, it does not come before them.
    rig.shard().stop();
    assert!(asked.iter().all(Pending::is_ready));
    rig.close();
    for pending in asked {
        assert!(matches!(pending.wait(), Ok(Some(_))));
    }
    assert_eq!(appended.wait().map(|appended| appended.base_offset), Ok(Offset::new(1)));
    let told = watching.map(Pending::wait);
    assert_eq!(told, [Ok(true), Err(Error::Stopped)], "no news has come, nor is the time up");
    assert_eq!(handle.find_topic("log").unwrap().wait(), Err(Error::Stopped));
}

#[test]
fn who_waits_for_more_is_told_that_it_has_stopped() {
    let mut rig = Rig::open(config());
    let partition = rig.create("log", &[]);
    let waiting = rig.handle.wait_for(partition, Offset::ZERO, Duration::from_secs(60)).unwrap();
    let mut tails = [(); 3].map(|()| rig.handle.tail(partition, Offset::ZERO));
    for tail in &mut tails[..2] {
        while !format!("{tail:?}").contains("waiting") {
            assert!(tail.try_next().is_pending());
            rig.step();
        }
    }
    let taken = rig.handle.describe(partition);
    rig.wait(taken).unwrap();
    assert!(!waiting.is_ready());
    // One whose question is still on its way, and one that begins just then.
    assert!(tails[2].try_next().is_pending());
    rig.shard().stop();
    assert_eq!(waiting.wait(), Err(Error::Stopped), "the time is not up");
    for tail in &mut tails[..2] {
        assert!(matches!(tail.try_next(), Poll::Ready(None)), "it asks nothing more: {tail:?}");
        assert_eq!(tail.ended(), Some(&Error::Stopped));
    }
    // That one asks once more, as it has had an answer.
    let mut asked = 0;
    while tails[2].ended().is_none() {
        let before = rig.shard().inbox.len();
        assert!(!matches!(tails[2].try_next(), Poll::Ready(Some(_))));
        asked += rig.shard().inbox.len() - before;
        rig.step();
    }
    assert!(asked <= 1, "it has asked {asked} times");
    rig.close();
}

/// Stops it as an engine is closed, while others go on. Answers how many milliseconds that takes.
fn stop_beside(rig: &mut Rig, mut others: impl FnMut()) -> u64 {
    let begun = rig.world.now();
    rig.stop.store(true, Ordering::Release);
    rig.shard().wake(CATALOG_SHARD);
    while rig.step() {
        others();
    }
    rig.world.now().since(begun) / 1_000_000
}

/// A stop whose disk answers takes a fraction of this.
const SHORT_MS: u64 = limits::STOP_MS / 4;

#[test]
fn who_appends_after_each_answer_does_not_hold_it_up() {
    let world = world();
    let mut rig = Rig::open_on(&world, config());
    let partition = rig.create("log", &[]);
    let handle = rig.handle.clone();
    let append = || handle.append_records(partition, [RecordRef::of_value(b"x")]).unwrap();
    // Two that take turns, so that something is always under way.
    let mut under_way = [append(), append()];
    let (mut acknowledged, mut refused) = (0, 0);
    while acknowledged < 10 {
        rig.step();
        for pending in under_way.iter_mut().filter(|pending| pending.is_ready()) {
            std::mem::replace(pending, append()).wait().unwrap();
            acknowledged += 1;
        }
    }
    let millis = stop_beside(&mut rig, || {
        for pending in under_way.iter_mut().filter(|pending| pending.is_ready()) {
            match std::mem::replace(pending, append()).wait() {
                Ok(_) => acknowledged += 1,
                Err(error) => {
                    assert_eq!(error, Error::Stopped);
                    refused += 1;
                }
            }
        }
    });
    assert!(millis < SHORT_MS, "it took {millis} ms");
    assert!(refused > 0, "they went on all the while");
    assert_eq!(checkpointed_end(&world, partition), Offset::new(acknowledged));
    drop(rig);
    assert!(under_way.into_iter().all(|pending| pending.wait() == Err(Error::Stopped)));
    world.kill();
}

#[test]
fn who_adds_records_all_the_time_does_not_hold_it_up() {
    let world = world();
    let mut rig = Rig::open_on(&world, config());
    let partition = rig.create("log", &[]);
    let appender = rig.handle.appender(partition);
    let appender = rig.wait(appender).unwrap();
    let append = || appender.append(RecordRef::of_value(b"x"));
    let before = [append().unwrap(), append().unwrap()];
    let mut after = Vec::new();
    let millis = stop_beside(&mut rig, || after.push(append()));
    assert!(millis < SHORT_MS, "it took {millis} ms");
    for (offset, pending) in before.into_iter().enumerate() {
        assert_eq!(pending.wait(), Ok(Offset::new(offset as i64)), "what was appended before is taken");
    }
    let mut answers = after.into_iter().map(|pending| pending.and_then(|pending| pending.wait()));
    let acknowledged = answers.by_ref().take_while(|answer| answer.is_ok()).count();
    assert!(answers.all(|answer| answer == Err(Error::Stopped)));
    assert_eq!(checkpointed_end(&world, partition), Offset::new(2 + acknowledged as i64));
    drop(rig);
    world.kill();
}

#[test]
fn who_goes_through_old_data_does_not_hold_it_up() {
    let world = world();
    let (mut rig, partitions) = reading::old_data(&world);
    let mut tail = rig.handle.tail(partitions[0], Offset::ZERO);
    let mut runs = 0;
    let mut go_on = || {
        if let Poll::Ready(Some(run)) = tail.try_next() {
            runs += 1;
            if run.unwrap().end() >= Offset::new(reading::RECORDS) {
                // Again, as somebody with far more of it would.
                tail.seek(Offset::ZERO);
            }
        }
        runs
    };
    while go_on() < 3 {
        rig.step();
    }
    let millis = stop_beside(&mut rig, || {
        go_on();
    });
    assert!(millis < SHORT_MS, "it took {millis} ms");
    assert_eq!(tail.ended(), Some(&Error::Stopped));
    assert_eq!(checkpointed_end(&world, partitions[0]), Offset::new(reading::RECORDS));
    drop(rig);
    world.kill();
}

/// An append, and whether it was answered when the shard's way to the machine went.
#[derive(Default)]
struct Given {
    pending: Option<Pending<Appended>>,
    was_answered: bool,
}

/// A way to a machine whose kernel takes its time where it is given up.
struct Slow {
    io: SimIo,
    given: Arc<Mutex<Given>>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        let mut given = self.given.lock().unwrap();
        given.was_answered = given.pending.as_ref().is_some_and(Pending::is_ready);
    }
}

impl Io for Slow {
    type Fs = SimFs;

    fn submit(&mut self, token: Token, op: Op<SimFs>) {
        self.io.submit(token, op);
    }

    fn turn(&mut self, wait: Wait, completions: &mut Vec<Completion>) -> io::Result<()> {
        self.io.turn(wait, completions)
    }

    fn now(&self) -> Nanos {
        self.io.now()
    }

    fn unix_millis(&self) -> i64 {
        self.io.unix_millis()
    }

    fn random(&mut self) -> u64 {
        self.io.random()
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.io.waker()
    }

    fn pool(&self) -> &Pool {
        self.io.pool()
    }

    fn fs(&self) -> &SimFs {
        self.io.fs()
    }
}

#[test]
fn who_waits_is_answered_before_the_kernel_lets_go() {
    let (world, stop) = (world(), Arc::new(AtomicBool::new(false)));
    let given = Arc::new(Mutex::new(Given::default()));
    let make_io = |io| Slow { io, given: Arc::clone(&given) };
    let (mut reactors, handle) = start_with(&world, &config(), &stop, make_io);
    let mut reactor = reactors.remove(0);
    let created = handle.create_topic("log", 1, &[]).unwrap();
    while !created.is_ready() {
        step_alone(&world, &mut reactor);
    }
    let partition = PartitionId::new(created.wait().unwrap().id, 0);
    let append = || handle.append_records(partition, [RecordRef::of_value(b"x")]).unwrap();
    let (under_way, behind) = (append(), append());
    while !reactor.shard().inbox.is_empty() {
        step_alone(&world, &mut reactor);
    }
    assert!(!under_way.is_ready() && reactor.shard().ops.len() > 0, "it is on its way to the disk");
    given.lock().unwrap().pending = Some(under_way);
    drop(reactor);
    assert!(given.lock().unwrap().was_answered);
    assert_eq!(behind.wait().map(drop), Err(Error::Stopped));
    world.kill();
}

/// A service that waits for news of a partition for as long as it is told nothing.
#[derive(Default)]
struct Watches {
    partition: Option<PartitionId>,
    told: bool,
}

impl<I: Io> Service<I> for Watches {
    fn start(&mut self, _: &mut Shard<I>) {}

    fn on_completion(&mut self, _: &mut Shard<I>, _: Completion) {}

    fn on_reply(&mut self, _: &mut Shard<I>, _: u64, _: Reply) {
        self.told = true;
    }

    fn on_turn(&mut self, shard: &mut Shard<I>) {
        if let Some(partition) = self.partition.take() {
            let until = Nanos::new(u64::MAX);
            shard.request(0, Request::Watch { partition, end: Offset::ZERO, until });
        }
    }

    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    fn has_mail(&self) -> bool {
        self.partition.is_some()
    }

    fn on_stop(&mut self, _: &mut Shard<I>) -> bool {
        self.told
    }
}

#[test]
fn a_service_that_the_stop_itself_has_answered_does_not_hold_it_up() {
    let (world, stop) = (world(), Arc::new(AtomicBool::new(false)));
    let (mut shards, handle) = open_shards(&world, &config(), |io| io);
    let mut reactor = Reactor::new(shards.remove(0), Watches::default(), Arc::clone(&stop));
    let created = handle.create_topic("log", 1, &[]).unwrap();
    while !created.is_ready() {
        step_alone(&world, &mut reactor);
    }
    let partition = PartitionId::new(created.wait().unwrap().id, 0);
    reactor.service().partition = Some(partition);
    // Until everything is settled, so that nothing else brings another turn.
    let quiet = handle.wait_for(partition, Offset::ZERO, Duration::from_secs(10)).unwrap();
    while !quiet.is_ready() {
        step_alone(&world, &mut reactor);
    }
    // It begins with a turn that the clock brings: being woken would bring one more.
    let waiting = handle.wait_for(partition, Offset::ZERO, Duration::from_secs(3_600)).unwrap();
    while !reactor.shard().inbox.is_empty() {
        step_alone(&world, &mut reactor);
    }
    let begun = world.now();
    stop.store(true, Ordering::Release);
    while step_alone(&world, &mut reactor) {}
    let millis = world.now().since(begun) / 1_000_000;
    assert!(millis < limits::WATCH_LOOK_MS + SHORT_MS, "it took {millis} ms");
    assert_eq!(waiting.wait(), Err(Error::Stopped));
    drop(reactor);
    world.kill();
}

/// A running engine of two shards.
struct Two {
    world: SimWorld,
    reactors: [Option<Reactor<SimIo, NoService>>; 2],
    handle: Handle,
    stop: Arc<AtomicBool>,
}

impl Two {
    fn open(world: &SimWorld) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (reactors, handle) = start_with(world, &Config { shards: 2, ..config() }, &stop, |io| io);
        let mut reactors = reactors.into_iter();
        Self { world: world.clone(), reactors: [reactors.next(), reactors.next()], handle, stop }
    }

    /// Lets the next thing happen, unless that is a turn of a shard that does not get any.
    fn step(&mut self, gets_turns: impl Fn(usize) -> bool) {
        match self.world.step() {
            Step::Turn(shard) => {
                let reactor = &mut self.reactors[usize::from(shard)];
                if gets_turns(shard.into()) && !turn(reactor.as_mut().expect("only who is there is woken")) {
                    *reactor = None;
                }
            }
            Step::Inside => {}
            step => panic!("nothing will ever happen: {step:?}"),
        }
    }

    fn wait<T>(&mut self, pending: Pending<T>) -> Result<T, Error> {
        while !pending.is_ready() {
            self.step(|_| true);
        }
        pending.wait()
    }

    fn begin_stop(&mut self) -> Nanos {
        self.stop.store(true, Ordering::Release);
        for reactor in self.reactors.iter_mut().flatten() {
            let id = reactor.shard().id();
            reactor.shard().wake(id);
        }
        self.world.now()
    }

    /// Lets things happen until both have stopped; answers the milliseconds since it has begun.
    fn end(&mut self, begun: Nanos) -> u64 {
        while self.reactors.iter().any(Option::is_some) {
            self.step(|_| true);
        }
        self.world.now().since(begun) / 1_000_000
    }
}

#[test]
fn topics_that_were_wished_for_before_are_made_on_all_shards() {
    let world = world();
    let mut two = Two::open(&world);
    let names: Vec<String> = (0..200).map(|number| format!("topic-{number}")).collect();
    let wished: Vec<_> = names.iter().map(|name| two.handle.create_topic(name, 2, &[]).unwrap()).collect();
    let begun = two.begin_stop();
    let millis = two.end(begun);
    assert!(millis < SHORT_MS, "it took {millis} ms");
    let made: Vec<_> = wished.into_iter().map(|pending| pending.wait().unwrap()).collect();
    drop(two);
    world.kill();

    let mut two = Two::open(&world);
    for (name, topic) in names.iter().zip(made) {
        let found = two.handle.find_topic(name).unwrap();
        assert_eq!(two.wait(found), Ok(Some(topic)));
    }
    let begun = two.begin_stop();
    two.end(begun);
    world.kill();
}

#[test]
fn a_shard_that_goes_without_a_word_holds_up_no_other() {
    let world = world();
    let mut two = Two::open(&world);
    let begun = two.begin_stop();
    // The other one has nothing left to do long before that.
    for _ in 0..1_000 {
        two.step(|shard| shard == 0);
    }
    assert!(two.reactors[0].is_some(), "it stays while it may be asked");
    two.reactors[1] = None;
    let millis = two.end(begun);
    assert!(millis < SHORT_MS, "it took {millis} ms");
    world.kill();
}

#[test]
fn wishes_that_a_shard_which_has_failed_would_have_to_know_of_hold_up_no_other() {
    let world = world();
    let mut two = Two::open(&world);
    two.reactors[1] = None;
    let wished = two.handle.create_topic("clicks", 1, &[]).unwrap();
    let behind = two.handle.create_topic("more", 1, &[]).unwrap();
    let begun = two.begin_stop();
    let millis = two.end(begun);
    assert!(millis < SHORT_MS, "it took {millis} ms");
    assert_eq!((wished.wait(), behind.wait()), (Err(Error::Stopped), Err(Error::Stopped)));
    world.kill();
}
