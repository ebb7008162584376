use super::*;

#[test]
fn a_peer_has_a_name_an_address_and_perhaps_a_process() {
    let expected = Peer { name: "other".into(), address: "h:9092".into(), pid: Some(7) };
    assert_eq!(peer("other=h:9092,pid=7"), Ok(expected.clone()));
    assert_eq!(peer("other=h:9092"), Ok(Peer { pid: None, ..expected }));
    for wrong in ["h:9092", "=h:1", "tora=h:1", "a b=h:1", "x=h", "x=h:1,pid=y", "../x=h:1"] {
        assert!(peer(wrong).is_err(), "{wrong}");
    }
}
