//! All figures of all phases in one table.

use maud::{Markup, html};

use super::super::figures::{Figures, bytes, count, micros, one_digit, percent, three_digits, two_digits};
use super::super::raw::Run;
use crate::cli::Phase;

/// A column: its head, where its figure lies in a phase, and how it is written.
pub struct Column {
    pub head: &'static str,
    pub path: &'static str,
    pub show: fn(f64) -> String,
}

const fn column(head: &'static str, path: &'static str, show: fn(f64) -> String) -> Column {
    Column { head, path, show }
}

/// How fast a phase was.
pub const SPEED: &[Column] = &[
    column("records/s", "records_per_second", count),
    column("MB/s", "megabytes_per_second", one_digit),
    column("p50", "latency_us/p50", micros),
    column("p90", "latency_us/p90", micros),
    column("p99", "latency_us/p99", micros),
    column("p99.9", "latency_us/p99_9", micros),
    column("p99.99", "latency_us/p99_99", micros),
    column("max", "latency_us/max", micros),
];

/// What it took.
pub const COST: &[Column] = &[
    column("broker CPU s/GB", "broker_cpu_seconds_per_gb", three_digits),
    column("broker CPU s/M records", "broker_cpu_seconds_per_million_records", three_digits),
    column("machine CPU s", "machine_cpu_seconds", one_digit),
    column("memory", "broker_resident_bytes", bytes),
    column("flushes/ack", "device_flushes_per_acknowledgement", two_digits),
    column("written/produced", "device_written_bytes_per_produced_byte", two_digits),
    column("by the broker", "broker_written_bytes_per_produced_byte", two_digits),
    column("disk read", "device_read_bytes", bytes),
    column("generator busy", "load_generator_busy_share", percent),
    column("late p50", "lateness_us/p50", micros),
    column("late p99", "lateness_us/p99", micros),
    column("late max", "lateness_us/max", micros),
];

/// The section with the tables.
pub fn render(runs: &[Run]) -> Markup {
    html! {
        section id="figures" {
            h2 { "All figures" }
            (table(runs, "Throughput and latency; MB are 10⁶ bytes of record values", SPEED, true))
            (table(
                runs,
                "What it took. The broker's CPU time is utime + stime, bytes and flushes are the whole device's, whoever \
                 asked for them; late is how far behind its schedule the load generator sent (open loop)",
                COST,
                false,
            ))
        }
    }
}

fn table(runs: &[Run], caption: &str, columns: &[Column], with_producers: bool) -> Markup {
    html! {
        p.caption { (caption) }
        div.scroll {
            table {
                thead { tr { th { } @for column in columns { th scope="col" { (column.head) } } } }
                tbody {
                    @for phase in Phase::ALL {
                        @for run in runs.iter().filter(|run| run.phase(phase.name()).is_some()) {
                            @let figures = run.phase_figures(phase.name());
                            @let whose = if runs.len() > 1 { format!(" · {}", run.name) } else { String::new() };
                            (row(&format!("{}{whose}", phase.name()), figures, columns))
                            @if with_producers && figures.at("producing").is_object() {
                                (row("… its producers", Figures(figures.at("producing")), columns))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(name: &str, figures: Figures<'_>, columns: &[Column]) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            @for column in columns { td { (figures.show(column.path, column.show)) } }
        }
    }
}
