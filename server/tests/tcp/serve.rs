//! `tora serve`: starting, refusing to start, and stopping, as whoever runs it sees that.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::support::{self, Folder, Server, contains, tora_serve};

/// Runs a server that must not start, and returns what it says.
fn refused(folder: &Folder, arguments: &[&str]) -> String {
    let mut command = tora_serve(folder);
    command.args(arguments);
    support::refused(command, folder)
}

fn tora(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tora")).args(arguments).output().expect("cargo has built tora")
}

/// Ends it with a signal.
fn end(mut server: Server, signal: &str) -> Folder {
    let status = server.signal(signal);
    assert!(status.success(), "{signal}: {status}");
    server.into_folder()
}

#[test]
fn it_says_where_it_listens_and_serves_at_once() {
    let server = Server::start(&[]);
    let (host, port) = server.address.rsplit_once(':').expect("HOST:PORT");
    assert_eq!(host, "127.0.0.1");
    assert_ne!(port, "0", "the port that it really has");
    let versions = server.connect().call(0, &ApiVersionsRequest::default());
    assert_eq!(versions.error_code, 0);
    let metadata = server.connect().call(1, &MetadataRequest::default());
    assert_eq!(metadata.brokers[0].port.to_string(), port, "clients are told the same");
}

#[test]
fn signals_end_it_cleanly_and_it_starts_again() {
    let folder = end(Server::start(&[]), "TERM");
    let folder = end(Server::start_in(folder, &[]), "INT");
    let server = Server::start_in(folder, &[]);
    server.connect().call(0, &ApiVersionsRequest::default());
}

#[test]
fn it_ends_although_clients_are_connected_and_one_waits_for_records() {
    let server = Server::start(&[]);
    let name = TopicName(StrBytes::from_static_str("quiet"));
    let topic = MetadataRequestTopic::default().with_name(Some(name.clone()));
    let mut waiting = server.connect();
    waiting.call(4, &MetadataRequest::default().with_topics(Some(vec![topic])));
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topics = vec![FetchTopic::default().with_topic(name).with_partitions(vec![partition])];
    let fetch = FetchRequest::default().with_max_wait_ms(60_000).with_min_bytes(1).with_topics(topics);
    let frame = waiting.frame(4, &fetch);
    std::io::Write::write_all(&mut waiting.stream, &frame).expect("the server reads");
    let mut idle = server.connect();
    idle.call(0, &ApiVersionsRequest::default());
    end(server, "TERM");
    assert!(idle.read_frame().is_none());
    assert!(waiting.read_frame().is_none());
}

#[test]
fn a_taken_port_is_refused() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let said = refused(&folder, &["--set", &format!("listeners=PLAINTEXT://{address}")]);
    contains(&said, &[&address, "in use", "--listen"]);
}

#[test]
fn the_folder_of_another_process_is_refused() {
    let server = Server::start(&[]);
    let said = refused(server.folder(), &[]);
    contains(&said, &["data", "another process"]);
    server.connect().call(0, &ApiVersionsRequest::default());
}

#[test]
fn the_folder_of_another_program_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.join("data")).expect("writable");
    let kafkas = "version=1\ncluster.id=abc\nnode.id=1\n";
    fs::write(folder.join("data/meta.properties"), kafkas).expect("writable");
    contains(&refused(&folder, &[]), &["data", "not Tora's", "choose an empty or new folder"]);
    assert_eq!(fs::read_dir(folder.join("data")).expect("it is there").count(), 1);
}

#[test]
fn an_unknown_property_is_refused_with_its_place_and_the_nearest_one() {
    let folder = Folder::new();
    let file = folder.join("server.properties");
    fs::write(&file, "# mine\nnum.partitions=3\nauto.create.topic.enable=false\n").expect("writable");
    let path = file.to_str().expect("UTF-8");
    contains(
        &refused(&folder, &["--config", path]),
        &["server.properties:3", "auto.create.topic.enable", "auto.create.topics.enable"],
    );
    contains(&refused(&folder, &["--set", "num.partition=3"]), &["--set", "num.partitions"]);
}

#[test]
fn a_value_that_does_not_do_is_refused_with_what_does() {
    let folder = Folder::new();
    contains(&refused(&folder, &["--set", "num.partitions=0"]), &["num.partitions=0", "1 to "]);
    contains(
        &refused(&folder, &["--set", "default.replication.factor=3"]),
        &["default.replication.factor", "1"],
    );
    contains(&refused(&folder, &["--set", "num.partitions"]), &["KEY=VALUE"]);
    contains(&refused(&folder, &["--config", "/no/such/file"]), &["/no/such/file"]);
}

#[test]
fn a_wildcard_address_is_refused_with_the_fix() {
    let folder = Folder::new();
    let said = refused(&folder, &["--set", "listeners=PLAINTEXT://0.0.0.0:0"]);
    contains(&said, &["0.0.0.0", "advertised.listeners=PLAINTEXT://"]);
}

#[test]
fn later_settings_go_before_earlier_ones() {
    let folder = Folder::new();
    let file = folder.join("server.properties");
    let text = "listeners=PLAINTEXT://127.0.0.1:1\nnum.partitions=3\nadvertised.listeners=PLAINTEXT://b:1\n";
    fs::write(&file, text).expect("writable");
    let mut command = tora_serve(&folder);
    command.arg("--config").arg(&file).args(["--set", "num.partitions=5"]);
    // The file's port 1 would be refused; the flag's goes before it.
    let server = Server::run(command, folder);
    let name = TopicName(StrBytes::from_static_str("new"));
    let topic = MetadataRequestTopic::default().with_name(Some(name));
    let response = server.connect().call(4, &MetadataRequest::default().with_topics(Some(vec![topic])));
    assert_eq!(response.topics[0].partitions.len(), 5);
    assert_eq!(&*response.brokers[0].host, "b");
}

#[test]
fn help_teaches() {
    let help = String::from_utf8(tora(&["serve", "--help"]).stdout).expect("UTF-8");
    contains(
        &help,
        &["--config", "--listen", "--data-dir", "--cores", "--set", "Examples:", "tora serve --config"],
    );
    let properties = String::from_utf8(tora(&["properties"]).stdout).expect("UTF-8");
    contains(&properties, &["flush.messages=1", "socket.request.max.bytes=104857600", "tora.buffer.bytes="]);
}
