//! Replicas of a new partition: as a client wishes, or as the load suggests.

use super::placement::{Load, TopicLoad};
use crate::error::{ErrorCode, Refusal};
use crate::types::{BrokerId, ShardId, Uuid};

/// Where one new partition goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those of them that are alive, in the same order; never empty. The first one leads.
    pub isr: Vec<BrokerId>,
    pub directories: Vec<Uuid>,
    /// On this broker, if it has a replica.
    pub shard: Option<ShardId>,
}

/// Spreads partitions over the brokers that are alive.
pub fn automatic(
    load: &mut Load,
    topic: &mut TopicLoad,
    partitions: usize,
    replication_factor: usize,
    random: u64,
) -> Result<Vec<Assignment>, Refusal> {
    let usable = load.usable_count();
    if replication_factor > usable {
        let reached = match usable {
            0 => "All brokers are currently fenced.".to_string(),
            _ => format!(
                "The target replication factor of {replication_factor} cannot be reached because only {usable} broker(s) are registered."
            ),
        };
        let why = format!("Unable to replicate the partition {replication_factor} time(s): {reached}");
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, why));
    }
    let place = |_| {
        let replicas = load.replicas(topic, replication_factor, random);
        let (directories, shard) = load.place(topic, &replicas);
        Assignment { isr: replicas.clone(), replicas, directories, shard }
    };
    Ok((0..partitions).map(place).collect())
}

/// Whether these replicas can be (`ReplicationControlManager.validateManualPartitionAssignment`). `replication_factor` is
/// that of the partitions before.
pub fn validate(load: &Load, replicas: &[BrokerId], replication_factor: Option<usize>) -> Result<(), Refusal> {
    if replicas.is_empty() {
        return Err(invalid("The manual partition assignment includes an empty replica list.".to_string()));
    }
    let mut sorted = replicas.to_vec();
    sorted.sort();
    for (i, broker) in sorted.iter().enumerate() {
        if !load.is_registered(*broker) {
            return Err(invalid(format!("The manual partition assignment includes broker {broker}, but no such broker is registered.")));
        }
        if i > 0 && sorted[i - 1] == *broker {
            return Err(invalid(format!("The manual partition assignment includes the broker {broker} more than once.")));
        }
    }
    match replication_factor {
        Some(factor) if factor != replicas.len() => Err(invalid(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with previous \
             partitions, which have {factor} replica(s).",
            replicas.len()
        ))),
        _ => Ok(()),
    }
}

/// Takes replicas that are valid.
pub fn manual(load: &mut Load, topic: &mut TopicLoad, index: i32, replicas: &[BrokerId]) -> Result<Assignment, Refusal> {
    let isr: Vec<BrokerId> = replicas.iter().copied().filter(|broker| load.is_usable(*broker)).collect();
    if isr.is_empty() {
        return Err(invalid(format!(
            "All brokers specified in the manual partition assignment for partition {index} are fenced or in controlled shutdown."
        )));
    }
    let (directories, shard) = load.place(topic, replicas);
    Ok(Assignment { replicas: replicas.to_vec(), isr, directories, shard })
}

pub fn invalid(why: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidReplicaAssignment, why)
}
