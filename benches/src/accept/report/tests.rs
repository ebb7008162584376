use super::*;

#[test]
fn one_miss_fails_the_report_and_a_note_does_not() {
    let mut report = Report::new(Path::new("unused"), Vec::new());
    report.check("a", "< 2", "1", true);
    report.note("b", "3");
    assert!(report.passed());
    report.check("c", "< 2", "3", false);
    assert!(!report.passed());
}

#[test]
fn a_part_that_could_not_be_measured_is_a_miss() {
    let mut report = Report::new(Path::new("unused"), Vec::new());
    report.failed("Recovery", "tora ended before it was ready");
    assert!(!report.passed());
    assert!(report.table().contains("tora ended before it was ready"));
}

#[test]
fn the_table_lines_up() {
    let mut report = Report::new(Path::new("unused"), Vec::new());
    report.check("short", "≥ 0.4 ×", "1", true);
    report.check("a longer name", "<", "22", false);
    let table = report.table();
    let widths: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
    assert_eq!(widths.len(), 4);
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}
