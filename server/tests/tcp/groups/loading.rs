//! A coordinator that still reads its log: COORDINATOR_LOAD_IN_PROGRESS, and clients that come again.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, SyncGroupRequest,
};

use crate::support::members::{JOIN, Member, SYNC, commit, committed, group_id, text};
use crate::support::requests::create;
use crate::support::{Client, Folder, Server};

const LOAD_IN_PROGRESS: i16 = 14;
const REBALANCE_IN_PROGRESS: i16 = 27;

const SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=1",
    // Nothing of it is given up: there is to be something to read.
    "tora.offsets.compact.bytes=1073741824",
    "group.initial.rebalance.delay.ms=0",
];

const PARTITIONS: i32 = 1_000;
const COMMITS: i64 = 400;
/// How often it is tried to find the server loading.
const TRIES: usize = 5;

/// The server is held up; what it is asked meanwhile it finds when it goes on, and those it lets wait have waited too long.
fn hold_up(server: &Server, ask: impl FnOnce()) {
    let signal = |name: &str| {
        let pid = server.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("there is kill(1)").success());
    };
    signal("STOP");
    ask();
    thread::sleep(Duration::from_millis(700));
    signal("CONT");
}

/// Asks a server that has just been started everything that its coordinator answers, and checks that it is told to come again;
/// false if the coordinator had read its log before the last of them.
fn asked_while_it_loads(server: &Server, member: &Member, newcomer: &Member) -> bool {
    let describe = DescribeGroupsRequest::default().with_groups(vec![group_id("tool")]);
    let mut clients = Vec::new();
    let mut sent = Vec::new();
    hold_up(server, || {
        clients.extend((0..6).map(|_| server.connect()));
        sent = vec![
            clients[0].send(9, &commit("tool", "t", &[(0, 7)])),
            clients[1].send(JOIN, &newcomer.join_request()),
            clients[2].send(4, &member.heartbeat_request()),
            clients[3].send(SYNC, &member.sync_request(&[])),
            clients[4].send(4, &ListGroupsRequest::default()),
            clients[5].send(5, &describe),
        ];
    });
    let [commits, joins, beats, syncs, lists, describes] = &mut clients[..] else { panic!("six clients") };
    let sent: Vec<i32> = sent.into_iter().map(|id| id.expect("it is not read yet")).collect();
    // Heartbeats and SyncGroup have no such error for older clients: all is well, and join again.
    assert_eq!(beats.response::<HeartbeatRequest>(4, sent[2]).error_code, 0);
    let answers = [
        commits.response::<OffsetCommitRequest>(9, sent[0]).topics[0].partitions[0].error_code,
        joins.response::<JoinGroupRequest>(JOIN, sent[1]).error_code,
        syncs.response::<SyncGroupRequest>(SYNC, sent[3]).error_code,
        lists.response::<ListGroupsRequest>(4, sent[4]).error_code,
        describes.response::<DescribeGroupsRequest>(5, sent[5]).groups[0].error_code,
    ];
    println!("{answers:?}");
    let [commit, join, sync, list, describe] = answers;
    sync == REBALANCE_IN_PROGRESS && [commit, join, list, describe] == [LOAD_IN_PROGRESS; 4]
}

#[test]
fn who_asks_too_early_is_told_to_come_again() {
    let server = Server::start(SETTINGS);
    let mut client = server.connect();
    create(&mut client, "t", PARTITIONS);
    let mut member = Member::new(&server.address, "members");
    member.session_ms = 60_000;
    member.join_alone(&[0]);
    for offset in 1..=COMMITS {
        let all: Vec<(i32, i64)> = (0..PARTITIONS).map(|partition| (partition, offset)).collect();
        let response = client.call(9, &commit("tool", "t", &all));
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    let mut newcomer = Member::new(&server.address, "newcomers");
    let mut folder = server.kill();
    // A busy machine may hold the test up until the log has been read: then once more.
    let server = (0..TRIES).find_map(|_| {
        let server = Server::start_in(std::mem::replace(&mut folder, Folder::new()), SETTINGS);
        if asked_while_it_loads(&server, &member, &newcomer) {
            return Some(server);
        }
        client_again(&server).call(9, &commit("tool", "t", &[(0, COMMITS)]));
        folder = server.kill();
        None
    });
    let server = server.expect("it was found loading at least once");

    let describe = DescribeGroupsRequest::default().with_groups(vec![group_id("tool")]);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let response = client_again(&server).call(5, &describe);
        if response.groups[0].error_code == 0 {
            break;
        }
        assert_eq!(response.groups[0].error_code, LOAD_IN_PROGRESS);
        assert!(Instant::now() < deadline, "it should have read its log");
    }
    let mut client = client_again(&server);
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    assert_eq!(committed(&mut client, "tool", "t", &partitions), vec![COMMITS; 1_000]);
    member.client = client_again(&server);
    assert_eq!(member.heartbeat(), 0, "it is a member as it was");
    newcomer.client = client_again(&server);
    newcomer.join_alone(&[0]);
}

fn client_again(server: &Server) -> Client {
    let mut client = server.connect();
    assert_eq!(client.call(2, &FindCoordinatorRequest::default().with_key(text("tool"))).error_code, 0);
    client
}
