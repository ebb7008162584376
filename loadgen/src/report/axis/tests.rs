use super::*;

#[test]
fn every_nine_takes_as_much_room_as_the_one_before() {
    let at = |q: f64| (quantile(q, u64::MAX) * 1e6).round() / 1e6;
    assert_eq!([at(0.0), at(0.9), at(0.99), at(0.999)], [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(quantile(1.0, 10_000), 4.0, "ten thousand values have four nines");
    assert_eq!(quantile(0.999_999, 1000), 3.0);
}

#[test]
fn marks_say_what_lies_there() {
    let labels: Vec<_> = quantile_marks(4.5).into_iter().map(quantile_label).collect();
    assert_eq!(labels, ["50", "90", "99", "99.9", "99.99"]);
    let labels: Vec<_> = quantile_marks(7.5).into_iter().map(quantile_label).collect();
    assert_eq!(labels, ["50", "90", "99", "99.9", "99.99", "99.9999"], "more would not have room");
    let decades = decades(90, 45_000);
    let labels: Vec<_> = decade_marks(decades).into_iter().map(latency_label).collect();
    assert_eq!(labels, ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms"]);
    assert_eq!(latency_label(6.0), "1 s");
}

#[test]
fn one_value_still_has_an_axis() {
    assert_eq!(decades(100, 100), (2.0, 3.0));
    assert_eq!(decades(0, 0), (0.0, 1.0));
    assert_eq!(latency(0), 0.0);
}
