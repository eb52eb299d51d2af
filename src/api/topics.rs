//! CreateTopics (19), DeleteTopics (20), CreatePartitions (37), and every other response that is the control shard's reply.

use super::{Begun, Call, Cx, Hangup, Merge, Response, ask_control};
use crate::control::{Command, Reply};
use crate::wire::codec::Reader;

pub fn create(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    ask_control(cx, Command::CreateTopics(call.decode(reader)?));
    call.wait(Merge::Control)
}

pub fn delete(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    ask_control(cx, Command::DeleteTopics { request: call.decode(reader)?, version: call.version });
    call.wait(Merge::Control)
}

pub fn create_partitions(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    ask_control(cx, Command::CreatePartitions(call.decode(reader)?));
    call.wait(Merge::Control)
}

pub fn respond(call: &Call, reply: Reply) -> Response {
    match reply {
        Reply::CreateTopics(response) => call.respond(&response),
        Reply::DeleteTopics(response) => call.respond(&response),
        Reply::CreatePartitions(response) => call.respond(&response),
        Reply::AlterConfigs(response) => call.respond(&response),
        Reply::IncrementalAlterConfigs(response) => call.respond(&response),
        Reply::AutoCreate(_) | Reply::ProducerIds(_) => unreachable!("they are put into another response"),
    }
}
