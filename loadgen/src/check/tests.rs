use super::*;
use crate::clock::Nanos;

const PARTITION: i32 = 3;

fn check(arrivals: &[(u16, u64)], due: &[(u16, u64)]) -> Verdict {
    let mut check = PartitionCheck::default();
    for &(session, sequence) in arrivals {
        check.arrived(&Stamp { session: SessionId(session), sequence, sent: Nanos(0) });
    }
    let due: Vec<_> = due
        .iter()
        .map(|&(session, records)| Acknowledged {
            session: SessionId(session),
            partition: PARTITION,
            records,
        })
        .collect();
    let complete = due.iter().all(|due| check.has_all(due.session, due.records));
    let verdict = check.verdict(PARTITION, &due);
    assert_eq!(complete, verdict.lost == 0);
    verdict
}

#[test]
fn everything_in_order_is_clean() {
    let verdict = check(&[(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)], &[(0, 3), (1, 2)]);
    assert_eq!(verdict, Verdict { verified: 5, ..Verdict::default() });
    assert!(verdict.is_clean());
}

#[test]
fn a_gap_is_a_loss() {
    let verdict = check(&[(0, 0), (0, 3)], &[(0, 4)]);
    assert_eq!((verdict.verified, verdict.lost), (2, 2));
    assert!(!verdict.is_clean());
}

#[test]
fn a_missing_end_and_a_missing_session_are_losses() {
    assert_eq!(check(&[(0, 0)], &[(0, 3), (7, 5)]).lost, 7);
}

#[test]
fn what_was_never_acknowledged_is_no_loss() {
    assert_eq!(check(&[(0, 0), (0, 1)], &[(0, 1)]), Verdict { verified: 2, ..Verdict::default() });
    assert_eq!(check(&[(0, 0), (0, 9)], &[(0, 1)]).lost, 0);
}

#[test]
fn a_record_twice_is_a_duplicate() {
    let verdict = check(&[(0, 0), (0, 1), (0, 0), (0, 1), (0, 2)], &[(0, 3)]);
    assert_eq!(verdict, Verdict { verified: 3, duplicated: 2, ..Verdict::default() });
}

#[test]
fn a_late_record_is_out_of_order_and_not_lost() {
    let verdict = check(&[(0, 0), (0, 5), (0, 2), (0, 1), (0, 4), (0, 3)], &[(0, 6)]);
    assert_eq!(verdict, Verdict { verified: 6, reordered: 4, ..Verdict::default() });
    assert!(!verdict.is_clean());
}

#[test]
fn a_late_record_twice_is_late_once_and_then_a_duplicate() {
    let verdict = check(&[(0, 2), (0, 1), (0, 1)], &[(0, 3)]);
    assert_eq!(verdict, Verdict { verified: 2, lost: 1, duplicated: 1, reordered: 1, corrupt: 0 });
}

#[test]
fn other_partitions_are_not_missed_here() {
    let due = [Acknowledged { session: SessionId(0), partition: PARTITION + 1, records: 9 }];
    assert_eq!(PartitionCheck::default().verdict(PARTITION, &due).lost, 0);
}
