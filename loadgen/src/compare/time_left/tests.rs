use super::*;

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

#[test]
fn what_is_left_follows_what_was_seen() {
    let time = TimeLeft { expected: Shared::new(minutes(30)), finished: Shared::default() };
    assert_eq!((time.left(), time.words().as_str()), (minutes(30), "30 min"));
    time.done(minutes(10), minutes(10));
    assert_eq!(time.left(), minutes(20));
    time.done(minutes(10), minutes(34));
    assert!(time.left() > minutes(15) && time.left() < minutes(25), "twice as slow: {:?}", time.left());
    time.done(minutes(20), minutes(20));
    assert_eq!(time.words(), "0 s");
}
