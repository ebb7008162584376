//! Static members (KIP-345).

use kafka_protocol::messages::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_request::MemberIdentity;

use crate::support::Server;
use crate::support::members::{Member, decode, group_id, text};

#[test]
fn they_come_back_as_who_they_were_and_fence_their_former_selves() {
    let server = Server::start(&["group.initial.rebalance.delay.ms=0"]);
    let mut before = Member::of_instance(&server.address, "g", "one");
    before.join_alone(&[3, 4]);
    assert!(before.id.starts_with("one-"));
    let mut after = Member::of_instance(&server.address, "g", "one");
    let sent = after.send_join();
    let joined = after.joined(sent);
    assert_eq!((joined.error_code, joined.generation_id, joined.skip_assignment), (0, 1, true));
    assert_ne!(after.id, before.id);
    let synced = after.sync(&[]);
    assert_eq!((synced.error_code, decode(&synced.assignment)), (0, vec![3, 4]), "it has its share back");
    assert_eq!((before.heartbeat(), after.heartbeat()), (82, 0));
    assert_eq!(before.sync(&[]).error_code, 82);
    assert_eq!(before.commit("t", &[(0, 1)]), 3, "there is no such topic, whoever asks");
    assert_eq!(before.leave(), 82);

    // Across a restart of the broker, too.
    let server = Server::start_in(server.kill(), &[]);
    let mut again = Member::of_instance(&server.address, "g", "one");
    let sent = again.send_join();
    assert_eq!(again.joined(sent).generation_id, 1);
    let synced = again.sync(&[]);
    assert_eq!(decode(&synced.assignment), [3, 4]);

    // An operator removes it by its instance.
    let member = MemberIdentity::default().with_group_instance_id(Some(text("one")));
    let request = LeaveGroupRequest::default().with_group_id(group_id("g")).with_members(vec![member]);
    let response = again.client.call(5, &request);
    assert_eq!((response.error_code, response.members[0].error_code), (0, 0));
    assert_eq!(again.heartbeat(), 25);
}
