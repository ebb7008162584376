use super::*;

fn parse(arguments: &str) -> Result<BenchArgs, clap::Error> {
    let arguments = ["tora-load", "bench"].into_iter().chain(arguments.split_whitespace());
    Cli::try_parse_from(arguments).map(|cli| match cli.command {
        Command::Bench(args) => *args,
        _ => unreachable!("`bench` was asked for"),
    })
}

#[test]
fn defaults_are_the_documented_ones() {
    let args = parse("").expect("no argument is needed");
    assert_eq!((args.rate, args.record_size, args.batch_records), (Rate::Max, 100, 500));
    assert_eq!((args.connections, args.in_flight, args.partitions, args.broker.cores), (4, 8, 4, 2));
    assert_eq!((args.acks, args.idempotent), (Acks::All, false));
    assert_eq!((args.duration, args.warmup), (Duration::from_secs(10), Duration::from_secs(2)));
    let default = Phase::ALL.into_iter().filter(|&phase| phase != Phase::ConsumeCached);
    assert!(args.phases.iter().copied().eq(default), "{:?}", args.phases);
}

#[test]
fn values_are_read() {
    let args =
        parse("--rate 5000 --duration 250ms --warmup 2m --acks 0 --phases consume_hot,produce --set a=b=c")
            .expect("all are fine");
    assert_eq!(args.rate, Rate::PerSecond(5000));
    assert_eq!((args.duration, args.warmup), (Duration::from_millis(250), Duration::from_secs(120)));
    assert_eq!(args.acks, Acks::None);
    assert_eq!(args.phases, [Phase::ConsumeHot, Phase::Produce]);
    assert_eq!(args.broker.set, [("a".to_owned(), "b=c".to_owned())]);
}

#[test]
fn nonsense_is_refused() {
    for arguments in [
        "--rate 0",
        "--rate fast",
        "--duration 10",
        "--duration s",
        "--duration 99999999999999999999s",
        "--set novalue",
        "--set =x",
        "--acks 2",
        "--phases warm",
        "--pid 1",
        "--bootstrap h:1 --set a=b",
        "--payload f --record-size 10",
    ] {
        assert!(parse(arguments).is_err(), "{arguments}");
    }
}

#[test]
fn the_help_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn sizes_are_read() {
    assert_eq!(
        ["17", "3B", "5kB", "500MB", "4GB"].map(size),
        [17, 3, 5000, 500_000_000, 4_000_000_000].map(Ok)
    );
    for nonsense in ["", "0", "GB", "4GiB", "99999999999GB", "-1MB"] {
        assert!(size(nonsense).is_err(), "{nonsense}");
    }
}
