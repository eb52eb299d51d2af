//! The command line: `millrace server`, and the tools that speak to any broker.
//!
//! Results go to stdout, everything else to stderr.
//!
//! | exit status | means |
//! |---|---|
//! | 0 | done |
//! | 1 | the broker refused, or some of it failed |
//! | 2 | the command line or the configuration is wrong |
//! | 3 | the broker cannot start here: a port in use, no io_uring, a small memlock limit |
//! | 4 to 7 | the directories of the broker: see [`Status`](crate::control::Status) |

mod client;
mod config;
mod consume;
mod dump;
mod open;
mod output;
mod produce;
mod progress;
mod server;
mod topic;

use clap::{CommandFactory, Parser, Subcommand};
use client::Target;
use output::Format;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// An event-streaming broker that speaks the Kafka wire protocol, and the tools that go with it.
#[derive(Parser)]
#[command(name = "millrace", version, propagate_version = true, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Command {
    /// Run a broker. An empty data directory is set up at the first start.
    Server(server::Args),
    /// Create, list, describe, alter and delete topics.
    #[command(subcommand)]
    Topic(topic::Command),
    /// Send every line of stdin as a record.
    Produce(produce::Args),
    /// Print records of a topic.
    Consume(consume::Args),
    /// Show and alter settings of topics and brokers.
    #[command(subcommand)]
    Config(config::Command),
    /// Look into the files of a partition.
    #[command(subcommand)]
    Log(dump::Command),
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the version.
    Version,
}

/// What a command comes to: done, or an exit status and a sentence.
type Outcome = Result<(), Failure>;

/// Why a command ends, for the person who typed it.
struct Failure {
    status: u8,
    sentence: String,
}

impl Failure {
    fn new(status: u8, sentence: impl Into<String>) -> Failure {
        Failure { status, sentence: sentence.into() }
    }
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("MILLRACE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).with_target(false).init();
    let format = if cli.json { Format::Json } else { Format::Human };
    let outcome = match cli.command {
        Command::Server(args) => server::run(&args),
        Command::Topic(command) => topic::run(&cli.target, format, command),
        Command::Produce(args) => produce::run(&cli.target, &args),
        Command::Consume(args) => consume::run(&cli.target, format, &args),
        Command::Config(command) => config::run(&cli.target, format, command),
        Command::Log(command) => dump::run(format, &command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "millrace", &mut std::io::stdout());
            Ok(())
        }
        Command::Version => {
            println!("millrace {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("millrace: {}", failure.sentence);
            ExitCode::from(failure.status)
        }
    }
}
