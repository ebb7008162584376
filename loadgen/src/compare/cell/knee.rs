//! The knee: open loops at rising rates, until the broker does not hold one.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::Cell;
use super::bench::finish;
use crate::compare::contest::Contest;
use crate::compare::plan::Plan;
use crate::report::figures::Figures;

/// The first rate, in requests a second, and how often it may be doubled.
const FIRST: u64 = 1000;
const DOUBLINGS: u32 = 9;
/// After the first rate that is not held, so many more between the last two.
const BETWEEN: u32 = 2;
/// What a step may take, its topic included.
const STEP_PATIENCE: Duration = Duration::from_secs(120);
/// Records in each request, as the workload's arguments say.
const BATCH_RECORDS: u64 = 10;

impl Cell {
    /// Every rate is a `bench` of its own in a folder of its own.
    pub(super) fn knee(&self, contest: &Contest<'_>, plan: &Plan) -> Result<(), String> {
        let mut steps: Vec<(u64, Value)> = Vec::new();
        let (mut held, mut broken) = (None, None);
        for doubling in 0..=DOUBLINGS {
            let rate = FIRST << doubling;
            if self.step(contest, plan, rate, &mut steps)? {
                held = Some(rate);
            } else {
                broken = Some(rate);
                break;
            }
        }
        if let Some(mut high) = broken {
            let mut low = held.unwrap_or(FIRST / 2);
            for _ in 0..BETWEEN {
                let rate = u64::midpoint(low, high);
                if self.step(contest, plan, rate, &mut steps)? {
                    (held, low) = (Some(rate), rate);
                } else {
                    high = rate;
                }
            }
        }
        steps.sort_by_key(|(rate, _)| *rate);
        let bound = |step: &Value| step["load_generator_bound"] == true;
        self.summarise(&json!({
            "requests_per_second": held,
            "records_per_second": held.map(|rate| rate * BATCH_RECORDS),
            // Whether what broke may have been the load generator.
            "load_generator_bound": steps.iter().any(|(_, step)| step["held"] == false && bound(step)),
            "steps": steps.into_iter().map(|(_, step)| step).collect::<Vec<_>>(),
        }))
    }

    /// Measures one rate; gives whether it was held.
    fn step(
        &self,
        contest: &Contest<'_>,
        plan: &Plan,
        rate: u64,
        steps: &mut Vec<(u64, Value)>,
    ) -> Result<bool, String> {
        let folder = self.folder.join(format!("rate-{rate}"));
        let mut command = self.command(contest, contest.broker(self.contender), plan, &folder)?;
        command.args(["--phases=produce", "--no-probe"]);
        finish(command.arg(format!("--rate={}", rate * BATCH_RECORDS)), STEP_PATIENCE)?;
        let text = fs::read_to_string(folder.join("summary.json"))
            .map_err(|e| format!("the step at {rate} requests/s left no summary: {e}"))?;
        let summary: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let produce = Figures(&summary["phases"]["produce"]);
        let held = is_held(produce, rate);
        let mut step = produce.0.clone();
        step["requests_per_second"] = json!(rate);
        step["held"] = json!(held);
        steps.push((rate, step));
        Ok(held)
    }
}

/// Whether the broker kept up: all was sent, nearly all acknowledged in time, and the queue did not grow to a fifth of a
/// second for one request in a hundred.
fn is_held(produce: Figures<'_>, rate: u64) -> bool {
    const SHARE_MIN: f64 = 0.97;
    const P99_US_MAX: f64 = 200_000.0;
    let wanted = (rate * BATCH_RECORDS) as f64;
    produce.number("unsent_records") == Some(0.0)
        && produce.number("records_per_second").is_some_and(|records| records >= wanted * SHARE_MIN)
        && produce.number("latency_us/p99").is_some_and(|p99| p99 <= P99_US_MAX)
}

#[cfg(test)]
mod tests;
