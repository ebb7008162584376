//! A thousand partitions against four, the same load on both.

use serde_json::json;

use super::Setup;
use super::report::Report;
use super::rounds::{ratio, raw, run_tora, short, summary};

/// The part of the records per second that is left.
const RATIO_MIN: f64 = 0.7;
const FEW: [&str; 4] = ["--batch-records", "100", "--partitions", "4"];
const MANY: [&str; 4] = ["--batch-records", "100", "--partitions", "1000"];

/// Measures them in turn.
pub fn against_few(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for round in 1..=setup.rounds {
        few.push(run_tora(setup, &format!("partitions-4-{round}"), "produce", &FEW, &[])?);
        many.push(run_tora(setup, &format!("partitions-1000-{round}"), "produce", &MANY, &[])?);
        report.progress(&format!(
            "partitions {round}/{}: 4: {}; 1,000: {}",
            setup.rounds,
            short(&few[few.len() - 1]),
            short(&many[many.len() - 1])
        ));
    }
    let ratio = ratio(&many, &few, |f| f.records_per_second);
    report.check(
        "1,000 partitions against 4, batches of 100, flushed: records/s",
        &format!("≥ {RATIO_MIN} ×"),
        &format!("{ratio:.2} × (1,000: {}; 4: {})", summary(&many), summary(&few)),
        ratio >= RATIO_MIN,
    );
    report.detail(
        "many_partitions",
        json!({
            "ratio": ratio,
            "few": raw(&few),
            "many": raw(&many),
        }),
    );
    Ok(())
}
