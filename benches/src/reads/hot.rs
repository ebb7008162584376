//! The broker's CPU time for a GB that consumers read from its memory.
//!
//! Four connections, a partition each, read the last megabytes of their partition over and over, and nobody produces: so
//! the figure is the consumers' alone. In the load generator's phase `consume_hot` it cannot be told from the producers'.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::consumer::{Consumer, Stretch, fill};
use crate::accept::probe::Probe;
use crate::accept::report::Report;
use crate::accept::{Setup, data_folder, median, remove_data};

/// CPU-seconds for 10⁹ bytes of batches.
const CPU_SECONDS_MAX: f64 = 0.35;
/// Records of the stretch that is read: about two megabytes, well within what memory holds of each partition.
const RECORDS: i64 = 20_000;
const FILL: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_millis(300);

/// Measures it.
pub fn hot(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("reads-hot")?;
    let server = setup.start_tora(&folder, &[])?;
    let data = data_folder(&folder);
    let topic = fill(setup, &server, FILL, &data, &folder)?;
    let ends = Probe::connect(&server.address)?.ends(&topic)?;
    let consumers = ends.iter().map(|(partition, end)| {
        let stretch = Stretch { partition: *partition, from: (end - RECORDS).max(0), to: *end };
        Consumer::start(&server.address, &topic, vec![stretch])
    });
    let consumers = consumers.collect::<Result<Vec<_>, _>>()?;
    let bytes = || consumers.iter().map(Consumer::bytes).sum::<u64>();
    thread::sleep(WARM_UP);
    let cold_before = server.disk_read_bytes()?;
    let (mut cpu, mut speed) = (Vec::new(), Vec::new());
    for round in 1..=setup.rounds {
        let (cpu_before, bytes_before) = (server.cpu_seconds()?, bytes());
        thread::sleep(setup.generator.duration / 4);
        let gigabytes = (bytes() - bytes_before) as f64 / 1e9;
        cpu.push((server.cpu_seconds()? - cpu_before) / gigabytes);
        speed.push(gigabytes / (setup.generator.duration / 4).as_secs_f64());
        report.progress(&format!(
            "consume_hot {round}/{}: {:.2} GB/s, {:.3} cpu-s/GB",
            setup.rounds,
            speed[speed.len() - 1],
            cpu[cpu.len() - 1]
        ));
    }
    let cold_bytes = server.disk_read_bytes()? - cold_before;
    for consumer in consumers {
        consumer.stop()?;
    }
    server.stop()?;
    remove_data(&folder)?;
    if cold_bytes > 0 {
        return Err(format!("{cold_bytes} bytes were read from the disk: the figures are not memory's"));
    }
    let middle = |of: &[f64]| median(of.iter().copied()).expect("there is at least one round");
    report.check(
        "consume_hot: broker's CPU time for a GB consumed",
        &format!("≤ {CPU_SECONDS_MAX} s"),
        &format!("{:.3} s (at {:.2} GB/s)", middle(&cpu), middle(&speed)),
        middle(&cpu) <= CPU_SECONDS_MAX,
    );
    report.detail("reads_hot", json!({ "cpu_seconds_per_gb": cpu, "gb_per_second": speed }));
    Ok(())
}
