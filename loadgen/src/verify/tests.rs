use super::*;

fn findings() -> Findings {
    let all = Verdict { verified: 100, ..Verdict::default() };
    Findings { kills: Vec::new(), acknowledged: 100, resent: 0, following: all, again: all }
}

#[test]
fn each_record_once_in_both_readings_is_clean() {
    assert!(findings().is_clean());
    assert!(in_words(&findings()).starts_with("verified: 100 records"));
}

#[test]
fn anything_off_in_either_reading_is_not() {
    let spoilt: [fn(&mut Verdict); 6] = [
        |v| v.lost = 1,
        |v| v.duplicated = 1,
        |v| v.reordered = 1,
        |v| v.corrupt = 1,
        |v| v.verified = 99,
        |v| v.verified = 101,
    ];
    for spoil in spoilt {
        let (mut first, mut second) = (findings(), findings());
        spoil(&mut first.following);
        spoil(&mut second.again);
        assert!(!first.is_clean() && !second.is_clean());
        assert!(in_words(&first).starts_with("NOT verified"));
    }
}

#[test]
fn nothing_acknowledged_proves_nothing() {
    let nothing = Verdict::default();
    let empty = Findings { acknowledged: 0, following: nothing, again: nothing, ..findings() };
    assert!(!empty.is_clean());
}
