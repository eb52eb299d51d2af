//! `millrace-bench`: a load for any broker that speaks the Kafka wire protocol, and what it cost the broker.
//!
//! The topic must exist and be led by the broker that is named. The report is one JSON line on stdout; a summary for
//! people goes to stderr.

mod batch;
mod load;

use clap::{Parser, Subcommand};
use load::{Load, Outcome, Plan, Work};
use millrace_io::blocking;
use millrace_io::real::{self, Options};
use serde_json::json;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Load generator for any broker that speaks the Kafka wire protocol.
#[derive(Parser)]
#[command(name = "millrace-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send record batches: closed loop, or at a fixed rate with latencies from when each request was due.
    Produce {
        #[command(flatten)]
        common: Common,
        /// Records in each batch; one batch is one request.
        #[arg(long, default_value_t = 64)]
        batch_records: u32,
        /// Value bytes of each record.
        #[arg(long, default_value_t = 1024)]
        record_bytes: u32,
        #[arg(long, default_value_t = 1, allow_hyphen_values = true)]
        acks: i16,
    },
    /// Read partitions from their beginning to their end, again and again.
    Fetch {
        #[command(flatten)]
        common: Common,
        /// Most bytes of one answer.
        #[arg(long, default_value_t = 1 << 20)]
        fetch_bytes: i32,
    },
}

#[derive(clap::Args)]
struct Common {
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 8)]
    partitions: i32,
    #[arg(long, default_value_t = 4)]
    connections: u32,
    /// Requests that each connection has under way.
    #[arg(long, default_value_t = 1)]
    in_flight: u32,
    /// Requests a second, all connections together. Without it: as fast as they are answered.
    #[arg(long)]
    rate: Option<u64>,
    /// Seconds that are not counted.
    #[arg(long, default_value_t = 2)]
    warmup: u64,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// CPU to run on.
    #[arg(long)]
    cpu: Option<usize>,
    /// Process id of the broker, to report its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Goes into the report.
    #[arg(long, default_value = "")]
    name: String,
}

fn main() -> ExitCode {
    let (common, work) = match Cli::parse().command {
        Command::Produce { common, batch_records, record_bytes, acks } => {
            let batch = batch::build(batch_records, record_bytes, blocking::random);
            (common, Work::Produce { acks, batch, records: batch_records })
        }
        Command::Fetch { common, fetch_bytes } => (common, Work::Fetch { bytes: fetch_bytes }),
    };
    match run(&common, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("millrace-bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(common: &Common, work: Work) -> Result<(), String> {
    let broker: SocketAddr = common
        .broker
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| format!("--broker {}: not an address", common.broker))?;
    let what = match &work {
        Work::Produce { .. } => "produce",
        Work::Fetch { .. } => "fetch",
    };
    let plan = Plan {
        broker,
        topic: common.topic.clone(),
        partitions: common.partitions,
        connections: common.connections,
        in_flight: common.in_flight,
        rate: common.rate,
        warmup: Duration::from_secs(common.warmup),
        time: Duration::from_secs(common.seconds),
        work,
    };
    let result = Arc::new(Mutex::new(Outcome::new()));
    let options = Options { cpus: common.cpu.into_iter().collect(), pool_bytes_per_core: 2 << 30, ..Options::default() };
    // Read when the warm-up is over and when the load has stopped.
    let before = common.pid.map(|pid| {
        let warmup = plan.warmup;
        blocking::spawn("usage", move || {
            blocking::sleep(warmup);
            usage(pid)
        })
    });
    real::run(&options, |_| Box::new(Load::new(plan.clone(), result.clone()))).map_err(|error| error.to_string())?;
    let after = common.pid.map(usage);
    let before = before.and_then(Result::ok).map(blocking::Thread::join);
    let outcome = result.lock().expect("no panic while held");
    report(common, what, &outcome, before, after)
}

/// CPU seconds and resident bytes of a process.
type Usage = Option<(f64, u64)>;

fn usage(pid: u32) -> Usage {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = blocking::read_text(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
    // After the command in parentheses: state is the first field, utime the 12th, stime the 13th, rss the 22nd.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some((ticks / TICKS_PER_SECOND, fields.get(21)?.parse::<u64>().ok()? * 4096))
}

fn report(common: &Common, what: &str, outcome: &Outcome, before: Option<Usage>, after: Option<Usage>) -> Result<(), String> {
    let seconds = outcome.elapsed.as_secs_f64();
    if seconds == 0.0 {
        return Err("the load ended before it was measured".to_owned());
    }
    let gigabytes = outcome.bytes as f64 / 1e9;
    let cpu = before.flatten().zip(after.flatten()).map(|((before, _), (after, _))| after - before);
    let resident = after.flatten().map(|(_, bytes)| bytes);
    let micros = |quantile: f64| outcome.latency.value_at_quantile(quantile) as f64 / 1e3;
    let row = json!({
        "name": common.name, "work": what, "connections": common.connections, "in_flight": common.in_flight, "rate": common.rate,
        "seconds": seconds, "requests_per_s": outcome.requests as f64 / seconds, "records_per_s": outcome.records as f64 / seconds,
        "mb_per_s": outcome.bytes as f64 / 1e6 / seconds,
        "latency_us": { "p50": micros(0.5), "p99": micros(0.99), "p999": micros(0.999), "p9999": micros(0.9999), "max": micros(1.0) },
        "broker_cpu_s": cpu, "broker_cpu_s_per_gb": cpu.map(|cpu| cpu / gigabytes),
        "broker_cpu_s_per_million_requests": cpu.map(|cpu| cpu / outcome.requests as f64 * 1e6),
        "broker_resident_bytes": resident, "late_max_us": outcome.late.as_micros() as u64, "errors": outcome.errors.len(),
    });
    println!("{row}");
    eprintln!(
        "{:.0} requests/s, {:.1} MB/s, p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, max {:.0} us",
        outcome.requests as f64 / seconds,
        outcome.bytes as f64 / 1e6 / seconds,
        micros(0.5),
        micros(0.99),
        micros(0.999),
        micros(1.0)
    );
    match outcome.errors.first() {
        Some(first) => Err(format!("{} requests failed, the first with {first}", outcome.errors.len())),
        None => Ok(()),
    }
}
