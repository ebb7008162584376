//! A group's member, spelt out: what a client library does, one request at a time.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Client;
use super::requests::name;

/// The versions that members speak here.
pub const JOIN: i16 = 9;
pub const SYNC: i16 = 5;

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn group_id(group: &str) -> GroupId {
    GroupId(text(group))
}

/// A member on a connection of its own.
pub struct Member {
    pub client: Client,
    pub group: String,
    pub id: String,
    pub instance: Option<String>,
    pub generation: i32,
    pub session_ms: i32,
}

impl Member {
    /// One that has found the group's coordinator, and no more.
    pub fn new(address: &str, group: &str) -> Self {
        let mut client = Client::connect(address);
        let found = client.call(2, &FindCoordinatorRequest::default().with_key(text(group)));
        assert_eq!(found.error_code, 0);
        let (id, group) = (String::new(), group.to_owned());
        Self { client, group, id, instance: None, generation: -1, session_ms: 10_000 }
    }

    /// A static one.
    pub fn of_instance(address: &str, group: &str, instance: &str) -> Self {
        Self { instance: Some(instance.to_owned()), ..Self::new(address, group) }
    }

    pub fn join_request(&self) -> JoinGroupRequest {
        let protocol =
            JoinGroupRequestProtocol::default().with_name(text("own")).with_metadata(subscription());
        JoinGroupRequest::default()
            .with_group_id(group_id(&self.group))
            .with_session_timeout_ms(self.session_ms)
            .with_rebalance_timeout_ms(20_000)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    }

    /// Asks to join, knowing its id by the end of it; the answer is still to be read.
    pub fn send_join(&mut self) -> i32 {
        if self.id.is_empty() && self.instance.is_none() {
            let told = self.client.call(JOIN, &self.join_request());
            assert_eq!(told.error_code, 79, "it is told its id first");
            self.id = told.member_id.to_string();
        }
        self.client.send(JOIN, &self.join_request()).expect("the server reads")
    }

    /// The answer to [`Member::send_join`].
    pub fn joined(&mut self, correlation_id: i32) -> JoinGroupResponse {
        let joined = self.client.response::<JoinGroupRequest>(JOIN, correlation_id);
        if joined.error_code == 0 {
            self.id = joined.member_id.to_string();
            self.generation = joined.generation_id;
        }
        joined
    }

    pub fn sync_request(&self, shares: &[(String, Vec<i32>)]) -> SyncGroupRequest {
        let shares = shares.iter().map(|(id, share)| {
            SyncGroupRequestAssignment::default().with_member_id(text(id)).with_assignment(encode(share))
        });
        SyncGroupRequest::default()
            .with_group_id(group_id(&self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text))
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("own")))
            .with_assignments(shares.collect())
    }

    pub fn sync(&mut self, shares: &[(String, Vec<i32>)]) -> SyncGroupResponse {
        self.client.call(SYNC, &self.sync_request(shares))
    }

    /// Joins alone and takes these partitions.
    pub fn join_alone(&mut self, partitions: &[i32]) {
        let sent = self.send_join();
        let joined = self.joined(sent);
        assert_eq!((joined.error_code, &joined.leader), (0, &joined.member_id));
        let synced = self.sync(&[(self.id.clone(), partitions.to_vec())]);
        assert_eq!((synced.error_code, decode(&synced.assignment)), (0, partitions.to_vec()));
    }

    pub fn heartbeat_request(&self) -> HeartbeatRequest {
        HeartbeatRequest::default()
            .with_group_id(group_id(&self.group))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text))
    }

    pub fn heartbeat(&mut self) -> i16 {
        let request = self.heartbeat_request();
        self.client.call(4, &request).error_code
    }

    pub fn leave(&mut self) -> i16 {
        let member = MemberIdentity::default()
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text));
        let request =
            LeaveGroupRequest::default().with_group_id(group_id(&self.group)).with_members(vec![member]);
        let response = self.client.call(5, &request);
        assert_eq!(response.error_code, 0);
        response.members[0].error_code
    }

    /// Commits; the error of the first partition.
    pub fn commit(&mut self, topic: &str, offsets: &[(i32, i64)]) -> i16 {
        let request = commit(&self.group, topic, offsets)
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(text(&self.id))
            .with_group_instance_id(self.instance.as_deref().map(text));
        self.client.call(9, &request).topics[0].partitions[0].error_code
    }
}

/// An OffsetCommit request of nobody in particular.
pub fn commit(group: &str, topic: &str, offsets: &[(i32, i64)]) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(partition, offset)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text("kept")))
    });
    let topic =
        OffsetCommitRequestTopic::default().with_name(name(topic)).with_partitions(partitions.collect());
    OffsetCommitRequest::default().with_group_id(group_id(group)).with_topics(vec![topic])
}

/// What a group has committed for some partitions: −1 for nothing.
pub fn committed(client: &mut Client, group: &str, topic: &str, partitions: &[i32]) -> Vec<i64> {
    let topic = OffsetFetchRequestTopics::default()
        .with_name(name(topic))
        .with_partition_indexes(partitions.to_vec());
    let group =
        OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(Some(vec![topic]));
    let response = client.call(8, &OffsetFetchRequest::default().with_groups(vec![group]));
    let group = &response.groups[0];
    assert_eq!(group.error_code, 0);
    assert!(group.topics[0].partitions.iter().all(|partition| partition.error_code == 0));
    group.topics[0].partitions.iter().map(|partition| partition.committed_offset).collect()
}

/// A subscription to topic "t", as consumers write it.
pub fn subscription() -> Bytes {
    Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff")
}

/// A share, in these members' own form.
pub fn encode(partitions: &[i32]) -> Bytes {
    partitions.iter().flat_map(|partition| partition.to_be_bytes()).collect()
}

pub fn decode(share: &[u8]) -> Vec<i32> {
    share.chunks(4).map(|bytes| i32::from_be_bytes(*bytes.first_chunk().expect("four bytes each"))).collect()
}
