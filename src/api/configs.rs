//! DescribeConfigs (32), AlterConfigs (33), IncrementalAlterConfigs (44), ListConfigResources (74).

use super::{Begun, Call, Cx, Hangup, Merge, ask_control};
use crate::config::{BrokerConfig, Entry, Keys};
use crate::control::Command;
use crate::error::{ErrorCode, Refusal};
use crate::metadata::{Image, ResourceType, describe_configs, list_config_resources};
use crate::wire::codec::Reader;
use crate::wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use crate::wire::messages::list_config_resources::{ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse};

pub fn describe(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeConfigsRequest = call.decode(reader)?;
    let results = describe_all(cx.shard.image(), cx.shard.config(), &request);
    call.answer(&DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() })
}

/// A type that nobody knows refuses the whole request (`ConfigHelper.handleDescribeConfigsRequest`).
fn describe_all(image: &Image, config: &BrokerConfig, request: &DescribeConfigsRequest) -> Vec<DescribeConfigsResult> {
    let unknown = request.resources.iter().find(|resource| ResourceType::of_number(resource.resource_type).is_none());
    let describe_one = |resource: &DescribeConfigsResource| match unknown {
        Some(unknown) => {
            let why = format!("Unexpected resource type {} for resource {}", unknown.resource_type, unknown.resource_name);
            Err(Refusal::new(ErrorCode::InvalidRequest, why))
        }
        None => {
            let keys: Keys<'_> = resource.configuration_keys.as_deref();
            describe_configs(image, config, resource.resource_type, &resource.resource_name, keys)
        }
    };
    let result = |resource: &DescribeConfigsResource| {
        let (configs, refusal) = match describe_one(resource) {
            Ok(entries) => (entries.into_iter().map(|entry| told(entry, request)).collect(), ErrorCode::None.into()),
            Err(refusal) => (Vec::new(), refusal),
        };
        DescribeConfigsResult {
            error_code: refusal.code,
            // Without a message it is empty, not null.
            error_message: Some(refusal.message),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs,
        }
    };
    request.resources.iter().map(result).collect()
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
    call.answer(&listed(cx.shard.image(), call.version, &request.resource_types))
}

/// In Kafka's order.
const LISTED: [ResourceType; 5] =
    [ResourceType::Group, ResourceType::ClientMetrics, ResourceType::BrokerLogger, ResourceType::Broker, ResourceType::Topic];

fn listed(image: &Image, version: i16, asked: &[i8]) -> ListConfigResourcesResponse {
    // Version 0 was ListClientMetricsResources.
    let known = if version == 0 { &[ResourceType::ClientMetrics][..] } else { &LISTED };
    if asked.iter().any(|number| !known.iter().any(|resource| resource.number() == *number)) {
        return ListConfigResourcesResponse { error_code: ErrorCode::UnsupportedVersion, ..ListConfigResourcesResponse::default() };
    }
    let mut response = ListConfigResourcesResponse::default();
    for resource in known.iter().filter(|resource| asked.is_empty() || asked.contains(&resource.number())) {
        let names = list_config_resources(image, *resource).into_iter();
        response.config_resources.extend(names.map(|resource_name| ConfigResource { resource_name, resource_type: resource.number() }));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;

    fn asked(resource_type: i8, name: &str, keys: &[&str]) -> DescribeConfigsResource {
        DescribeConfigsResource {
            resource_type,
            resource_name: name.into(),
            configuration_keys: Some(keys.iter().map(|key| key.to_string()).collect()),
        }
    }

    fn described(world: &World, request: &DescribeConfigsRequest) -> Vec<DescribeConfigsResult> {
        describe_all(&world.image, &world.config, request)
    }

    #[test]
    fn one_resource_that_cannot_be_told_does_not_harm_the_others() {
        let mut world = World::new(1);
        world.create("t", 1);
        let request = DescribeConfigsRequest {
            resources: vec![asked(2, "t", &["retention.ms"]), asked(2, "nope", &[]), asked(2, "bad/name", &[]), asked(4, "7", &[])],
            ..DescribeConfigsRequest::default()
        };
        let told = described(&world, &request);
        let codes: Vec<_> = told.iter().map(|result| result.error_code).collect();
        assert_eq!(
            codes,
            [ErrorCode::None, ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidTopicException, ErrorCode::InvalidRequest]
        );
        assert_eq!(told[0].error_message.as_deref(), Some(""));
        let entry = &told[0].configs[0];
        assert_eq!((entry.name.as_str(), entry.value.as_deref(), entry.config_source), ("retention.ms", Some("604800000"), 5));
        assert_eq!((entry.synonyms.len(), &entry.documentation), (0, &None), "neither was asked for");
    }

    #[test]
    fn a_type_that_nobody_knows_refuses_all() {
        let mut world = World::new(1);
        world.create("t", 1);
        let resources = vec![asked(2, "t", &["retention.ms"]), asked(99, "x", &[])];
        let told = described(&world, &DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() });
        assert!(told.iter().all(|result| result.error_code == ErrorCode::InvalidRequest && result.configs.is_empty()));
    }

    #[test]
    fn resources_are_listed_by_type() {
        let mut world = World::new(1);
        world.create("t", 1);
        let names = |version, asked: &[i8]| {
            let told = listed(&world.image, version, asked);
            let names: Vec<_> = told.config_resources.into_iter().map(|r| (r.resource_type, r.resource_name)).collect();
            (told.error_code, names)
        };
        assert_eq!(names(0, &[]), (ErrorCode::None, vec![]));
        assert_eq!(names(1, &[]), (ErrorCode::None, vec![(8, "0".into()), (4, "0".into()), (2, "t".into())]));
        assert_eq!(names(1, &[2]), (ErrorCode::None, vec![(2, "t".into())]));
        assert_eq!(names(1, &[2, 99]), (ErrorCode::UnsupportedVersion, vec![]));
    }
}
