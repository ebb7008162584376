use super::*;

#[test]
fn a_flush_moves_only_to_where_written_stood_at_its_submission() {
    let mut positions = Positions::recovered(Position::new(100));
    positions.append(50);
    positions.write_completed(Position::new(120));
    let then = positions.written_within(Position::new(1000));
    positions.write_completed(Position::new(150));
    positions.flush_completed(then);
    assert_eq!(positions.flushed().position(), Position::new(120));
    assert_eq!(positions.unflushed(), 30);
}

#[test]
#[should_panic(expected = "does not hold")]
fn nothing_is_written_before_it_is_appended() {
    Positions::recovered(Position::new(100)).write_completed(Position::new(101));
}

#[test]
#[should_panic(expected = "goes back")]
fn flushed_never_goes_back() {
    let mut positions = Positions::recovered(Position::new(100));
    let early = positions.written();
    positions.append(1);
    positions.write_completed(Position::new(101));
    positions.flush_completed(positions.written());
    positions.flush_completed(early);
}
