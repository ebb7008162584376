use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use super::{close, listen, peer, prepare_connection};
use crate::io::Socket;

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[test]
fn port_zero_picks_a_free_one() {
    let (listener, address) = listen(any_port()).unwrap();
    assert_ne!(address.port(), 0);
    TcpStream::connect(address).unwrap();
    close(listener);
}

#[test]
fn a_second_listener_on_the_port_is_refused() {
    let (listener, address) = listen(any_port()).unwrap();
    assert_eq!(listen(address).unwrap_err().kind(), ErrorKind::AddrInUse);
    close(listener);
    let (again, _) = listen(address).expect("free again");
    close(again);
}

#[test]
fn ipv6_works_where_the_machine_has_it() {
    let Ok((listener, address)) = listen("[::1]:0".parse().unwrap()) else { return };
    assert!(address.is_ipv6());
    close(listener);
}

#[test]
fn a_connection_sends_at_once_and_knows_its_peer() {
    let (listener, address) = listen(any_port()).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let socket = Socket(stream.as_raw_fd());
    assert!(!stream.nodelay().unwrap());
    prepare_connection(socket).unwrap();
    assert!(stream.nodelay().unwrap());
    assert_eq!(peer(socket), address.to_string());
    assert_eq!(peer(listener), "a peer that has gone");
    close(listener);
}
