//! Committed means on the disk.

use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{DeleteTopicsRequest, FindCoordinatorRequest, ListGroupsRequest};

use crate::support::members::{Member, commit, committed, text};
use crate::support::requests::{batch, create, creation, metadata, name, produce, produced};
use crate::support::{Client, Server};

fn connect(server: &Server) -> Client {
    let mut client = server.connect();
    assert_eq!(client.call(2, &FindCoordinatorRequest::default().with_key(text("any"))).error_code, 0);
    client
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let mut server = Server::start(&[]);
    let mut client = connect(&server);
    create(&mut client, "t", 2);
    for round in 0..5_i64 {
        let mut client = connect(&server);
        // Groups on all partitions of the coordinators' topic, and so on both cores.
        for number in 0..60 {
            let group = format!("group-{number}");
            let before = if round == 0 { -1 } else { round * 1_000 + number - 1_000 };
            assert_eq!(committed(&mut client, &group, "t", &[0, 1]), [before, before]);
            let offset = round * 1_000 + number;
            let response = client.call(9, &commit(&group, "t", &[(0, offset), (1, offset)]));
            assert_eq!(response.topics[0].partitions[0].error_code, 0);
        }
        server = Server::start_in(server.kill(), &[]);
    }
}

#[test]
fn a_members_commits_are_its_groups() {
    let server = Server::start(&["group.initial.rebalance.delay.ms=0"]);
    let mut client = connect(&server);
    create(&mut client, "t", 2);
    let mut member = Member::new(&server.address, "g");
    member.join_alone(&[0, 1]);
    assert_eq!(member.commit("t", &[(0, 5), (1, 6)]), 0);
    let outsider = client.call(9, &commit("g", "t", &[(0, 9)]));
    assert_eq!(outsider.topics[0].partitions[0].error_code, 25, "the group has members, and this is none");
    member.generation += 1;
    assert_eq!(member.commit("t", &[(0, 7)]), 22);
    let server = Server::start_in(server.kill(), &[]);
    member.client = server.connect();
    member.generation -= 1;
    assert_eq!(committed(&mut member.client, "g", "t", &[0, 1]), [5, 6]);
    assert_eq!(member.commit("t", &[(0, 7)]), 0, "it goes on where it was");
}

#[test]
fn a_topic_made_again_begins_anew() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    create(&mut client, "t", 1);
    assert_eq!(client.call(9, &commit("g", "t", &[(0, 5)])).topics[0].partitions[0].error_code, 0);
    let gone = DeleteTopicState::default().with_name(Some(name("t")));
    let response = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![gone]));
    assert_eq!(response.responses[0].error_code, 0);
    assert_eq!(committed(&mut client, "g", "t", &[0]), [-1]);
    create(&mut client, "t", 1);
    assert_eq!(committed(&mut client, "g", "t", &[0]), [-1], "the offset was another topic's");
    assert_eq!(client.call(9, &commit("g", "t", &[(0, 2)])).topics[0].partitions[0].error_code, 0);
    assert_eq!(committed(&mut client, "g", "t", &[0]), [2]);
}

/// The offset of the group's one partition goes, and the group with it: without waiting for the coordinators' check, which
/// is ten minutes away.
#[test]
fn a_topics_offsets_and_groups_go_with_it() {
    let server = Server::start(&[]);
    let mut client = connect(&server);
    create(&mut client, "t", 1);
    create(&mut client, "kept", 1);
    // Enough for both cores' coordinators.
    for number in 0..10 {
        let group = format!("group-{number}");
        let topic = if number == 0 { "kept" } else { "t" };
        let response = client.call(9, &commit(&group, topic, &[(0, 5)]));
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    let gone = DeleteTopicState::default().with_name(Some(name("t")));
    let response = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![gone]));
    assert_eq!(response.responses[0].error_code, 0);
    let groups = |client: &mut Client| -> Vec<String> {
        let response = client.call(4, &ListGroupsRequest::default());
        response.groups.iter().map(|group| group.group_id.to_string()).collect()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while groups(&mut client) != ["group-0"] {
        assert!(Instant::now() < deadline, "{:?} are left", groups(&mut client));
        thread::sleep(Duration::from_millis(10));
    }
    let server = Server::start_in(server.kill(), &[]);
    let mut client = connect(&server);
    assert_eq!(committed(&mut client, "group-0", "kept", &[0]), [5]);
    assert_eq!(groups(&mut client), ["group-0"]);
}

#[test]
fn the_coordinators_topic_is_the_brokers_own() {
    let server = Server::start(&["offsets.topic.num.partitions=7"]);
    let mut client = server.connect();
    // Even where a client's question makes it.
    let response = client.call(9, &metadata("__consumer_offsets"));
    let topic = &response.topics[0];
    assert_eq!((topic.error_code, topic.is_internal, topic.partitions.len()), (0, true, 7));
    create(&mut client, "t", 1);
    assert!(!client.call(9, &metadata("t")).topics[0].is_internal);
    let made = client.call(7, &creation("__consumer_offsets", 1));
    assert_eq!(made.topics[0].error_code, 17, "no client makes it");
    let response = client.call(9, &produce("__consumer_offsets", 0, batch(&["x"])));
    assert_eq!(produced(&response).error_code, 17, "no client writes there");
    let gone = DeleteTopicState::default().with_name(Some(name("__consumer_offsets")));
    let response = client.call(6, &DeleteTopicsRequest::default().with_topics(vec![gone]));
    assert_eq!(response.responses[0].error_code, 17, "or deletes it");
}
