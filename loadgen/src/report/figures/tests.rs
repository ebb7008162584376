use serde_json::json;

use super::*;

#[test]
fn figures_are_found_by_their_path() {
    let summary = json!({ "a": { "b": 1.5, "c": "text", "d": true } });
    let figures = Figures(&summary);
    assert_eq!(figures.number("a/b"), Some(1.5));
    assert_eq!(figures.text("a/c"), Some("text"));
    assert!(figures.is("a/d") && !figures.is("a/b"));
    assert_eq!(figures.show("a/b", two_digits), "1.50");
    assert_eq!(figures.show("a/x/y", two_digits), UNKNOWN);
}

#[test]
fn units_follow_the_size() {
    let text = |text: String| text.replace('\u{a0}', " ");
    for (us, expected) in [(7.0, "7 µs"), (1234.0, "1.23 ms"), (12_345.0, "12.3 ms"), (2_500_000.0, "2.50 s")]
    {
        assert_eq!(text(micros(us)), expected);
    }
    for (size, expected) in [(12.0, "12 B"), (1500.0, "1.5 kB"), (3e6, "3 MB"), (4.5e9, "4.50 GB")] {
        assert_eq!(text(bytes(size)), expected);
    }
    for (number, expected) in [(0.0, "0"), (800.0, "800"), (800e3, "800 k"), (1.5e6, "1.5 M"), (20e6, "20 M")]
    {
        assert_eq!(round_count(number), expected);
    }
    assert_eq!([0.0, 0.05, 1.5, 100.0].map(round_number), ["0", "0.05", "1.5", "100"]);
    assert_eq!(text(percent(0.256)), "26 %");
    assert_eq!((one_digit(12.34), one_digit(123.4)), ("12.3".into(), "123".into()));
}
