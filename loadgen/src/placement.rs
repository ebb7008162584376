//! Which connection serves which partitions, so that every connection and every partition is busy and all batches of a
//! connection for one partition stay in order.

use std::net::SocketAddr;

use crate::admin::resolve;
use crate::codec::admin::TopicMetadata;

/// The brokers that lead the topic's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leadership {
    /// Each leading broker and its partitions, at least one.
    pub leaders: Vec<(SocketAddr, Vec<i32>)>,
}

impl Leadership {
    /// Reads it off a Metadata response.
    pub fn new(metadata: &TopicMetadata) -> Result<Self, String> {
        let mut leaders: Vec<(SocketAddr, Vec<i32>)> = Vec::new();
        for partition in &metadata.partitions {
            let node = metadata.nodes.iter().find(|node| node.id == partition.node).ok_or_else(|| {
                format!(
                    "partition {} is led by node {}, which the broker does not name",
                    partition.partition, partition.node
                )
            })?;
            let address = resolve(&format!("{}:{}", node.host, node.port))?;
            match leaders.iter_mut().find(|(known, _)| *known == address) {
                Some((_, partitions)) => partitions.push(partition.partition),
                None => leaders.push((address, vec![partition.partition])),
            }
        }
        for (_, partitions) in &mut leaders {
            partitions.sort_unstable();
        }
        if leaders.is_empty() { Err("the topic has no partitions".into()) } else { Ok(Self { leaders }) }
    }

    /// The number of partitions.
    pub fn partitions(&self) -> usize {
        self.leaders.iter().map(|(_, partitions)| partitions.len()).sum()
    }
}

/// One connection's broker and partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub address: SocketAddr,
    pub partitions: Vec<i32>,
}

/// Deals `connections` producing connections: leaders in turn; among one leader's connections its partitions in turn,
/// or, where there are fewer partitions than connections, several connections to a partition.
pub fn producers(leadership: &Leadership, connections: usize) -> Result<Vec<Placement>, String> {
    let leaders = leadership.leaders.len();
    if connections < leaders {
        return Err(format!(
            "the topic has {leaders} leading brokers: give at least --connections {leaders}"
        ));
    }
    let place = |connection: usize| {
        let (address, partitions) = &leadership.leaders[connection % leaders];
        let rank = connection / leaders;
        let siblings = (connections - connection % leaders).div_ceil(leaders);
        let partitions = if partitions.len() >= siblings {
            partitions.iter().copied().skip(rank).step_by(siblings).collect()
        } else {
            vec![partitions[rank % partitions.len()]]
        };
        Placement { address: *address, partitions }
    };
    Ok((0..connections).map(place).collect())
}

/// The same for consuming connections, of which each partition gets exactly one; connections left over are not made.
pub fn consumers(leadership: &Leadership, connections: usize) -> Result<Vec<Placement>, String> {
    let mut seen = std::collections::HashSet::new();
    let mut placements = producers(leadership, connections)?;
    for placement in &mut placements {
        placement.partitions.retain(|&partition| seen.insert(partition));
    }
    placements.retain(|placement| !placement.partitions.is_empty());
    Ok(placements)
}

#[cfg(test)]
mod tests;
