//! The reporting thread's view of a running phase.

use std::io;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use super::logs::Logs;
use super::{Context, EndedBy, Flow, INTERVAL, Limits, Outcome, STALL, TICK, main_meter};
use crate::check::Verdict;
use crate::cli::Phase;
use crate::clock::Nanos;
use crate::consumer::Consumed;
use crate::cpu;
use crate::histogram::{LatencyLog, Percentiles};
use crate::meter::{Counts, Meter, PhaseState, ThreadMeters};
use crate::samples::Sample;
use crate::sys;
use crate::usage::Usage;
use crate::worker::Plan;

/// What has been measured and used by some moment of the window.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Nanos,
    used: Usage,
    broker_resident_bytes: Option<u64>,
    produced: Totals,
    consumed: Totals,
    /// Records acknowledged and not yet consumed.
    lag: u64,
}

/// One direction's sums within the window.
#[derive(Debug, Clone, Copy)]
struct Totals {
    records: u64,
    value_bytes: u64,
    requests: u64,
}

impl Reading {
    /// What came after `earlier`, as the interval that begins there.
    fn since(&self, earlier: &Self, start: Nanos) -> Sample {
        Sample {
            start: earlier.at.since(start),
            length: self.at.since(earlier.at),
            produced_records: self.produced.records - earlier.produced.records,
            produced_bytes: self.produced.value_bytes - earlier.produced.value_bytes,
            acknowledged_requests: self.produced.requests - earlier.produced.requests,
            consumed_records: self.consumed.records - earlier.consumed.records,
            consumed_bytes: self.consumed.value_bytes - earlier.consumed.value_bytes,
            used: self.used.since(&earlier.used),
            broker_resident_bytes: self.broker_resident_bytes,
        }
    }
}

/// Looks after a phase, cuts its intervals, and sums it up.
pub struct Watch<'a> {
    context: &'a Context<'a>,
    phase: Phase,
    state: &'a PhaseState,
    limits: Limits,
    begin: Option<Reading>,
    end: Option<Reading>,
    /// The last sample's end.
    sampled: Option<Reading>,
    /// The most memory that the broker held at the end of any interval.
    broker_resident_bytes: Option<u64>,
    ended_by: EndedBy,
    last_cut: Nanos,
    next_cut: Nanos,
    last_line: Nanos,
    /// When records last moved, and how many had by then.
    moved: (Nanos, u64),
}

impl<'a> Watch<'a> {
    /// A look at a phase whose window has just been opened.
    pub fn new(context: &'a Context<'a>, phase: Phase, state: &'a PhaseState, limits: Limits) -> Self {
        let ended_by = if phase == Phase::ConsumeCold { EndedBy::EndOfLog } else { EndedBy::Duration };
        let start = state.window.start();
        Self {
            context,
            phase,
            state,
            limits,
            begin: None,
            end: None,
            sampled: None,
            broker_resident_bytes: None,
            ended_by,
            last_cut: start,
            next_cut: start + INTERVAL,
            last_line: state.window.origin(),
            moved: (start, 0),
        }
    }

    /// Looks after the phase until all its threads are done or it has failed.
    pub fn until_done(
        &mut self,
        threads: &[JoinHandle<Vec<Consumed>>],
        logs: &mut Logs,
    ) -> Result<(), String> {
        while threads.iter().any(|thread| !thread.is_finished()) {
            if self.state.failed() {
                return Ok(());
            }
            let now = self.state.clock.now();
            self.look_for_ends(now);
            let window = &self.state.window;
            if self.begin.is_none() && now >= window.start() {
                self.begin = Some(self.read());
                self.sampled = self.begin;
            }
            if self.end.is_none() && now >= window.end() {
                let end = self.read();
                self.end = Some(end);
                self.sample(end, logs)?;
            }
            if now >= self.next_cut {
                self.cut(now, logs)?;
            }
            if now.since(self.last_line) >= INTERVAL {
                self.show_progress(now);
            }
            self.look_for_stall(now)?;
            std::thread::sleep(self.pause(now));
        }
        Ok(())
    }

    /// To the next tick, or to an interval's or the window's next end where that is sooner.
    fn pause(&self, now: Nanos) -> Duration {
        let window = &self.state.window;
        let ends = [
            (self.begin.is_none(), window.start()),
            (self.end.is_none(), window.end()),
            (true, self.next_cut),
        ];
        let next = ends.into_iter().filter(|&(open, _)| open).map(|(_, at)| at.since(now)).min();
        next.map_or(TICK, |next| next.clamp(Duration::from_micros(100), TICK))
    }

    /// Ends the phase early where something asks for it.
    fn look_for_ends(&mut self, now: Nanos) {
        let window = &self.state.window;
        if now >= window.end() {
            return;
        }
        let sent = self.state.sent_bytes.load(Ordering::Relaxed);
        let over = |limit: Option<u64>| limit.is_some_and(|limit| sent >= limit);
        let over_bytes = over(self.limits.bytes);
        let over_space = || {
            let free = self.context.volume.and_then(|volume| volume.free_bytes().ok());
            free.zip(self.limits.free_bytes).is_some_and(|(free, limit)| free <= limit)
        };
        if sys::interrupted() {
            self.ended_by = EndedBy::Interrupt;
        } else if over(self.limits.wanted_bytes) {
            self.ended_by = EndedBy::Bytes;
        } else if over_bytes || over_space() {
            self.ended_by = EndedBy::DiskGuard;
        } else {
            return;
        }
        window.close(now);
        if self.phase == Phase::ConsumeCold {
            self.state.fail("interrupted".into());
        }
    }

    fn look_for_stall(&mut self, now: Nanos) -> Result<(), String> {
        let records = self.records();
        if records != self.moved.1 || (now < self.state.window.end() && self.phase != Phase::ConsumeCold) {
            self.moved = (now, records);
        }
        if now.since(self.moved.0) < STALL {
            return Ok(());
        }
        Err(format!("the broker has not answered for {} s: see its log", STALL.as_secs()))
    }

    fn records(&self) -> u64 {
        self.state.sum(|m| &m.produce.records) + self.state.sum(|m| &m.consume.records)
    }

    fn read(&self) -> Reading {
        let totals = |meter: fn(&ThreadMeters) -> &Meter| Totals {
            records: self.state.sum(|m| &meter(m).measured.records),
            value_bytes: self.state.sum(|m| &meter(m).measured.value_bytes),
            requests: self.state.sum(|m| &meter(m).measured.requests),
        };
        Reading {
            at: self.state.clock.now(),
            used: Usage::now(self.context.broker_pid, self.context.volume),
            broker_resident_bytes: self.context.broker_pid.and_then(cpu::resident_bytes_of),
            produced: totals(|m| &m.produce),
            consumed: totals(|m| &m.consume),
            lag: self
                .state
                .sum(|m| &m.produce.records)
                .saturating_sub(self.state.sum(|m| &m.consume.records)),
        }
    }

    /// Ends a sample's interval at `reading`.
    fn sample(&mut self, reading: Reading, logs: &mut Logs) -> Result<(), String> {
        /// Shorter intervals would be all noise: CPU time comes in hundredths of a second.
        const SHORTEST: Duration = Duration::from_millis(20);
        self.broker_resident_bytes = self.broker_resident_bytes.max(reading.broker_resident_bytes);
        let Some(last) = self.sampled.replace(reading) else { return Ok(()) };
        if reading.at.since(last.at) < SHORTEST {
            return Ok(());
        }
        let sample = reading.since(&last, self.state.window.start());
        logs.add(&sample).map_err(|e| self.cannot_write(&e))
    }

    fn cannot_write(&self, error: &io::Error) -> String {
        format!("cannot write what was measured to {}: {error}", self.context.out.display())
    }

    fn show_progress(&mut self, now: Nanos) {
        self.last_line = now;
        let records = self.state.sum(|m| &main_meter(self.phase, m).records);
        let elapsed = now.since(self.state.window.origin());
        self.context.progress.line(self.phase, elapsed, self.limits.warmup, self.limits.duration, records);
    }

    /// Ends an interval.
    fn cut(&mut self, now: Nanos, logs: &mut Logs) -> Result<(), String> {
        let start = self.state.window.start();
        let length = now.since(self.last_cut);
        logs.cut(self.state, self.last_cut.since(start), length).map_err(|e| self.cannot_write(&e))?;
        self.last_cut = now;
        // Intervals begin a whole number of them after the window, however late this thread was.
        while self.next_cut <= now {
            self.next_cut = self.next_cut + INTERVAL;
        }
        if self.begin.is_some() && self.end.is_none() {
            self.sample(self.read(), logs)?;
        }
        Ok(())
    }

    /// Closes the window for good once all threads are done.
    pub fn finish(&mut self, logs: &mut Logs, consumed: &[Consumed]) -> Result<(), String> {
        if self.phase == Phase::ConsumeCold
            && let Some(last) = consumed.iter().map(|c| c.last_arrival).max()
        {
            self.state.window.close(last + Duration::from_nanos(1));
        }
        let now = self.state.clock.now();
        self.begin.get_or_insert(self.read());
        self.sampled = self.sampled.or(self.begin);
        if self.end.is_none() {
            let end = self.read();
            self.end = Some(end);
            self.sample(end, logs)?;
        }
        self.cut(now, logs)?;
        if self.phase == Phase::ConsumeCold {
            // It may have been over before the first line.
            self.show_progress(now);
        }
        self.context.progress.end();
        Ok(())
    }

    /// What came of it; only after [`finish`](Self::finish).
    pub fn outcome(&self, plan: &Plan, logs: &Logs, consumed: &[Consumed]) -> Outcome {
        let window = &self.state.window;
        let (begin, end) = self.begin.zip(self.end).expect("finish has taken both");
        let percentiles = |log: &Option<LatencyLog>| log.as_ref().and_then(|log| Percentiles::of(&log.total));
        let flow = |meter: &dyn Fn(&ThreadMeters) -> &Meter, log: &Option<LatencyLog>| {
            let sum = |count: fn(&Counts) -> &_| self.state.sum(|m| count(&meter(m).measured));
            Flow {
                records: sum(|c| &c.records),
                value_bytes: sum(|c| &c.value_bytes),
                requests: sum(|c| &c.requests),
                latency_us: percentiles(log),
            }
        };
        let acknowledged = self.state.acknowledged.lock().expect("nothing panics while holding it").clone();
        let mut verdict = Verdict::default();
        consumed.iter().for_each(|c| verdict += c.verdict);
        Outcome {
            phase: self.phase,
            seconds: window.end().since(window.start()).as_secs_f64(),
            ended_by: self.ended_by,
            main: flow(&|m| main_meter(self.phase, m), &logs.main),
            producing: logs.producing.is_some().then(|| flow(&|m| &m.produce, &logs.producing)),
            lateness_us: percentiles(&logs.lateness),
            unsent_records: self.state.unsent_records.load(Ordering::Relaxed),
            lag_records: self.phase.follows().then_some(end.lag),
            used: end.used.since(&begin.used),
            broker_resident_bytes: self.broker_resident_bytes,
            rate: plan.workload.rate,
            threads: self.context.threads,
            verdict: (!plan.consumers.is_empty()).then_some(verdict),
            sent_bytes: self.state.sent_bytes.load(Ordering::Relaxed),
            acknowledged,
        }
    }
}
