//! Which function begins which API. What is served, and in which versions, is [`SERVED`](crate::wire::api::SERVED).
//!
//! | request | gets |
//! |---|---|
//! | an API that is not served | hung up on: nobody knows what an answer would look like |
//! | a version that is not served | [UNSUPPORTED_VERSION](super::unsupported) |
//! | a body that does not decode | hung up on |

use super::{
    Begun, Call, Cx, api_versions, cluster, configs, fetch, log_dirs, metadata, offsets, produce, producers, topic_partitions, topics,
    unsupported,
};
use crate::error::Hangup;
use crate::wire::api::ApiKey;
use crate::wire::codec::Reader;
use millrace_io::Buf;

pub fn begin(cx: &mut Cx<'_>, call: Call, frame: &Buf, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let Some(served) = call.key.served() else {
        return Err(Hangup(format!("{:?} is not served", call.key)));
    };
    if !served.accepted.has(call.version) {
        // The versions of Produce before our first begin with `acks`; with 0 the client would take an answer for that to
        // its next request.
        if call.key == ApiKey::Produce && call.version < served.accepted.min && reader.i16() == Ok(0) {
            return Err(Hangup(format!("Produce of version {} with acks=0", call.version)));
        }
        return Ok(Begun::Answer(unsupported::respond(call, served)));
    }
    match call.key {
        ApiKey::Produce => produce::begin(cx, call, frame, reader),
        ApiKey::Fetch => fetch::begin(cx, call, reader),
        ApiKey::ListOffsets => offsets::begin_list(cx, call, reader),
        ApiKey::Metadata => metadata::begin(cx, call, reader),
        ApiKey::FindCoordinator => cluster::find_coordinator(cx, call, reader),
        ApiKey::ApiVersions => api_versions::begin(cx, call, reader),
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
        ApiKey::DescribeTopicPartitions => topic_partitions::begin(cx, call, reader),
        _ => unreachable!("served without a function that begins it"),
    }
}
