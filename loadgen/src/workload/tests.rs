use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

fn workload(arguments: &str) -> Result<Workload, String> {
    let arguments = ["tora-load", "bench"].into_iter().chain(arguments.split_whitespace());
    match Cli::try_parse_from(arguments).expect("the arguments parse").command {
        Command::Bench(args) => Workload::new(&args),
        _ => unreachable!("`bench` was asked for"),
    }
}

#[test]
fn a_value_has_room_for_its_stamp() {
    assert!(workload("--record-size 16").is_ok());
    let why = workload("--record-size 15").expect_err("too small");
    assert!(why.contains("16 bytes"), "{why}");
}

#[test]
fn limits_are_named() {
    for (arguments, flag) in [
        ("--batch-records 0", "--batch-records"),
        ("--connections 0", "--connections"),
        ("--in-flight 0", "--in-flight"),
        ("--partitions 0", "--partitions"),
        ("--threads 0", "--threads"),
        ("--duration 0s", "--duration"),
        ("--idempotent --acks 1", "--acks all"),
        ("--batch-records 1000000 --record-size 1000", "--batch-records"),
        ("--payload /no/such/file", "/no/such/file"),
    ] {
        let why = workload(arguments).expect_err(arguments);
        assert!(why.contains(flag), "{why}");
    }
}

#[test]
fn threads_are_no_more_than_connections() {
    assert_eq!(workload("--threads 8 --connections 3").map(|w| w.threads), Ok(3));
}

#[test]
fn generated_values_differ_and_have_the_size() {
    let values = Values::Generated { size: 33 };
    assert_eq!(values.value(1).len(), 33);
    assert_ne!(values.value(1), values.value(2));
    assert_eq!(values.value(1), values.value(1));
}

#[test]
fn payload_lines_lose_their_ends_and_empty_ones_are_left_out() {
    let file = std::env::temp_dir().join(format!("tora-load-payload-{}", std::process::id()));
    std::fs::write(&file, "one\r\n\ntwo").expect("the temporary folder is writable");
    let values = Values::payload(&file);
    std::fs::write(&file, "\n\n").expect("the temporary folder is writable");
    let empty = Values::payload(&file);
    std::fs::remove_file(&file).expect("it was just written");
    let lines = [&b"one"[..], b"two"].map(<[u8]>::to_vec);
    assert_eq!(values, Ok(Values::Payload(Arc::from(lines))));
    assert!(empty.is_err());
}
