use super::super::tests::Results;
use super::*;

#[test]
fn each_interval_is_a_column_and_each_latency_a_row() {
    let results = Results::new("columns");
    let run = results.run();
    let latency = run.phase("produce").and_then(|phase| phase.latency.as_ref()).expect("it was timed");
    let columns = columns(latency);
    assert_eq!(columns.len(), 3);
    let cells: Vec<_> = columns.iter().flat_map(cells).collect();
    // Each second had one latency: 1, 2 and 3 ms, in rows of a tenth of a decade.
    let rows: Vec<_> = cells.iter().map(|cell| (cell.from.0, (cell.from.1 * 10.0).round())).collect();
    assert_eq!(rows, [(0.0, 30.0), (1.0, 33.0), (2.0, 34.0)]);
    assert!(cells.iter().all(|cell| cell.weight == 1.0), "all of a second's records: {cells:?}");
}

#[test]
fn long_runs_are_joined_into_columns_that_can_be_told_apart() {
    let mut histogram = crate::histogram::empty();
    histogram.saturating_record(100);
    let interval = |second| Interval {
        start: Duration::from_secs(second),
        length: Duration::from_secs(1),
        histogram: histogram.clone(),
    };
    let mut intervals: Vec<_> = (0..200).map(interval).collect();
    intervals.push(Interval { length: Duration::from_millis(20), ..interval(200) });
    let latency = Latencies { total: histogram.clone(), intervals };
    let columns = columns(&latency);
    assert!(columns.len() <= 90);
    assert_eq!(columns.iter().map(|column| column.histogram.len()).sum::<u64>(), 201, "nothing is dropped");
    let last = columns.last().expect("there are columns");
    assert_eq!(last.start + last.length, Duration::from_secs(200), "the late one widens nothing");
    assert_eq!(columns[0].length, Duration::from_secs(3));
}

#[test]
fn rare_latencies_are_light_and_never_invisible() {
    assert_eq!(shade(1.0), 1.0);
    assert!(shade(1e-3) > shade(1e-4) && shade(1e-9) >= 0.12);
}

#[test]
fn a_curve_rises_to_the_last_value() {
    let mut histogram = crate::histogram::empty();
    (1..=1000).for_each(|us| histogram.saturating_record(us));
    let line = curve(Ink::Run(0), Stroke::Solid, &histogram);
    assert!(line.points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{:?}", line.points);
    let (x, y) = *line.points.last().expect("there are points");
    assert_eq!(x, 3.0, "a thousand values have three nines");
    assert!((y - 3.0).abs() < 0.001);
}
