//! One run of `tora-load bench`: broker, topic, phases, report.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::admin::Admin;
use crate::cli::{BenchArgs, Phase};
use crate::clock::Clock;
use crate::codec::admin::ProducerIdentity;
use crate::codec::fetch::Position;
use crate::codec::versions::Api;
use crate::date;
use crate::disk::Volume;
use crate::meter::Acknowledged;
use crate::phase::{self, Context, EndedBy, Limits};
use crate::placement::{self, Leadership, Placement};
use crate::progress::Progress;
use crate::report;
use crate::stamp::SessionId;
use crate::subject::Subject;
use crate::summary::Report;
use crate::sys;
use crate::table;
use crate::worker::{ConsumerPlan, Plan, ProducerPlan};
use crate::workload::Workload;

/// How long a phase may take that ends with its bytes.
const BYTES_PATIENCE: Duration = Duration::from_secs(600);

/// Runs the benchmark; gives whether everything went well and every record was there.
///
/// # Errors
/// A sentence that says what to do, where the run could not begin.
pub fn run(args: &BenchArgs) -> Result<bool, String> {
    let workload = Workload::new(args)?;
    let phases = phases(args)?;
    let started_at = date::stamp(SystemTime::now());
    let out = args.out.clone().unwrap_or_else(|| Path::new("results/local").join(&started_at));
    fs::create_dir_all(&out).map_err(|e| format!("cannot make the results folder {}: {e}", out.display()))?;
    let progress = Progress::new(args.quiet);
    let mut subject = Subject::start(&args.broker, args.pid, &out, &started_at, &progress)?;
    let durability = subject.durability(&args.broker, args.durability.as_deref());
    let report = Report {
        started_at,
        command: std::env::args().collect(),
        broker: subject.describe(),
        durability,
        volume: subject.volume().cloned(),
        probe: if args.no_probe { None } else { subject.probe(&out, &progress) },
        read_probe: None,
        topic_ready_after: None,
        partitions: 0,
        topic: String::new(),
        workload,
        phases: Vec::new(),
        error: None,
    };
    let mut bench =
        Bench { args, out: &out, progress: &progress, clock: Clock::start(), report, guard: None };
    if let Err(why) = bench.run(&phases, &mut subject) {
        bench.report.error = Some(why);
    }
    let mut report = bench.report;
    report.broker = subject.describe();
    if let Some(bytes) = args.read_probe.filter(|_| report.error.is_none()) {
        report.read_probe = subject.read_probe(bytes, &progress);
    }
    let own_topic = if args.topic.is_none() { &report.topic } else { "" };
    if let Err(why) = subject.end(own_topic, &progress) {
        report.error.get_or_insert(why);
    }
    if args.broker.keep_data {
        progress.say(
            "the data folder is kept: it lies in the results folder, or in the folder given by --data-dir",
        );
    }
    report.write(&out).map_err(|e| format!("cannot write the summary to {}: {e}", out.display()))?;
    let shown = report::build(std::slice::from_ref(&out), None)?;
    println!("{}report: {}\nresults in {}", table::render(&report), shown.display(), out.display());
    if let Some(why) = &report.error {
        eprintln!("tora-load: {why}");
    }
    Ok(report.is_ok())
}

/// The phases asked for, in their order, each once.
fn phases(args: &BenchArgs) -> Result<Vec<Phase>, String> {
    let mut phases = args.phases.clone();
    phases.sort_unstable();
    phases.dedup();
    if let (Some(first), false) = (phases.first(), phases.iter().any(|phase| phase.produces())) {
        return Err(format!(
            "{} reads what the run itself has written: ask for produce or consume_hot too",
            first.name()
        ));
    }
    Ok(phases)
}

/// The free space at which to stop, and what may still be sent.
#[derive(Debug, Clone, Copy)]
struct Guard {
    free_floor: u64,
    /// For each producing phase.
    bytes: u64,
}

impl Guard {
    /// Half of what is free now, divided among the producing phases.
    fn new(volume: &Volume, phases: &[Phase]) -> Result<Self, String> {
        let free = volume
            .free_bytes()
            .map_err(|e| format!("cannot tell how much space {} has: {e}", volume.mount_point))?;
        let producing = phases.iter().filter(|phase| phase.produces()).count() as u64;
        Ok(Self { free_floor: free / 2, bytes: free / 2 / producing.max(1) })
    }
}

struct Bench<'a> {
    args: &'a BenchArgs,
    out: &'a Path,
    progress: &'a Progress,
    clock: Clock,
    report: Report,
    guard: Option<Guard>,
}

impl Bench<'_> {
    fn run(&mut self, phases: &[Phase], subject: &mut Subject) -> Result<(), String> {
        self.guard = subject.volume().map(|volume| Guard::new(volume, phases)).transpose()?;
        let mut admin = Admin::connect(subject.address())?;
        let asked = Instant::now();
        let topic = if let Some(given) = &self.args.topic {
            given.clone()
        } else {
            let own = format!("tora-load-{}-{}", self.report.started_at, std::process::id());
            // Noted first: one that was made in part is deleted too.
            self.report.topic.clone_from(&own);
            admin.create_topic(&own, self.report.workload.partitions, &self.args.broker.topic_config)?;
            own
        };
        let leadership = admin.leadership(&topic)?;
        if admin.served().has(Api::ListOffsets) {
            log_ends(&leadership, &topic)?;
        }
        self.report.topic_ready_after = Some(asked.elapsed());
        self.report.topic.clone_from(&topic);
        let topic: Arc<str> = topic.into();
        let mut acknowledged = Vec::new();
        for &phase in phases {
            if sys::interrupted() {
                return Err("interrupted".into());
            }
            if phase == Phase::ConsumeCold {
                subject.restart(self.progress)?;
                if self.args.drop_page_cache {
                    subject.drop_page_cache()?;
                }
                admin = Admin::connect(subject.address())?;
            }
            let plan = self.plan(phase, &mut admin, &topic, &acknowledged)?;
            let context = Context {
                clock: self.clock,
                out: self.out,
                progress: self.progress,
                broker_pid: subject.pid(),
                volume: subject.volume(),
                threads: self.report.workload.threads,
            };
            // What the consumers of a hot phase are to find begins with its own producers.
            let earlier = if phase.produces() { Vec::new() } else { acknowledged.clone() };
            let outcome = phase::run(&context, phase, plan, self.limits(phase), earlier)?;
            if phase.produces() {
                acknowledged.extend_from_slice(&outcome.acknowledged);
            }
            let interrupted = outcome.ended_by == EndedBy::Interrupt;
            self.report.phases.push(outcome);
            if interrupted {
                return Err("interrupted".into());
            }
        }
        Ok(())
    }

    fn limits(&self, phase: Phase) -> Limits {
        let workload = &self.report.workload;
        match phase {
            Phase::Produce | Phase::ConsumeHot | Phase::EndToEnd => Limits {
                warmup: workload.warmup,
                duration: if self.args.bytes.is_some() { BYTES_PATIENCE } else { workload.duration },
                bytes: self.guard.map(|guard| guard.bytes),
                wanted_bytes: self.args.bytes,
                free_bytes: self.guard.map(|guard| guard.free_floor),
            },
            Phase::ConsumeCached => Limits::of_time(workload.warmup, workload.duration),
            Phase::ConsumeCold => Limits::of_time(Duration::ZERO, Duration::MAX),
        }
    }

    fn plan(
        &mut self,
        phase: Phase,
        admin: &mut Admin,
        topic: &Arc<str>,
        acknowledged: &[Acknowledged],
    ) -> Result<Plan, String> {
        let workload = self.report.workload.of(phase);
        let leadership = admin.leadership(topic)?;
        self.report.partitions = leadership.partitions();
        let (produces, consumes) = (phase.produces(), phase.consumes());
        let first_session = acknowledged.iter().map(|a| a.session.0 + 1).max().unwrap_or(0);
        let agree = |api| {
            let hint = if api == Api::Fetch { "; --phases produce does without" } else { "" };
            admin.served().agree(api).map_err(|why| why + hint)
        };
        let produce_version = if produces { agree(Api::Produce)? } else { 0 };
        let fetch_version = if consumes { agree(Api::Fetch)? } else { 0 };
        let ends =
            if admin.served().has(Api::ListOffsets) { log_ends(&leadership, topic)? } else { HashMap::new() };
        let producers =
            if produces { producers(&leadership, &workload, first_session, admin)? } else { Vec::new() };
        let consumers = if consumes { consumers(&leadership, &workload, phase, &ends)? } else { Vec::new() };
        Ok(Plan {
            workload: Arc::new(workload),
            topic: Arc::clone(topic),
            produce_version,
            fetch_version,
            producers,
            consumers,
            timed: phase.follows(),
            again: phase == Phase::ConsumeCached,
        })
    }
}

fn producers(
    leadership: &Leadership,
    workload: &Workload,
    first_session: u16,
    admin: &mut Admin,
) -> Result<Vec<ProducerPlan>, String> {
    let placements = placement::producers(leadership, workload.connections)?;
    let sessions = (first_session..).map(SessionId);
    let mut plans = Vec::new();
    for (placement, session) in placements.into_iter().zip(sessions) {
        let identity = if workload.idempotent { admin.producer_identity()? } else { ProducerIdentity::NONE };
        plans.push(ProducerPlan { placement, session, identity });
    }
    Ok(plans)
}

/// The end of every partition, once all leaders serve theirs.
fn log_ends(leadership: &Leadership, topic: &str) -> Result<HashMap<i32, i64>, String> {
    let mut all = HashMap::new();
    for (address, partitions) in &leadership.leaders {
        let ends = Admin::connect(&address.to_string())?.log_ends(topic, partitions)?;
        all.extend(ends.into_iter().map(|end| (end.partition, end.offset)));
    }
    Ok(all)
}

/// Consumers begin at the log's end, a stretch before it to be read over and over, or at offset 0 in the cold phase.
fn consumers(
    leadership: &Leadership,
    workload: &Workload,
    phase: Phase,
    ends: &HashMap<i32, i64>,
) -> Result<Vec<ConsumerPlan>, String> {
    let begin = |&partition: &i32| {
        let end = ends.get(&partition).copied().unwrap_or(0);
        let offset = match phase {
            Phase::ConsumeCached => (end - workload.stretch_records()).max(0),
            _ if phase.follows() => end,
            _ => 0,
        };
        Position { partition, offset }
    };
    let plan = |placement: Placement| ConsumerPlan {
        address: placement.address,
        positions: placement.partitions.iter().map(begin).collect(),
    };
    Ok(placement::consumers(leadership, workload.connections)?.into_iter().map(plan).collect())
}
