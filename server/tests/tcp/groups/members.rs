//! Members on connections of their own, and so on both cores.

use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::HeartbeatRequest;

use crate::support::Server;
use crate::support::members::{Member, decode};

fn server() -> Server {
    server_that_waits_for_members(200)
}

fn server_that_waits_for_members(ms: u64) -> Server {
    let delay = format!("group.initial.rebalance.delay.ms={ms}");
    Server::start(&[&delay, "group.min.session.timeout.ms=100"])
}

/// All join together, the leader deals out 12 partitions, and everybody syncs; gives the shares in the members' order.
fn rebalance(members: &mut [Member]) -> Vec<Vec<i32>> {
    let sent: Vec<i32> = members.iter_mut().map(Member::send_join).collect();
    let answers: Vec<_> = members.iter_mut().zip(sent).map(|(member, sent)| member.joined(sent)).collect();
    let generation = answers[0].generation_id;
    let mut leaders = 0;
    let mut shares = Vec::new();
    for answer in &answers {
        assert_eq!((answer.error_code, answer.generation_id), (0, generation));
        if answer.leader == answer.member_id {
            leaders += 1;
            let count = i32::try_from(answer.members.len()).expect("few");
            assert_eq!(answer.members.len(), answers.len());
            for (member, at) in answer.members.iter().zip(0..) {
                let share = (0..12).filter(|partition| partition % count == at).collect();
                shares.push((member.member_id.to_string(), share));
            }
        } else {
            assert_eq!(answer.members.len(), 0, "only the leader is told");
        }
    }
    assert_eq!(leaders, 1);
    let sync = |member: &mut Member| {
        let leads =
            answers.iter().any(|answer| answer.leader == answer.member_id && *answer.leader == member.id);
        let request = member.sync_request(if leads { &shares } else { &[] });
        member.client.send(5, &request).expect("the server reads")
    };
    let sent: Vec<i32> = members.iter_mut().map(sync).collect();
    let shares = members.iter_mut().zip(sent).map(|(member, sent)| {
        let synced = member.client.response::<kafka_protocol::messages::SyncGroupRequest>(5, sent);
        assert_eq!(synced.error_code, 0);
        decode(&synced.assignment)
    });
    shares.collect()
}

fn all_of(shares: &[Vec<i32>]) -> Vec<i32> {
    let mut all: Vec<i32> = shares.iter().flatten().copied().collect();
    all.sort_unstable();
    all
}

#[test]
fn shares_are_dealt_again_whenever_somebody_comes_or_goes() {
    // Time enough for all to join together, on a busy machine, too.
    let server = server_that_waits_for_members(2_000);
    let mut members: Vec<Member> = (0..4).map(|_| Member::new(&server.address, "g")).collect();
    let shares = rebalance(&mut members);
    assert_eq!(all_of(&shares), (0..12).collect::<Vec<_>>());
    assert!(shares.iter().all(|share| share.len() == 3));
    assert!(members.iter_mut().all(|member| member.heartbeat() == 0));

    let mut newcomer = Member::new(&server.address, "g");
    let sent = newcomer.send_join();
    assert!(members.iter_mut().all(|member| member.heartbeat() == 27), "all are told to join again");
    let mut gone = members.remove(0);
    assert_eq!(gone.leave(), 0);
    assert_eq!(gone.heartbeat(), 25);
    let rejoined: Vec<i32> = members.iter_mut().map(Member::send_join).collect();
    for (member, sent) in members.iter_mut().zip(rejoined) {
        assert_eq!(member.joined(sent).generation_id, 2);
    }
    assert_eq!(newcomer.joined(sent).generation_id, 2);
    members.push(newcomer);
    let shares = rebalance(&mut members);
    assert_eq!(all_of(&shares), (0..12).collect::<Vec<_>>());
}

#[test]
fn groups_keep_apart_on_whichever_core_they_are() {
    let server = server();
    let mut members: Vec<Member> =
        (0..16).map(|number| Member::new(&server.address, &format!("group-{number}"))).collect();
    let sent: Vec<i32> = members.iter_mut().map(Member::send_join).collect();
    for (member, sent) in members.iter_mut().zip(sent) {
        let joined = member.joined(sent);
        assert_eq!((joined.error_code, joined.members.len()), (0, 1));
        let synced = member.sync(&[(member.id.clone(), vec![7])]);
        assert_eq!((synced.error_code, decode(&synced.assignment)), (0, vec![7]));
    }
    // By a connection to either core.
    for member in members.iter_mut().take(4) {
        member.client = server.connect();
        assert_eq!(member.heartbeat(), 0);
    }
}

#[test]
fn requests_sent_at_once_are_answered_without_a_pause() {
    let server = server();
    let mut quick = 0;
    for number in 0..16 {
        let mut member = Member::new(&server.address, &format!("group-{number}"));
        member.join_alone(&[0]);
        let joined = Instant::now();
        let heartbeat = member.heartbeat_request();
        let sent: Vec<i32> =
            (0..5).map(|_| member.client.send(4, &heartbeat).expect("the server reads")).collect();
        for sent in sent {
            assert_eq!(member.client.response::<HeartbeatRequest>(4, sent).error_code, 0);
        }
        quick += u32::from(joined.elapsed() < Duration::from_secs(3));
    }
    // Each that lay on its way to another core would wait for the next tick, a second away; half the groups are there.
    assert!(quick > 12, "{quick} of 16");
}

#[test]
fn a_member_that_falls_silent_is_replaced() {
    let server = server();
    let mut silent = Member::new(&server.address, "g");
    silent.session_ms = 3_000;
    silent.join_alone(&[0, 1]);
    let began = Instant::now();
    while silent.heartbeat() == 0 && began.elapsed() < Duration::from_millis(4_500) {
        thread::sleep(Duration::from_millis(50));
    }
    assert!(began.elapsed() >= Duration::from_millis(4_500), "heartbeats keep it in");
    let mut other = Member::new(&server.address, "g");
    let sent = other.send_join();
    let joined = other.joined(sent);
    assert_eq!((joined.error_code, joined.members.len()), (0, 1), "the silent one is not waited for");
    assert!(began.elapsed() < Duration::from_secs(18), "not until the rebalance's own time is up");
    assert_eq!(silent.heartbeat(), 25);
}

#[test]
fn a_member_of_another_generation_is_told_so() {
    let server = server();
    let mut member = Member::new(&server.address, "g");
    member.join_alone(&[0]);
    member.generation = 9;
    assert_eq!(member.heartbeat(), 22);
    assert_eq!(member.sync(&[]).error_code, 22);
    member.session_ms = 99;
    let refused = member.client.call(9, &member.join_request());
    assert_eq!(refused.error_code, 26, "a session so short is not allowed");
}

#[test]
fn a_stopping_server_answers_who_waits() {
    let mut server = server();
    let mut first = Member::new(&server.address, "g");
    first.session_ms = 60_000;
    first.join_alone(&[0]);
    let mut second = Member::new(&server.address, "g");
    let sent = second.send_join();
    // Held up by who waits, it would give up on that connection before this is answered.
    let status = server.signal("TERM");
    assert!(status.success());
    assert_eq!(second.joined(sent).error_code, 16, "another coordinator is to be looked for");
}

#[test]
fn a_group_goes_on_after_the_broker_was_killed() {
    let server = server_that_waits_for_members(2_000);
    let mut members: Vec<Member> = (0..3).map(|_| Member::new(&server.address, "g")).collect();
    let shares = rebalance(&mut members);
    let server = Server::start_in(server.kill(), &["group.min.session.timeout.ms=100"]);
    for (member, share) in members.iter_mut().zip(shares) {
        member.client = server.connect();
        assert_eq!(member.heartbeat(), 0, "no rebalance is needed");
        let synced = member.sync(&[]);
        assert_eq!((synced.error_code, decode(&synced.assignment)), (0, share));
    }
}
