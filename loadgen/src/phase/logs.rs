//! The files of a phase: histogram logs and samples, an interval at a time.

use std::io;
use std::time::{Duration, SystemTime};

use super::{Context, main_meter};
use crate::cli::{Phase, Rate};
use crate::histogram::LatencyLog;
use crate::meter::PhaseState;
use crate::samples::{Sample, SampleLog};
use crate::worker::Plan;

/// The logs of a phase.
pub struct Logs {
    phase: Phase,
    /// Absent where nothing is timed.
    pub main: Option<LatencyLog>,
    pub producing: Option<LatencyLog>,
    pub lateness: Option<LatencyLog>,
    samples: SampleLog,
}

impl Logs {
    /// Starts them; intervals count from the end of the warm-up.
    pub fn create(context: &Context<'_>, phase: Phase, plan: &Plan, warmup: Duration) -> io::Result<Self> {
        let base = SystemTime::now() + warmup;
        let name = phase.name();
        let create = |suffix: &str, what: &str| {
            let path = context.out.join(format!("{name}{suffix}.hlog"));
            LatencyLog::create(&path, &format!("{name}: {what}"), base)
        };
        let main = match phase {
            Phase::Produce => Some("intended send to acknowledgement"),
            Phase::ConsumeHot | Phase::EndToEnd => Some("intended send to arrival"),
            Phase::ConsumeCached | Phase::ConsumeCold => None,
        };
        let open_loop = matches!(plan.workload.rate, Rate::PerSecond(_)) && phase.produces();
        Ok(Self {
            phase,
            main: main.map(|what| create("", what)).transpose()?,
            producing: phase
                .follows()
                .then(|| create("-producing", "intended send to acknowledgement"))
                .transpose()?,
            lateness: open_loop.then(|| create("-lateness", "intended send to the real one")).transpose()?,
            samples: SampleLog::create(&context.out.join(format!("{name}.csv")))?,
        })
    }

    /// Takes what the meters hold as the interval from `start`.
    pub fn cut(&mut self, state: &PhaseState, start: Duration, length: Duration) -> io::Result<()> {
        let meters = || state.meters.iter();
        if let Some(log) = &mut self.main {
            log.cut(meters().map(|m| &main_meter(self.phase, m).latency), start, length)?;
        }
        if let Some(log) = &mut self.producing {
            log.cut(meters().map(|m| &m.produce.latency), start, length)?;
        }
        if let Some(log) = &mut self.lateness {
            log.cut(meters().map(|m| &m.produce.lateness), start, length)?;
        }
        Ok(())
    }

    /// Adds an interval's sample.
    pub fn add(&mut self, sample: &Sample) -> io::Result<()> {
        self.samples.add(sample)
    }
}
