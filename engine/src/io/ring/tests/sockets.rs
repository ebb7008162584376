//! Sockets through the ring, against std's on the other end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use super::super::RingIo;
use super::support::{chunk_of, collect, pattern, ring, run, slices_of, small_ring};
use crate::io::{CHUNK_SIZE, Completion, Io, Op, Pool, SEND_SLICES_MAX, Slice, Socket, Token, Wait, socket};

fn listen() -> (Socket, SocketAddr) {
    socket::listen("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A connection: its end on the ring, and the other one.
fn connect(io: &mut RingIo) -> (Socket, TcpStream) {
    let (listener, address) = listen();
    let peer = TcpStream::connect(address).unwrap();
    let accepted = accepted(&run(io, Op::Accept { listener }));
    socket::prepare_connection(accepted).unwrap();
    socket::close(listener);
    (accepted, peer)
}

fn accepted(completion: &Completion) -> Socket {
    Socket(i32::try_from(*completion.result.as_ref().unwrap()).unwrap())
}

#[test]
fn connections_are_accepted_as_they_come() {
    let mut io = ring();
    let (listener, address) = listen();
    io.submit(Token(1), Op::Accept { listener });
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    let peer = TcpStream::connect(address).unwrap();
    let done = collect(&mut io, 1);
    let socket = accepted(&done[&1]);
    assert_eq!(socket::peer(socket), peer.local_addr().unwrap().to_string());
    assert_eq!(run(&mut io, Op::CloseSocket { socket }).result.unwrap(), 0);
    assert_eq!((&peer).read(&mut [0]).unwrap(), 0, "closed for the peer too");
    socket::close(listener);
}

#[test]
fn bytes_are_received_as_they_come() {
    let mut io = ring();
    let (socket, mut peer) = connect(&mut io);
    io.submit(Token(1), Op::Receive { socket, into: io.pool().take().unwrap() });
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    peer.write_all(b"one").unwrap();
    let (_, first) = collect(&mut io, 1).pop_first().unwrap();
    let chunk = chunk_of(first);
    assert_eq!(&chunk[..], b"one");
    peer.write_all(b" two").unwrap();
    let chunk = chunk_of(run(&mut io, Op::Receive { socket, into: chunk }));
    assert_eq!(&chunk[..], b"one two");
    peer.shutdown(Shutdown::Write).unwrap();
    let end = run(&mut io, Op::Receive { socket, into: chunk });
    assert_eq!(*end.result.as_ref().unwrap(), 0);
    assert_eq!(&chunk_of(end)[..], b"one two");
    socket::close(socket);
}

#[test]
fn a_receive_takes_no_more_than_the_chunk_has_room_for() {
    let mut io = ring();
    let (socket, mut peer) = connect(&mut io);
    peer.write_all(b"abcdefgh").unwrap();
    for expected in [b"abc", b"def"] {
        let chunk = chunk_of(run(&mut io, Op::Receive { socket, into: Pool::heap(3) }));
        assert_eq!(&chunk[..], expected);
    }
    socket::close(socket);
}

#[test]
fn a_large_response_goes_out_in_parts_and_in_order() {
    let mut io = ring();
    let (socket, peer) = connect(&mut io);
    let small_buffer: libc::c_int = 32 << 10;
    socket2::SockRef::from(&peer).set_recv_buffer_size(32 << 10).unwrap();
    // SAFETY: reads four bytes from `small_buffer`.
    let set = unsafe {
        let value = (&raw const small_buffer).cast();
        libc::setsockopt(socket.0, libc::SOL_SOCKET, libc::SO_SNDBUF, value, 4)
    };
    assert_eq!(set, 0);

    let chunk = pattern(io.pool().take().unwrap(), 9, CHUNK_SIZE);
    let slices = vec![chunk.filled(), Slice::copy_from(b"middle"), chunk.slice(1000..200_000)];
    let expected: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    let total = expected.len();
    let reader = thread::spawn(move || {
        let mut received = vec![0; total];
        (&peer).read_exact(&mut received).unwrap();
        received
    });
    let (mut left, mut parts) = (slices, 0);
    while !left.is_empty() {
        let sent = run(&mut io, Op::Send { socket, slices: left });
        let mut count = usize::try_from(*sent.result.as_ref().unwrap()).unwrap();
        assert!(count > 0);
        parts += 1;
        left = slices_of(&sent).to_vec();
        while let Some(first) = left.first_mut() {
            let from_first = count.min(first.len());
            first.skip(from_first);
            count -= from_first;
            if !first.is_empty() {
                break;
            }
            left.remove(0);
        }
    }
    assert!(parts > 1, "the socket's buffer is far smaller than the response");
    assert!(reader.join().unwrap() == expected);
    socket::close(socket);
}

#[test]
fn a_send_takes_as_many_slices_as_it_may() {
    let mut io = ring();
    let (socket, mut peer) = connect(&mut io);
    let slices: Vec<_> = (0..SEND_SLICES_MAX).map(|n| Slice::copy_from(&[n as u8])).collect();
    let sent = run(&mut io, Op::Send { socket, slices });
    assert_eq!(*sent.result.as_ref().unwrap(), SEND_SLICES_MAX as u64);
    assert_eq!(slices_of(&sent).len(), SEND_SLICES_MAX);
    let mut received = vec![0; SEND_SLICES_MAX];
    peer.read_exact(&mut received).unwrap();
    assert!(received.iter().enumerate().all(|(n, byte)| *byte == n as u8));
    socket::close(socket);
}

#[test]
fn sending_to_a_peer_that_has_gone_is_an_error_and_no_signal() {
    let mut io = ring();
    let (socket, peer) = connect(&mut io);
    drop(peer);
    let error = loop {
        let sent = run(&mut io, Op::Send { socket, slices: vec![Slice::copy_from(b"anyone?")] });
        if let Err(error) = sent.result {
            break error;
        }
    };
    assert!(matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)), "{error}");
    socket::close(socket);
}

#[test]
fn turns_that_never_sleep_still_bring_completions() {
    let mut io = ring();
    let (socket, mut peer) = connect(&mut io);
    io.submit(Token(1), Op::Receive { socket, into: Pool::heap(8) });
    let mut completions = Vec::new();
    io.turn(Wait::No, &mut completions).unwrap();
    peer.write_all(b"x").unwrap();
    let moment = io.now().plus_millis(20_000);
    while completions.is_empty() {
        io.turn(Wait::No, &mut completions).unwrap();
        assert!(io.now() < moment, "the kernel's deferred work was never run");
    }
    socket::close(socket);
}

#[test]
fn a_shutdown_ends_what_is_pending() {
    let mut io = ring();
    let (socket, peer) = connect(&mut io);
    io.submit(Token(1), Op::Receive { socket, into: io.pool().take().unwrap() });
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    io.submit(Token(2), Op::Shutdown { socket });
    let done = collect(&mut io, 2);
    assert_eq!(*done[&1].result.as_ref().unwrap(), 0);
    assert_eq!(*done[&2].result.as_ref().unwrap(), 0);
    drop(peer);
    socket::close(socket);

    let (listener, _) = listen();
    io.submit(Token(1), Op::Accept { listener });
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    io.submit(Token(2), Op::Shutdown { socket: listener });
    let done = collect(&mut io, 2);
    assert_eq!(done[&1].result.as_ref().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    socket::close(listener);
}

#[test]
fn silent_connections_hold_up_neither_files_nor_shutdowns() {
    let mut io = small_ring();
    let mut connections: Vec<_> = (0..12).map(|_| connect(&mut io)).collect();
    for (n, (socket, _)) in connections.iter().enumerate() {
        io.submit(Token(n as u64), Op::Receive { socket: *socket, into: Pool::heap(16) });
    }
    // Eight of them fill what peers may have; the others wait outside the kernel.
    io.turn(Wait::No, &mut Vec::new()).unwrap();
    io.submit(Token(100), Op::Job(Box::new(|_| Ok(0))));
    let folder = super::support::Folder::new();
    let file = folder.file("log");
    io.submit(Token(101), Op::Flush { file });
    io.submit(Token(102), Op::Close { file });
    collect(&mut io, 3);

    // One that is waiting ends with its socket...
    io.submit(Token(103), Op::Shutdown { socket: connections[11].0 });
    let done = collect(&mut io, 2);
    assert_eq!(*done[&11].result.as_ref().unwrap(), 0);
    // ...and the next in line takes the place of one that has ended.
    connections[0].1.write_all(b"x").unwrap();
    connections[8].1.write_all(b"yz").unwrap();
    let done = collect(&mut io, 2);
    assert_eq!((*done[&0].result.as_ref().unwrap(), *done[&8].result.as_ref().unwrap()), (1, 2));
    for (socket, peer) in connections {
        assert!(peer.as_raw_fd() >= 0);
        socket::close(socket);
    }
}
