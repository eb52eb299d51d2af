//! DescribeConfigs (32), AlterConfigs (33), IncrementalAlterConfigs (44), ListConfigResources (74).

use super::{Begun, Call, Cx, Hangup, Merge, ask_control};
use crate::config::{Entry, Keys};
use crate::control::Command;
use crate::error::ErrorCode;
use crate::metadata::{ResourceType, describe_configs, list_config_resources};
use crate::wire::codec::Reader;
use crate::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use crate::wire::messages::list_config_resources::{ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse};

pub fn describe(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeConfigsRequest = call.decode(reader)?;
    let results = request.resources.iter().map(|resource| describe_one(cx, resource, &request)).collect();
    call.answer(&DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() })
}

fn describe_one(cx: &Cx<'_>, resource: &DescribeConfigsResource, request: &DescribeConfigsRequest) -> DescribeConfigsResult {
    let mut result = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..DescribeConfigsResult::default()
    };
    let keys: Keys<'_> = resource.configuration_keys.as_deref();
    match describe_configs(cx.shard.image(), cx.shard.config(), resource.resource_type, &resource.resource_name, keys) {
        Ok(entries) => result.configs = entries.into_iter().map(|entry| told(entry, request)).collect(),
        Err(refusal) => {
            result.error_code = refusal.code;
            result.error_message = Some(refusal.message);
        }
    }
    result
}

fn told(entry: Entry, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.into_iter().filter(|_| request.include_synonyms);
    DescribeConfigsResourceResult {
        name: entry.name,
        value: entry.value,
        read_only: entry.read_only,
        config_source: entry.source.number(),
        is_sensitive: entry.sensitive,
        synonyms: synonyms.map(|s| DescribeConfigsSynonym { name: s.name, value: s.value, source: s.source.number() }).collect(),
        config_type: entry.kind,
        documentation: request.include_documentation.then_some(entry.documentation),
    }
}

pub fn alter(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    ask_control(cx, Command::AlterConfigs(call.decode(reader)?));
    call.wait(Merge::Control)
}

pub fn increment(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    ask_control(cx, Command::IncrementalAlterConfigs(call.decode(reader)?));
    call.wait(Merge::Control)
}

pub fn list(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: ListConfigResourcesRequest = call.decode(reader)?;
    // Version 0 was ListClientMetricsResources.
    let asked = if call.version == 0 { vec![ResourceType::ClientMetrics.number()] } else { request.resource_types };
    let mut response = ListConfigResourcesResponse::default();
    let all = [ResourceType::Topic, ResourceType::Broker, ResourceType::BrokerLogger, ResourceType::ClientMetrics, ResourceType::Group];
    if asked.iter().any(|number| ResourceType::of_number(*number).is_none()) {
        response.error_code = ErrorCode::UnsupportedVersion;
        return call.answer(&response);
    }
    for resource in all.into_iter().filter(|resource| asked.is_empty() || asked.contains(&resource.number())) {
        let names = list_config_resources(cx.shard.image(), resource).into_iter();
        response.config_resources.extend(names.map(|resource_name| ConfigResource { resource_name, resource_type: resource.number() }));
    }
    call.answer(&response)
}
