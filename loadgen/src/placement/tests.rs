use super::*;
use crate::codec::admin::{Leader, Node};

fn leadership(partitions_of: &[&[i32]]) -> Leadership {
    let leader = |(index, partitions): (usize, &&[i32])| {
        (SocketAddr::from(([127, 0, 0, 1], 9000 + u16::try_from(index).expect("few"))), partitions.to_vec())
    };
    Leadership { leaders: partitions_of.iter().enumerate().map(leader).collect() }
}

fn partitions(placements: &[Placement]) -> Vec<&[i32]> {
    placements.iter().map(|placement| &placement.partitions[..]).collect()
}

#[test]
fn partitions_are_dealt_to_connections() {
    let placed = producers(&leadership(&[&[0, 1, 2, 3, 4]]), 2).expect("one leader");
    assert_eq!(partitions(&placed), [&[0, 2, 4][..], &[1, 3]]);
}

#[test]
fn connections_share_partitions_where_there_are_more() {
    let few = leadership(&[&[0, 1]]);
    let placed = producers(&few, 5).expect("one leader");
    assert_eq!(partitions(&placed), [&[0][..], &[1], &[0], &[1], &[0]]);
    let consumers = consumers(&few, 5).expect("one leader");
    assert_eq!(partitions(&consumers), [&[0][..], &[1]]);
}

#[test]
fn every_partition_has_one_consumer_and_its_own_leader() {
    for connections in 2..9 {
        let two = leadership(&[&[0, 2, 4], &[1, 3]]);
        for placements in [producers(&two, connections), consumers(&two, connections)] {
            let placements = placements.expect("enough connections");
            for (address, owned) in &two.leaders {
                let served = placements.iter().filter(|p| p.address == *address).flat_map(|p| &p.partitions);
                let mut served: Vec<_> = served.copied().collect();
                served.sort_unstable();
                served.dedup();
                assert_eq!(served, *owned, "{connections} connections");
            }
        }
        let placed = consumers(&two, connections).expect("enough connections");
        assert_eq!(partitions(&placed).concat().len(), 5);
    }
}

#[test]
fn fewer_connections_than_leaders_are_refused() {
    let why = producers(&leadership(&[&[0], &[1], &[2]]), 2).expect_err("a leader is left out");
    assert!(why.contains("--connections 3"), "{why}");
}

#[test]
fn leaders_are_read_off_metadata() {
    let metadata = TopicMetadata {
        nodes: vec![Node { id: 5, host: "127.0.0.1".into(), port: 9000 }],
        error: 0,
        partitions: [1, 0].map(|partition| Leader { error: 0, partition, node: 5 }).to_vec(),
    };
    assert_eq!(Leadership::new(&metadata), Ok(leadership(&[&[0, 1]])));
    let orphaned = TopicMetadata { nodes: Vec::new(), ..metadata };
    assert!(Leadership::new(&orphaned).is_err());
}
