//! Every group request at every version.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};

use crate::support::members::{Member, commit, committed, encode, group_id, subscription, text};
use crate::support::requests::{create, metadata, name};
use crate::support::{Client, Server};

fn server() -> Server {
    Server::start(&["group.initial.rebalance.delay.ms=0"])
}

/// A connection that has the coordinators' topic made.
fn connect(server: &Server) -> Client {
    let mut client = server.connect();
    assert_eq!(client.call(2, &FindCoordinatorRequest::default().with_key(text("any"))).error_code, 0);
    client
}

/// Joins at `version`, with the detour over an id where there is one. The response has what that version has.
fn join(client: &mut Client, member: &mut Member, version: i16) {
    let mut request = member.join_request();
    if version == 0 {
        request = request.with_rebalance_timeout_ms(-1);
    }
    let mut joined = client.call(version, &request);
    if version >= 4 {
        assert_eq!((joined.error_code, joined.generation_id), (79, -1));
        request = request.with_member_id(joined.member_id);
        joined = client.call(version, &request);
    }
    assert_eq!((joined.error_code, joined.generation_id), (0, 1), "version {version}");
    assert_eq!(joined.protocol_name, Some(text("own")));
    assert_eq!(joined.protocol_type, (version >= 7).then(|| text("consumer")));
    assert_eq!(joined.leader, joined.member_id);
    assert_eq!((joined.members.len(), &joined.members[0].metadata), (1, &subscription()));
    assert!(joined.member_id.starts_with("a test-"), "{}", &*joined.member_id);
    member.id = joined.member_id.to_string();
    member.generation = 1;
}

#[test]
fn members_at_every_version() {
    let server = server();
    let mut client = connect(&server);
    for join_version in 0..=9_i16 {
        let mut member = Member::new(&server.address, &format!("g{join_version}"));
        join(&mut client, &mut member, join_version);
        let sync_version = join_version.min(5);
        let mut request = member.sync_request(&[(member.id.clone(), vec![1, 2])]);
        if sync_version < 5 {
            request = request.with_protocol_name(None).with_protocol_type(None);
        }
        let synced = client.call(sync_version, &request);
        assert_eq!((synced.error_code, &synced.assignment), (0, &encode(&[1, 2])));
        assert_eq!(synced.protocol_name, (sync_version == 5).then(|| text("own")));
        let refused = client.call(sync_version, &request.clone().with_generation_id(9));
        assert_eq!((refused.error_code, refused.assignment.len()), (22, 0));
        if sync_version == 5 {
            let other = client.call(5, &request.with_protocol_name(Some(text("other"))));
            assert_eq!(other.error_code, 23, "the two sides must agree");
        }

        let heartbeat = HeartbeatRequest::default()
            .with_group_id(group_id(&member.group))
            .with_generation_id(1)
            .with_member_id(text(&member.id));
        let version = join_version.min(4);
        assert_eq!(client.call(version, &heartbeat).error_code, 0);
        let unknown = heartbeat.with_member_id(text("unknown"));
        assert_eq!(client.call(version, &unknown).error_code, 25);

        let version = join_version.min(5);
        let leave = LeaveGroupRequest::default().with_group_id(group_id(&member.group));
        let leave = if version < 3 {
            leave.with_member_id(text(&member.id))
        } else {
            let member = MemberIdentity::default().with_member_id(text(&member.id));
            leave.with_members(vec![member])
        };
        for error in [0, 25] {
            let left = client.call(version, &leave);
            let found = left.members.first().map_or(left.error_code, |member| member.error_code);
            assert_eq!(found, error, "version {version}");
        }
    }
}

#[test]
fn offsets_at_every_version() {
    let server = server();
    let mut client = connect(&server);
    create(&mut client, "t", 3);
    for version in 2..=9 {
        let request = commit("g", "t", &[(0, 10 + i64::from(version)), (7, 1)]);
        let request = if version < 7 { request.with_group_instance_id(None) } else { request };
        let response = client.call(version, &request);
        let errors: Vec<i16> = response.topics[0].partitions.iter().map(|one| one.error_code).collect();
        assert_eq!(errors, [0, 3], "version {version}: there are three partitions");
        assert_eq!(committed(&mut client, "g", "t", &[0, 1]), [10 + i64::from(version), -1]);
    }
    for version in 1..=9 {
        let partitions =
            if version < 8 { fetch_one(&mut client, version) } else { fetch_many(&mut client, version) };
        assert_eq!(
            partitions,
            [(0, 19, Some(text("kept")), 0), (2, -1, Some(text("")), 0)],
            "version {version}"
        );
    }
    // All that a group has, of whatever topic.
    for version in 2..=7 {
        let all = OffsetFetchRequest::default().with_group_id(group_id("g")).with_topics(None);
        let response = client.call(version, &all);
        assert_eq!((response.topics.len(), response.topics[0].partitions.len()), (1, 1));
        let nobody = all.with_group_id(group_id("nobody"));
        assert_eq!(client.call(version, &nobody).topics.len(), 0);
    }
    let long = "x".repeat(4_097);
    let mut request = commit("g", "t", &[(0, 1), (1, 2)]);
    request.topics[0].partitions[0].committed_metadata = Some(text(&long));
    let response = client.call(9, &request);
    let errors: Vec<i16> = response.topics[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!(errors, [12, 0], "what a client keeps is limited");
    let unknown = client.call(9, &commit("g", "unknown", &[(0, 1)]));
    assert_eq!(unknown.topics[0].partitions[0].error_code, 3);
}

type Found = (i32, i64, Option<kafka_protocol::protocol::StrBytes>, i16);

fn fetch_one(client: &mut Client, version: i16) -> Vec<Found> {
    let topic = OffsetFetchRequestTopic::default().with_name(name("t")).with_partition_indexes(vec![0, 2]);
    let request = OffsetFetchRequest::default().with_group_id(group_id("g")).with_topics(Some(vec![topic]));
    let response = client.call(version, &request);
    assert_eq!(response.error_code, 0);
    let found = response.topics[0].partitions.iter();
    found
        .map(|one| (one.partition_index, one.committed_offset, one.metadata.clone(), one.error_code))
        .collect()
}

fn fetch_many(client: &mut Client, version: i16) -> Vec<Found> {
    let topic = OffsetFetchRequestTopics::default().with_name(name("t")).with_partition_indexes(vec![0, 2]);
    let group = |group: &str| {
        OffsetFetchRequestGroup::default()
            .with_group_id(group_id(group))
            .with_topics(Some(vec![topic.clone()]))
    };
    let groups = vec![group("g"), group("other"), group("g"), group("third").with_topics(None)];
    let response = client.call(version, &OffsetFetchRequest::default().with_groups(groups));
    let names: Vec<&str> = response.groups.iter().map(|group| &*group.group_id.0).collect();
    assert_eq!(names, ["g", "other", "third"], "a group is told once");
    assert!(response.groups.iter().all(|group| group.error_code == 0));
    assert_eq!((response.groups[1].topics.len(), response.groups[2].topics.len()), (1, 0));
    let found = response.groups[0].topics[0].partitions.iter();
    found
        .map(|one| (one.partition_index, one.committed_offset, one.metadata.clone(), one.error_code))
        .collect()
}

/// OffsetCommit and OffsetFetch 10, by hand: the other codec does not have them yet. Strings and arrays are compact.
#[test]
fn offsets_by_topic_id() {
    let server = server();
    let mut client = connect(&server);
    create(&mut client, "t", 3);
    let id = *client.call(12, &metadata("t")).topics[0].topic_id.as_bytes();
    for (topic, error) in [(id, 0_i16), ([5; 16], 100)] {
        let mut body = BytesMut::new();
        body.put_slice(b"\x02g\xff\xff\xff\xff\x01\x00\x02"); // group, generation, member, instance, one topic
        body.put_slice(&topic);
        body.put_slice(&[2, 0, 0, 0, 1]); // partition 1 …
        body.put_i64(77);
        body.put_i32(4);
        body.put_slice(b"\x03my\0\0\0"); // … with its metadata; the ends of three structures
        let response = call(&mut client, 8, 10, &body);
        let mut expected = vec![0, 0, 0, 0, 2];
        expected.extend_from_slice(&topic);
        expected.extend_from_slice(&[2, 0, 0, 0, 1]);
        expected.extend_from_slice(&error.to_be_bytes());
        expected.extend_from_slice(&[0, 0, 0]);
        assert_eq!(response, expected);
    }
    for (topic, offset, epoch, kept, error) in
        [(id, 77_i64, 4_i32, &b"\x03my"[..], 0_i16), ([5; 16], -1, -1, &b"\x01"[..], 100)]
    {
        let mut body = BytesMut::new();
        body.put_slice(b"\x02\x02g\x00\xff\xff\xff\xff\x02"); // one group: its id, no member, no epoch, one topic
        body.put_slice(&topic);
        body.put_slice(&[2, 0, 0, 0, 1, 0, 0, 0, 0]); // partition 1; ends, and nothing has to be stable
        let response = call(&mut client, 9, 10, &body);
        let mut expected = BytesMut::new();
        expected.put_slice(b"\0\0\0\0\x02\x02g\x02");
        expected.put_slice(&topic);
        expected.put_slice(&[2, 0, 0, 0, 1]);
        expected.put_i64(offset);
        expected.put_i32(epoch);
        expected.put_slice(kept);
        expected.put_i16(error);
        expected.put_slice(&[0, 0, 0, 0, 0, 0]);
        assert_eq!(response, expected);
    }
}

/// Sends a body with the header of another request, whose key and version are replaced; gives the response's body.
fn call(client: &mut Client, key: i16, version: i16, body: &[u8]) -> Bytes {
    use std::io::Write;
    let mut frame = client.frame(4, &HeartbeatRequest::default());
    let header = frame.len() - b"\x01\0\0\0\0\x01\x00\x00".len();
    frame.truncate(header);
    frame[4..6].copy_from_slice(&key.to_be_bytes());
    frame[6..8].copy_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(body);
    let length = i32::try_from(frame.len() - 4).expect("short").to_be_bytes();
    frame[..4].copy_from_slice(&length);
    client.stream.write_all(&frame).expect("the server reads");
    let response = client.read_frame().expect("a response");
    Bytes::from(response).slice(5..)
}

#[test]
fn groups_are_described_and_listed_at_every_version() {
    let server = server();
    let mut client = connect(&server);
    create(&mut client, "t", 3);
    let mut member = Member::new(&server.address, "stable");
    member.join_alone(&[0, 1]);
    assert_eq!(client.call(9, &commit("empty", "t", &[(0, 1)])).topics[0].partitions[0].error_code, 0);
    for version in 0..=6 {
        let groups = ["stable", "empty", "none", "stable"].map(group_id).to_vec();
        let response = client.call(version, &DescribeGroupsRequest::default().with_groups(groups));
        let states: Vec<_> =
            response.groups.iter().map(|group| (&*group.group_state, group.error_code)).collect();
        let unknown = if version >= 6 { 69 } else { 0 };
        assert_eq!(states, [("Stable", 0), ("Empty", 0), ("Dead", unknown)], "version {version}");
        assert_eq!(response.groups[2].error_message.is_some(), version >= 6);
        let stable = &response.groups[0];
        assert_eq!((&*stable.protocol_type, &*stable.protocol_data), ("consumer", "own"));
        let one = &stable.members[0];
        assert_eq!(
            (&*one.member_id, &*one.client_id, &*one.client_host),
            (&*member.id, "a test", "/127.0.0.1")
        );
        assert_eq!((&one.member_metadata, &one.member_assignment), (&subscription(), &encode(&[0, 1])));
    }
    for version in 0..=5 {
        let list = |client: &mut Client, states: &[&str], types: &[&str]| {
            let filter = |names: &[&str]| names.iter().map(|name| text(name)).collect();
            let request = ListGroupsRequest::default()
                .with_states_filter(filter(states))
                .with_types_filter(filter(types));
            let response = client.call(version, &request);
            assert_eq!(response.error_code, 0);
            response.groups.iter().map(|group| group.group_id.0.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(list(&mut client, &[], &[]), ["empty", "stable"], "version {version}");
        if version >= 4 {
            assert_eq!(list(&mut client, &["stable", "Dead"], &[]), ["stable"]);
        }
        if version >= 5 {
            assert_eq!(list(&mut client, &["Empty"], &["Classic"]), ["empty"]);
            assert_eq!(list(&mut client, &[], &["consumer"]), Vec::<String>::new());
        }
    }
}

#[test]
fn groups_and_offsets_are_deleted_at_every_version() {
    let server = server();
    let mut client = connect(&server);
    create(&mut client, "t", 3);
    let mut member = Member::new(&server.address, "busy");
    member.join_alone(&[0]);
    for version in 0..=2 {
        assert_eq!(client.call(9, &commit("g", "t", &[(0, 5)])).topics[0].partitions[0].error_code, 0);
        let names = ["g", "busy", "none"].map(group_id).to_vec();
        let response = client.call(version, &DeleteGroupsRequest::default().with_groups_names(names));
        let errors: Vec<_> =
            response.results.iter().map(|group| (&*group.group_id.0, group.error_code)).collect();
        assert_eq!(errors, [("g", 0), ("busy", 68), ("none", 69)], "version {version}");
        assert_eq!(committed(&mut client, "g", "t", &[0]), [-1]);
    }
    assert_eq!(client.call(9, &commit("g", "t", &[(0, 5), (1, 6)])).topics[0].partitions[0].error_code, 0);
    let partitions =
        [0, 9].map(|index| OffsetDeleteRequestPartition::default().with_partition_index(index)).to_vec();
    let topic = OffsetDeleteRequestTopic::default().with_name(name("t")).with_partitions(partitions);
    let request = OffsetDeleteRequest::default().with_group_id(group_id("g")).with_topics(vec![topic]);
    let response = client.call(0, &request);
    let errors: Vec<i16> = response.topics[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!((response.error_code, errors), (0, vec![0, 3]));
    assert_eq!(committed(&mut client, "g", "t", &[0, 1]), [-1, 6]);
    let response = client.call(0, &request.clone().with_group_id(group_id("busy")));
    assert_eq!(response.topics[0].partitions[0].error_code, 86, "its member reads the topic");
    assert_eq!(client.call(0, &request.with_group_id(group_id("none"))).error_code, 69);
}

#[test]
fn without_a_name_or_a_coordinator() {
    let server = server();
    let mut client = server.connect();
    let unknown = Member { client: server.connect(), ..Member::new(&server.address, "g") };
    let nameless = unknown.join_request().with_group_id(group_id(""));
    assert_eq!(client.call(9, &nameless).error_code, 24);
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.call(9, &unknown.join_request()).error_code, 16, "nobody has looked for a coordinator");
    assert_eq!(client.call(5, &SyncGroupRequest::default().with_group_id(group_id("g"))).error_code, 16);
    assert_eq!(client.call(5, &ListGroupsRequest::default()).groups.len(), 0);
}
