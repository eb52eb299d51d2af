//! Which function begins which API. What is served, and in which versions, is [`SERVED`](crate::wire::api::SERVED).
//!
//! | request | gets |
//! |---|---|
//! | an API that is not served | hung up on: its body cannot be skipped for an answer that nobody defined |
//! | a version of ApiVersions that is not served | UNSUPPORTED_VERSION and all versions, in version 0 |
//! | another unsupported version | hung up on, as Kafka does: no version of an answer is known to be understood |

use super::{Begun, Call, Cx, cluster, configs, fetch, log_dirs, offsets, produce, producers, topics};
use crate::error::Hangup;
use crate::wire::api::ApiKey;
use crate::wire::codec::Reader;
use millrace_io::Buf;

pub fn begin(cx: &mut Cx<'_>, call: Call, frame: &Buf, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let Some(served) = call.key.served() else {
        return Err(Hangup(format!("{:?} is not served", call.key)));
    };
    if !served.accepted.has(call.version) {
        if call.key == ApiKey::ApiVersions {
            return cluster::unsupported_api_versions(cx, call);
        }
        return Err(Hangup(format!("{:?} is not served in version {}", call.key, call.version)));
    }
    match call.key {
        ApiKey::Produce => produce::begin(cx, call, frame, reader),
        ApiKey::Fetch => fetch::begin(cx, call, reader),
        ApiKey::ListOffsets => offsets::begin_list(cx, call, reader),
        ApiKey::Metadata => cluster::metadata(cx, call, reader),
        ApiKey::FindCoordinator => cluster::find_coordinator(cx, call, reader),
        ApiKey::ApiVersions => cluster::api_versions(cx, call, reader),
        ApiKey::CreateTopics => topics::create(cx, call, reader),
        ApiKey::DeleteTopics => topics::delete(cx, call, reader),
        ApiKey::DeleteRecords => offsets::begin_delete(cx, call, reader),
        ApiKey::InitProducerId => producers::init(cx, call, reader),
        ApiKey::OffsetForLeaderEpoch => offsets::begin_epoch_ends(cx, call, reader),
        ApiKey::DescribeConfigs => configs::describe(cx, call, reader),
        ApiKey::AlterConfigs => configs::alter(cx, call, reader),
        ApiKey::AlterReplicaLogDirs => log_dirs::alter(cx, call, reader),
        ApiKey::DescribeLogDirs => log_dirs::begin(cx, call, reader),
        ApiKey::CreatePartitions => topics::create_partitions(cx, call, reader),
        ApiKey::IncrementalAlterConfigs => configs::increment(cx, call, reader),
        ApiKey::DescribeCluster => cluster::describe(cx, call, reader),
        ApiKey::DescribeProducers => producers::begin_describe(cx, call, reader),
        ApiKey::ListConfigResources => configs::list(cx, call, reader),
        ApiKey::DescribeTopicPartitions => cluster::topic_partitions(cx, call, reader),
        _ => unreachable!("served without a function that begins it"),
    }
}
