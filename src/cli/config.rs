//! `millrace config`: settings of topics and brokers, and the table of all options.

use super::client::{Client, Target};
use super::output::{Format, Table};
use super::topic::key_value;
use super::{Failure, Outcome};
use crate::wire::messages::describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult};
use crate::wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use crate::wire::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use serde_json::{Value, json};

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Resource {
    /// Name of a topic.
    #[arg(long)]
    topic: Option<String>,
    /// Number of a broker; empty for the defaults of all brokers.
    #[arg(long)]
    node: Option<String>,
}

#[derive(clap::Subcommand)]
pub enum Command {
    /// Settings in effect: those that were set, or all of them.
    Describe {
        #[command(flatten)]
        resource: Resource,
        /// Also those that have their default.
        #[arg(long)]
        all: bool,
    },
    /// Set or remove settings; they take effect at once.
    Alter {
        #[command(flatten)]
        resource: Resource,
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        #[arg(long, value_name = "KEY")]
        delete: Vec<String>,
    },
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Sources of a value that nobody has set.
const DEFAULT_SOURCE: i8 = 5;

impl Resource {
    fn parts(&self) -> (i8, String) {
        match (&self.topic, &self.node) {
            (Some(topic), _) => (TOPIC, topic.clone()),
            (None, node) => (BROKER, node.clone().unwrap_or_default()),
        }
    }
}

pub fn run(target: &Target, format: Format, command: Command) -> Outcome {
    let mut client = Client::connect(target)?;
    match command {
        Command::Describe { resource, all } => {
            let (resource_type, resource_name) = resource.parts();
            let resources = vec![DescribeConfigsResource { resource_type, resource_name, configuration_keys: None }];
            let request = DescribeConfigsRequest { resources, include_synonyms: false, include_documentation: false };
            let response: DescribeConfigsResponse = client.call(&request)?;
            for result in response.results {
                if !result.error_code.is_ok() {
                    return Err(refused(&result.resource_name, result.error_code.to_string(), result.error_message));
                }
                let mut configs = result.configs;
                configs.retain(|config| all || config.config_source != DEFAULT_SOURCE);
                configs.sort_by(|a, b| a.name.cmp(&b.name));
                print(format, &configs);
            }
            Ok(())
        }
        Command::Alter { resource, set, delete } => {
            if set.is_empty() && delete.is_empty() {
                return Err(Failure::new(2, "nothing to alter: give --set KEY=VALUE or --delete KEY"));
            }
            let (resource_type, resource_name) = resource.parts();
            let mut configs = Vec::new();
            for text in &set {
                let (name, value) = key_value(text)?;
                configs.push(AlterableConfig { name, config_operation: 0, value: Some(value) });
            }
            configs.extend(delete.into_iter().map(|name| AlterableConfig { name, config_operation: 1, value: None }));
            let resources = vec![AlterConfigsResource { resource_type, resource_name, configs }];
            let response: IncrementalAlterConfigsResponse =
                client.call(&IncrementalAlterConfigsRequest { resources, validate_only: false })?;
            for result in response.responses {
                if !result.error_code.is_ok() {
                    return Err(refused(&result.resource_name, result.error_code.to_string(), result.error_message));
                }
            }
            Ok(())
        }
    }
}

fn refused(name: &str, error: String, message: Option<String>) -> Failure {
    Failure::new(1, format!("{name}: {error}{}", message.map(|m| format!(": {m}")).unwrap_or_default()))
}

fn print(format: Format, configs: &[DescribeConfigsResourceResult]) {
    match format {
        Format::Json => {
            let rows: Vec<Value> = configs
                .iter()
                .map(|c| json!({ "name": c.name, "value": c.value, "source": source(c.config_source), "read_only": c.read_only }))
                .collect();
            println!("{}", Value::Array(rows));
        }
        Format::Human => {
            let mut table = Table::new(&["name", "value", "source"]);
            for config in configs {
                table.row([config.name.clone(), config.value.clone().unwrap_or_default(), source(config.config_source).to_owned()]);
            }
            table.print();
        }
    }
}

fn source(number: i8) -> &'static str {
    match number {
        1 => "topic",
        2 => "broker",
        3 => "all brokers",
        4 => "file",
        5 => "default",
        _ => "other",
    }
}
