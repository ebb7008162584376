use super::*;

#[test]
fn marks_are_round_and_within_the_axis() {
    assert_eq!(marks(-0.5, 1.0), [0.5, 1.0, 2.0, 5.0, 10.0]);
    assert_eq!(marks(-2.0, 2.0), [0.01, 0.1, 1.0, 10.0, 100.0]);
    assert_eq!([0.01, 0.5, 1.0, 20.0].map(label), ["0.01 ×", "0.5 ×", "1 ×", "20 ×"]);
}

#[test]
fn the_axis_holds_the_widest_spread() {
    let spread = Spread { median: 30.0, least: 0.01, most: 900.0, rounds: 3 };
    let (low, high) = range(&[Row { label: String::new(), marks: vec![(0, spread)] }]);
    assert!(low < -2.0 && high > 2.9, "{low} {high}");
    assert_eq!(range(&[]), (-0.5, 1.0), "1 lies within in any case");
}
