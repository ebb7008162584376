use super::*;

#[test]
fn the_median_is_the_middle_whatever_the_order() {
    assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median([4.0, 1.0, 3.0, 2.0]), Some(2.5));
    assert_eq!(median([7.0]), Some(7.0));
    assert_eq!(median([]), None);
}

#[test]
fn the_time_stamp_sorts_and_is_a_legal_name() {
    let stamp = stamp();
    assert!(stamp.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{stamp}");
}
