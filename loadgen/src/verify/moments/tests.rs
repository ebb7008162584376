use super::*;

#[test]
fn a_seed_gives_the_same_moments_again() {
    assert_eq!(Moments::new(7, 20, None), Moments::new(7, 20, None));
    assert_ne!(Moments::new(7, 20, None).lives(), Moments::new(8, 20, None).lives());
}

#[test]
fn the_lives_share_the_time() {
    let all = Duration::from_secs(30);
    let moments = Moments::new(1, 20, Some(all));
    assert_eq!(moments.lives().len(), 21);
    let sum: Duration = moments.lives().iter().sum();
    assert!(sum.abs_diff(all) < Duration::from_millis(1), "{sum:?}");
    assert!(moments.lives().iter().all(|life| !life.is_zero()));
    assert_eq!(Moments::new(1, 0, None).lives(), [UNDISTURBED]);
}
