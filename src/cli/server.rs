//! `millrace server`: reads the configuration, checks the machine, and runs the broker until it is told to stop.

use super::{Failure, Outcome};
use crate::config::{self, BrokerConfig, Sources};
use crate::limits::Limits;
use crate::server::Server;
use crate::types::ShardId;
use millrace_io::blocking;
use millrace_io::real::{self, Options};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::warn;

#[derive(clap::Args)]
pub struct Args {
    /// TOML (`*.toml`) or Java-style properties. Without it everything has its default.
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Set one option; may be repeated. Wins over the file and over MILLRACE_* in the environment.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

pub fn run(args: &Args) -> Outcome {
    let config = Arc::new(configuration(args)?);
    let cores = match config.cores {
        0 => u16::try_from(blocking::available_cpus()).unwrap_or(u16::MAX),
        cores => cores,
    };
    let options = Options { cores, cpus: Vec::new(), pool_bytes_per_core: config.buffer_bytes_per_core, ..Options::default() };
    real::check(&options).map_err(|why| Failure::new(3, why))?;
    real::run(&options, |core: ShardId| Box::new(Server::new(core, cores, config.clone(), Limits::PRODUCTION)))
        .map_err(|error| Failure::new(3, format!("the broker cannot run here: {error}")))
}

fn configuration(args: &Args) -> Result<BrokerConfig, Failure> {
    let file = match &args.config {
        None => None,
        Some(path) => {
            let text = blocking::read_text(path)
                .map_err(|error| Failure::new(2, format!("--config {}: {error}; check the path and its permissions", path.display())))?;
            Some((path.display().to_string(), text))
        }
    };
    let environment: Vec<(String, String)> = std::env::vars().collect();
    let sources =
        Sources { file: file.as_ref().map(|(name, text)| (name.as_str(), text.as_str())), environment: &environment, sets: &args.sets };
    let (config, warnings) = config::start(sources).map_err(|problems| Failure::new(2, problems.join("\nmillrace: ")))?;
    for warning in warnings {
        warn!("{warning}");
    }
    Ok(config)
}
