//! ConsumerGroupHeartbeat (68): the one request of the newer consumer groups (KIP-848): join, report, be assigned, leave.

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::message::message;

message! {
    ConsumerGroupHeartbeatRequest key 68 versions 0..=1 flexible 0.. {
        group_id: String [0..],
        member_id: String [0..],
        /// 0 joins, -1 leaves, -2 a static member that will be back.
        member_epoch: i32 [0..],
        instance_id: Option<String> [0.., null 0..],
        rack_id: Option<String> [0.., null 0..],
        rebalance_timeout_ms: i32 [0..] = -1,
        subscribed_topic_names: Option<Vec<String>> [0.., null 0..],
        subscribed_topic_regex: Option<String> [1.., null 1..],
        server_assignor: Option<String> [0.., null 0..],
        /// What the member owns; `None` if nothing changed, as with the other fields that may be null.
        topic_partitions: Option<Vec<TopicPartitions>> [0.., null 0..],
    }
    struct TopicPartitions {
        topic_id: Uuid [0..],
        partitions: Vec<i32> [0..],
    }
}

message! {
    ConsumerGroupHeartbeatResponse key 68 versions 0..=1 flexible 0.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        member_id: Option<String> [0.., null 0..],
        member_epoch: i32 [0..],
        heartbeat_interval_ms: i32 [0..],
        /// `None` if nothing changed.
        assignment: Option<Assignment> [0.., null 0..],
    }
    struct Assignment {
        topic_partitions: Vec<TopicPartitions> [0..],
    }
}
