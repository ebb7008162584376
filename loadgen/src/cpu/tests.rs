use super::*;

#[test]
fn a_name_with_blanks_and_parentheses_is_passed_over() {
    let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 75 0 0 20 0 9 0 1234";
    assert_eq!(ticks(stat), Some(325));
    assert_eq!(ticks("42 (cut"), None);
    assert_eq!(ticks("42 (cut) S 1 42"), None);
}

#[test]
fn our_own_time_is_known_and_no_process_has_pid_0() {
    assert!(seconds_of(std::process::id()).is_some());
    assert_eq!(seconds_of(0), None);
}
