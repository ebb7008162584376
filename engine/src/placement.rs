//! Which shard owns what. Computed, never stored, so that the number of shards may change from one opening to the next.

use crate::types::{PartitionId, ShardId};

/// The shard that keeps the catalog, and answers for everything that is not one partition's.
pub const CATALOG_SHARD: ShardId = ShardId::new(0);

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The shard that owns a partition, of `shards` (at least one). The partitions of a topic follow one another round the
/// shards, beginning where the topic's id says, so that topics of a single partition spread too.
#[must_use]
pub fn owner(partition: PartitionId, shards: u16) -> ShardId {
    assert!(shards > 0, "an engine has at least one shard");
    let id = u128::from_be_bytes(partition.topic.bytes());
    let (high, low) = ((id >> 64) as u64, id as u64);
    // Multiplying spreads every bit to those above it, so the upper ones depend on all of the id. The factor is 2⁶⁴
    // divided by the golden ratio (Knuth, TAOCP volume 3, section 6.4).
    let first = high.wrapping_mul(SPREAD).wrapping_add(low).wrapping_mul(SPREAD) >> 33;
    // No partition has a negative number; one that a request makes up still needs somebody to refuse it.
    let index = u64::from(partition.index.value().unsigned_abs());
    let shard = (first + index) % u64::from(shards);
    ShardId::new(u16::try_from(shard).expect("a remainder of a u16 is one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TopicId;

    #[test]
    fn partitions_of_a_topic_go_round_the_shards() {
        let topic = TopicId::from_random(1, 2);
        for shards in [1, 2, 3, 8] {
            let owners: Vec<_> =
                (0..16).map(|index| owner(PartitionId::new(topic, index), shards).value()).collect();
            for pair in owners.windows(2) {
                assert_eq!(pair[1], (pair[0] + 1) % shards);
            }
        }
    }

    #[test]
    fn topics_begin_on_different_shards() {
        for shards in [2_u16, 3, 4, 8] {
            let mut first = vec![0_u32; usize::from(shards)];
            for seed in 0..8_000_u64 {
                let topic = TopicId::from_random(seed, !seed);
                first[usize::from(owner(PartitionId::new(topic, 0), shards).value())] += 1;
            }
            let fair = 8_000 / u32::from(shards);
            assert!(first.iter().all(|&topics| topics.abs_diff(fair) < fair / 5), "{first:?}");
        }
    }

    #[test]
    fn a_made_up_partition_has_an_owner_too() {
        for index in [-1, i32::MIN, i32::MAX] {
            assert!(owner(PartitionId::new(TopicId::NONE, index), 3).value() < 3);
        }
    }
}
