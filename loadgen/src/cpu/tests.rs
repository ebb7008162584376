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

#[test]
fn the_machines_busy_time_is_neither_idle_nor_stolen() {
    const STAT: &str = "cpu  100 20 30 4000 500 6 7 800 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 1\n";
    let machine = Machine::parse(STAT, 100.0).expect("all of it is there");
    assert_eq!(machine.busy_seconds, 1.63, "100 + 20 + 30 + 6 + 7 ticks");
    assert_eq!(machine.stolen_seconds, 8.0);
    assert_eq!(machine.processors, 1, "the sum of all is none");
    assert_eq!(Machine::parse("cpu  1 2 3\ncpu0 1 2 3\n", 100.0), None);
    assert!(Machine::now().is_some_and(|machine| machine.busy_seconds > 0.0));
}

#[test]
fn resident_memory_is_in_kibibytes() {
    assert_eq!(resident_bytes("Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t   12 kB\n"), Some(12 * 1024));
    assert_eq!(resident_bytes("Name:\tkthreadd\n"), None);
    assert!(resident_bytes_of(std::process::id()) > Some(0));
}

#[test]
fn bytes_written_stand_on_a_line_of_their_own() {
    let io = "rchar: 10\nwchar: 20\nread_bytes: 30\nwrite_bytes: 40960\ncancelled_write_bytes: 50\n";
    assert_eq!(written_bytes(io), Some(40_960));
    assert_eq!(written_bytes("rchar: 10\n"), None);
}
