use super::{Backlog, Limits};
use crate::io::{Completion, File, HostFs, Op, Pool, Returned, Slice, Socket, Token};

fn backlog() -> Backlog {
    Backlog::new(Limits { in_flight: 10, for_peers: 4 })
}

fn receive(socket: i32) -> Op<HostFs> {
    Op::Receive { socket: Socket(socket), into: Pool::heap(1) }
}

fn flush() -> Op<HostFs> {
    Op::Flush { file: File(3) }
}

/// The tokens that may go where so many are in flight.
fn tokens(backlog: &mut Backlog, in_flight: usize, for_peers: usize) -> Vec<u64> {
    std::iter::from_fn(|| backlog.next(in_flight, for_peers)).map(|(token, _)| token.0).collect()
}

#[test]
fn all_goes_in_order_while_there_is_room() {
    let mut backlog = backlog();
    for n in 0..4 {
        backlog.push(Token(2 * n), receive(1));
        backlog.push(Token(2 * n + 1), flush());
    }
    assert_eq!(tokens(&mut backlog, 0, 0), (0..8).collect::<Vec<_>>());
}

#[test]
fn nothing_goes_where_there_is_none() {
    let mut backlog = backlog();
    backlog.push(Token(1), flush());
    assert_eq!(tokens(&mut backlog, 10, 0), []);
    assert_eq!(tokens(&mut backlog, 9, 4), [1]);
}

#[test]
fn peers_wait_for_their_own_room_only_and_keep_their_order() {
    let mut backlog = backlog();
    for n in 0..3 {
        backlog.push(Token(2 * n), receive(1));
        backlog.push(Token(2 * n + 1), flush());
    }
    assert_eq!(tokens(&mut backlog, 4, 4), [1, 3, 5]);
    backlog.push(Token(6), receive(1));
    backlog.push(Token(7), flush());
    assert_eq!(tokens(&mut backlog, 4, 3), [0, 2, 4, 6, 7]);
}

#[test]
fn a_shutdown_ends_what_its_socket_has_waiting() {
    let mut backlog = backlog();
    let send = |socket| Op::Send { socket: Socket(socket), slices: vec![Slice::copy_from(b"x")] };
    backlog.push(Token(1), receive(1));
    backlog.push(Token(2), receive(2));
    backlog.push(Token(3), send(1));
    backlog.push(Token(4), Op::Accept { listener: Socket(1) });
    backlog.push(Token(5), send(2));
    backlog.push(Token(6), Op::Shutdown { socket: Socket(1) });
    assert_eq!(tokens(&mut backlog, 4, 4), [6]);
    assert!(backlog.has_ended());

    let mut ended: Vec<Completion> = Vec::new();
    backlog.take_ended(&mut ended);
    let [first, second, third] = &ended[..] else { panic!("three ended: {ended:?}") };
    assert_eq!((first.token, *first.result.as_ref().unwrap()), (Token(1), 0));
    assert!(matches!(first.returned, Returned::Chunk(_)));
    assert_eq!(second.result.as_ref().unwrap_err().raw_os_error(), Some(libc::EPIPE));
    assert!(matches!(&second.returned, Returned::Slices(slices) if slices.len() == 1));
    assert_eq!(third.result.as_ref().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert!(!backlog.has_ended());
    assert_eq!(tokens(&mut backlog, 4, 0), [2, 5]);
}
