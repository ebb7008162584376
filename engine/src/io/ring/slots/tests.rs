use super::super::entry::Message;
use super::{InFlight, Key, Slots};
use crate::io::{File, Op, Pool, Socket, Token};

fn flush(token: u64) -> InFlight {
    InFlight { token: Token(token), op: Op::Flush { file: File(3) }, message: None }
}

#[test]
fn keys_survive_packing() {
    let mut slots = Slots::default();
    for _ in 0..3 {
        let key = slots.insert(flush(1));
        assert_eq!(Key::unpack(key.pack()), key);
        slots.remove(key);
    }
    assert_eq!(Key::unpack(Key::WAKE.pack()), Key::WAKE);
    assert_ne!(Key::WAKE.pack(), Key::CANCEL.pack());
}

#[test]
fn slots_are_reused_and_counted() {
    let mut slots = Slots::default();
    let keys: Vec<_> = (0..10).map(|n| slots.insert(flush(n))).collect();
    assert_eq!((slots.len(), slots.waiting_for_peers()), (10, 0));
    assert_eq!(slots.remove(keys[4]).token, Token(4));
    let op = Op::Receive { socket: Socket(1), into: Pool::heap(1) };
    let key = slots.insert(InFlight { token: Token(44), op, message: Some(Message::new()) });
    assert_ne!(key, keys[4]);
    assert_eq!(slots.slots.len(), 10);
    assert_eq!((slots.len(), slots.waiting_for_peers()), (10, 1));
    assert_eq!(slots.remove(key).token, Token(44));
    assert_eq!((slots.len(), slots.waiting_for_peers()), (9, 0));
}

#[test]
#[should_panic(expected = "completes each operation once")]
fn a_second_completion_is_found_out() {
    let mut slots = Slots::default();
    let key = slots.insert(flush(1));
    slots.remove(key);
    slots.insert(flush(2));
    slots.remove(key);
}
