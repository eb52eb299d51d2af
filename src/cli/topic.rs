//! `millrace topic`: create, list, describe, alter and delete topics.

use super::client::{Client, Target};
use super::output::{Format, Table};
use super::{Failure, Outcome};
use crate::error::ErrorCode;
use crate::wire::messages::create_partitions::CreatePartitionsTopic;
use crate::wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use crate::wire::messages::delete_topics::DeleteTopicState;
use crate::wire::messages::metadata::{MetadataRequestTopic, MetadataResponseTopic};
use crate::wire::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, MetadataRequest, MetadataResponse,
};
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Create topics.
    Create {
        #[arg(required = true)]
        topics: Vec<String>,
        /// Partitions of each; without it the broker's `num.partitions`.
        #[arg(long, short)]
        partitions: Option<i32>,
        #[arg(long)]
        replication_factor: Option<i16>,
        /// A setting of the topic; may be repeated.
        #[arg(long, value_name = "KEY=VALUE")]
        config: Vec<String>,
        /// Succeed if the topic exists.
        #[arg(long)]
        if_not_exists: bool,
        /// Only say whether it could be created.
        #[arg(long)]
        validate_only: bool,
    },
    /// Names of all topics.
    List {
        /// Also those that brokers keep for themselves.
        #[arg(long)]
        internal: bool,
    },
    /// Partitions, leaders and replicas.
    Describe { topics: Vec<String> },
    /// Add partitions.
    Alter {
        topic: String,
        /// How many there shall be in all.
        #[arg(long, short)]
        partitions: i32,
    },
    /// Delete topics and everything in them.
    Delete {
        #[arg(required = true)]
        topics: Vec<String>,
        #[arg(long)]
        if_exists: bool,
    },
}

pub fn run(target: &Target, format: Format, command: Command) -> Outcome {
    let mut client = Client::connect(target)?;
    let timeout_ms = i32::try_from(target.timeout.saturating_mul(1000)).unwrap_or(i32::MAX);
    match command {
        Command::Create { topics, partitions, replication_factor, config, if_not_exists, validate_only } => {
            let configs = config.iter().map(|text| key_value(text)).collect::<Result<Vec<_>, _>>()?;
            let topics = topics.into_iter().map(|name| CreatableTopic {
                name,
                num_partitions: partitions.unwrap_or(-1),
                replication_factor: replication_factor.unwrap_or(-1),
                configs: configs
                    .iter()
                    .map(|(name, value)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) })
                    .collect(),
                ..CreatableTopic::default()
            });
            let request = CreateTopicsRequest { topics: topics.collect(), timeout_ms, validate_only };
            let response: CreateTopicsResponse = client.call(&request)?;
            let forgiven = if_not_exists.then_some(ErrorCode::TopicAlreadyExists);
            let done = if validate_only { "could be created" } else { "created" };
            let results = response.topics.into_iter().map(|t| (t.name, t.error_code, t.error_message));
            told(format, results, forgiven, done)
        }
        Command::List { internal } => {
            let mut topics = metadata(&mut client, None)?;
            topics.retain(|topic| internal || !topic.is_internal);
            topics.sort_by(|a, b| a.name.cmp(&b.name));
            match format {
                Format::Json => println!("{}", json!(topics.iter().map(|t| &t.name).collect::<Vec<_>>())),
                Format::Human => topics.iter().for_each(|topic| println!("{}", topic.name.as_deref().unwrap_or(""))),
            }
            Ok(())
        }
        Command::Describe { topics } => describe(&mut client, format, topics),
        Command::Alter { topic, partitions } => {
            let topics = vec![CreatePartitionsTopic { name: topic, count: partitions, assignments: None }];
            let response: CreatePartitionsResponse = client.call(&CreatePartitionsRequest { topics, timeout_ms, validate_only: false })?;
            told(format, response.results.into_iter().map(|t| (t.name, t.error_code, t.error_message)), None, "altered")
        }
        Command::Delete { topics, if_exists } => {
            let states = topics.iter().map(|name| DeleteTopicState { name: Some(name.clone()), ..DeleteTopicState::default() }).collect();
            let request = DeleteTopicsRequest { topics: states, topic_names: topics, timeout_ms };
            let response: DeleteTopicsResponse = client.call(&request)?;
            let forgiven = if_exists.then_some(ErrorCode::UnknownTopicOrPartition);
            let results = response.responses.into_iter().map(|t| (t.name.unwrap_or_default(), t.error_code, t.error_message));
            told(format, results, forgiven, "deleted")
        }
    }
}

/// Says what became of each topic; fails if any of them failed.
fn told(
    format: Format,
    results: impl Iterator<Item = (String, ErrorCode, Option<String>)>,
    forgiven: Option<ErrorCode>,
    done: &str,
) -> Outcome {
    let mut failed = 0;
    let mut rows: Vec<Value> = Vec::new();
    for (name, error, message) in results {
        let ok = error.is_ok() || Some(error) == forgiven;
        failed += u32::from(!ok);
        match format {
            Format::Json => rows.push(json!({ "topic": name, "error": error.to_string(), "message": message })),
            Format::Human if error.is_ok() => println!("{name}: {done}"),
            Format::Human if ok => println!("{name}: nothing to do ({error})"),
            Format::Human => eprintln!("{name}: {error}{}", message.map(|m| format!(": {m}")).unwrap_or_default()),
        }
    }
    if format == Format::Json {
        println!("{}", Value::Array(rows));
    }
    if failed > 0 { Err(Failure::new(1, format!("{failed} of the topics failed"))) } else { Ok(()) }
}

fn describe(client: &mut Client, format: Format, topics: Vec<String>) -> Outcome {
    let mut found = metadata(client, (!topics.is_empty()).then_some(topics))?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(missing) = found.iter().find(|topic| !topic.error_code.is_ok()) {
        return Err(Failure::new(1, format!("{}: {}", missing.name.as_deref().unwrap_or(""), missing.error_code)));
    }
    match format {
        Format::Json => {
            let topics: Vec<Value> = found
                .iter()
                .map(|topic| {
                    let partitions: Vec<Value> = sorted(topic)
                        .map(|p| {
                            json!({ "partition": p.partition_index, "leader": p.leader_id, "leader_epoch": p.leader_epoch,
                                    "replicas": p.replica_nodes, "isr": p.isr_nodes, "offline": p.offline_replicas })
                        })
                        .collect();
                    json!({ "topic": topic.name, "id": topic.topic_id.to_string(), "partitions": partitions })
                })
                .collect();
            println!("{}", Value::Array(topics));
        }
        Format::Human => {
            for topic in &found {
                println!("{}  id {}  {} partitions", topic.name.as_deref().unwrap_or(""), topic.topic_id, topic.partitions.len());
                let mut table = Table::new(&["partition", "leader", "epoch", "replicas", "isr"]);
                for p in sorted(topic) {
                    table.row([
                        p.partition_index.to_string(),
                        p.leader_id.to_string(),
                        p.leader_epoch.to_string(),
                        list(&p.replica_nodes),
                        list(&p.isr_nodes),
                    ]);
                }
                table.print();
            }
        }
    }
    Ok(())
}

fn sorted(topic: &MetadataResponseTopic) -> impl Iterator<Item = &crate::wire::messages::metadata::MetadataResponsePartition> {
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|p| p.partition_index);
    partitions.into_iter()
}

fn list(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// All topics, or those named.
pub fn metadata(client: &mut Client, names: Option<Vec<String>>) -> Result<Vec<MetadataResponseTopic>, Failure> {
    let topics = names
        .map(|names| names.into_iter().map(|name| MetadataRequestTopic { name: Some(name), ..MetadataRequestTopic::default() }).collect());
    let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    let response: MetadataResponse = client.call(&request)?;
    Ok(response.topics)
}

pub fn key_value(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::new(2, format!("`{text}` is not KEY=VALUE"))),
    }
}
