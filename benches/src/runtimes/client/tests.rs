use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;
use crate::runtimes::frames::Input;

/// A server of one connection after the other that answers frame `number` with `answer_of(number, frames before it)`.
fn serve(
    connections: usize,
    answer_of: fn(u64, u64) -> Option<u64>,
) -> (String, JoinHandle<io::Result<u64>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let serving = thread::spawn(move || {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                let (mut stream, _) = listener.accept().expect("the client connects");
                thread::spawn(move || answer_all(&mut stream, answer_of))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).sum()
    });
    (address, serving)
}

fn answer_all(stream: &mut TcpStream, answer_of: fn(u64, u64) -> Option<u64>) -> io::Result<u64> {
    let (mut input, mut answered) = (Input::default(), 0);
    loop {
        match stream.read(&mut input.bytes[input.end..])? {
            0 => return Ok(answered),
            count => input.received(count),
        }
        while let Some(body) = input.next_body()? {
            let Some(number) = answer_of(frames::number(body), answered) else { return Ok(answered) };
            stream.write_all(&frames::answer(number))?;
            answered += 1;
        }
        input.make_room();
    }
}

const PIPELINED: Load = Load { body_bytes: 200, connections: 3, batch: 50, batches_in_flight: 2 };
const WAITING: Load = Load { body_bytes: 200, connections: 5, batch: 1, batches_in_flight: 1 };

#[test]
fn counts_what_is_answered_in_time() {
    for load in [PIPELINED, WAITING] {
        let (address, serving) = serve(load.connections, |number, _| Some(number));
        let mut client = Client::connect(&address, load).expect("it connects");
        // A busy machine may answer nothing in time now and then.
        let (mut counted, mut runs, mut counting) = (0, 0, 0);
        while counting < 2 {
            let answered = client.run(Duration::from_millis(50)).expect("every answer is right");
            assert!(answered.took >= Duration::from_millis(50));
            assert_eq!(answered.latencies.is_some(), load.batch == 1);
            counted += answered.frames;
            counting += u64::from(answered.frames > 0);
            runs += 1;
            assert!(runs < 200, "nothing is counted");
        }
        client.close().expect("the sockets are open");
        let served = serving.join().expect("it does not panic").expect("the client ends the connections");
        let late = runs * (load.connections * load.batch * load.batches_in_flight) as u64;
        assert!((counted..=counted + late).contains(&served), "{counted} counted, {served} served");
    }
}

#[test]
fn wrong_answers_are_told() {
    let (address, serving) = serve(1, |number, before| Some(number + u64::from(before == 120)));
    let mut client = Client::connect(&address, Load { connections: 1, ..PIPELINED }).expect("it connects");
    let error = client.run(Duration::from_secs(60)).expect_err("the 121st answer is wrong");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    drop(client);
    // Whether it saw the end or an error depends on what it was just doing.
    let _ = serving.join().expect("it does not panic");
}

#[test]
fn a_server_that_goes_is_told() {
    let (address, serving) = serve(1, |number, before| (before < 120).then_some(number));
    let mut client = Client::connect(&address, Load { connections: 1, ..WAITING }).expect("it connects");
    let error = client.run(Duration::from_secs(60)).expect_err("the server goes");
    assert!(
        matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{error}"
    );
    assert_eq!(serving.join().expect("it does not panic").expect("it ends by itself"), 120);
}

#[test]
fn a_thread_has_one_client_after_the_other() {
    // A thread may register 16 rings, and dropping one does not give its place back.
    for _ in 0..20 {
        let (address, serving) = serve(1, |number, _| Some(number));
        let mut client =
            Client::connect(&address, Load { connections: 1, ..WAITING }).expect("it connects again");
        let mut answered = || client.run(Duration::from_millis(1)).expect("every answer is right").frames > 0;
        assert!((0..10_000).any(|_| answered()), "a busy machine takes its time, but not for ever");
        client.close().expect("the socket is open");
        serving.join().expect("it does not panic").expect("the client ends the connection");
    }
}
