//! The whole broker, unmodified, in a deterministic world with faulty disks, networks and clocks.
//!
//! Each seed draws its own cores, limits, clients and faults. Faults reign for a while, then all is quiet: everything that
//! was asked must be answered, and a last audit reads every partition from its beginning and compares it with the ledger.
//!
//! A failure prints its seed. `MILLRACE_SEED=n cargo test --test simulation replay -- --nocapture --ignored` shows every
//! event of it.

mod batch;
mod ledger;
mod producer;
mod reader;
mod wire;

use ledger::Ledger;
use millrace::config::{self, Sources};
use millrace::limits::Limits;
use millrace::plants::{Plant, Plants};
use millrace::server::Server;
use millrace_io::sim::{Cause, Crash, Faults, Rng, Spec, World};
use reader::Audit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What came of a seed.
struct Outcome {
    hash: u64,
    acked: u64,
    read: u64,
    deaths: usize,
}

/// Runs one seed; panics with what is wrong.
fn run(seed: u64, faults: Faults, trace: bool, plants: Plants) -> Outcome {
    let mut draw = Rng::new(seed);
    let limits = Limits { plants, ..Limits::TINY };
    let mut world = World::new(seed, Faults::NONE);
    world.trace(trace);
    let cores = 1 + draw.below(3) as u16;
    let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let broker = SocketAddr::new(address, 9092);
    let segment_bytes = 1u64 << draw.between(14, 17);
    let sets: Vec<String> = [
        format!("listeners=PLAINTEXT://{broker}"),
        "log.dirs=/data".to_owned(),
        format!("millrace.cores={cores}"),
        "millrace.buffer.bytes.per.core=67108864".to_owned(),
        "socket.request.max.bytes=1048576".to_owned(),
        "log.index.interval.bytes=256".to_owned(),
        "log.segment.delete.delay.ms=1000".to_owned(),
    ]
    .into();
    let (config, _) = config::start(Sources { sets: &sets, ..Sources::default() }).unwrap_or_else(|problems| panic!("{problems:?}"));
    let config = Arc::new(config);
    let spec = Spec::new("broker", cores, address).restart(Duration::from_millis(10), Duration::from_secs(2));
    let server = {
        let config = config.clone();
        world.machine(spec, Box::new(move |birth| Box::new(Server::new(birth.core, birth.cores, config.clone(), limits))))
    };
    world.start(server);

    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let audit = Arc::new(Mutex::new(Audit::No));
    let done = Arc::new(Mutex::new(0));
    let topics: Vec<(String, i32)> = (0..1 + draw.below(2)).map(|i| (format!("topic-{i}"), 1 + draw.below(3) as i32)).collect();
    let producers = 1 + draw.below(3) as u32;
    for producer in 0..producers {
        let plan = producer::Plan {
            broker,
            producer,
            idempotent: draw.below(3) > 0,
            topics: topics.clone(),
            batches: 40 + draw.below(80) as u32,
            records_max: 1 + draw.below(8),
            padding_max: [10, 200, 3000][draw.below(3) as usize],
            segment_bytes,
        };
        let (ledger, done) = (ledger.clone(), done.clone());
        let mut program = Some(producer::Producer::new(plan, ledger, done));
        let spec = Spec::new(&format!("producer-{producer}"), 1, IpAddr::V4(Ipv4Addr::new(10, 0, 1, producer as u8 + 1)));
        let machine = world.machine(spec, Box::new(move |_| Box::new(program.take().expect("clients start once"))));
        world.start(machine);
    }
    let max_bytes = 1 << draw.between(8, 16);
    let mut program = Some(reader::Reader::new(broker, topics.clone(), max_bytes, ledger.clone(), audit.clone()));
    let spec = Spec::new("reader", 1, IpAddr::V4(Ipv4Addr::new(10, 0, 2, 1)));
    let machine = world.machine(spec, Box::new(move |_| Box::new(program.take().expect("clients start once"))));
    world.start(machine);

    // Faults first, then liveness.
    *world.faults_mut() = faults;
    let seen = |world: &World, seen: &mut usize| {
        for death in &world.deaths(server)[*seen..] {
            let mut ledger = ledger.lock().unwrap();
            ledger.restarted();
            if death.cause == Cause::Crash(Crash::Power) {
                ledger.power_cut();
            }
            // A disk that failed a write or a sync may have lost what the page cache held.
            if matches!(death.cause, Cause::Fatal(..)) {
                ledger.power_cut();
            }
        }
        *seen = world.deaths(server).len();
    };
    let mut deaths = 0;
    world.run_until(Duration::from_secs(20), |world| {
        seen(world, &mut deaths);
        *done.lock().unwrap() == producers
    });
    world.quiet();
    let finished = world.run_until(Duration::from_secs(120), |world| {
        seen(world, &mut deaths);
        *done.lock().unwrap() == producers
    });
    let last = |world: &World| world.deaths(server).last().map(|death| death.cause.clone());
    assert!(
        finished,
        "everything asked is answered once faults stop; {} of {producers} producers are done, they heard {:?}; last death: {:?}",
        done.lock().unwrap(),
        ledger.lock().unwrap().heard,
        last(&world)
    );
    *audit.lock().unwrap() = Audit::Wanted;
    let audited = world.run_until(Duration::from_secs(60), |world| {
        seen(world, &mut deaths);
        *audit.lock().unwrap() == Audit::Done
    });
    assert!(audited, "every partition is read whole once faults stop; last death: {:?}", last(&world));
    let ledger = ledger.lock().unwrap();
    Outcome { hash: world.schedule_hash(), acked: ledger.acked, read: ledger.read, deaths }
}

/// Runs a seed and says which one it was if it fails.
fn checked(seed: u64, faults: Faults) -> Outcome {
    match std::panic::catch_unwind(|| run(seed, faults, false, Plants::NONE)) {
        Ok(outcome) => outcome,
        Err(panic) => {
            eprintln!("seed {seed} failed; MILLRACE_SEED={seed} cargo test --test simulation replay -- --ignored --nocapture");
            std::panic::resume_unwind(panic)
        }
    }
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn a_quiet_world_works() {
    let outcome = checked(1, Faults::NONE);
    assert!(outcome.acked > 0 && outcome.read >= outcome.acked && outcome.deaths == 0);
}

#[test]
fn two_runs_of_a_seed_are_the_same() {
    for seed in 0..5 {
        let faults = Faults::drawn(seed);
        assert_eq!(checked(seed, faults).hash, checked(seed, faults).hash, "seed {seed}");
    }
}

#[test]
fn every_seed_keeps_what_was_acknowledged() {
    let first = env("MILLRACE_FIRST_SEED", 1000);
    let seeds = env("MILLRACE_SEEDS", 500);
    let (mut acked, mut deaths) = (0, 0);
    let mut failed = Vec::new();
    for seed in first..first + seeds {
        match std::panic::catch_unwind(|| checked(seed, Faults::drawn(seed))) {
            Ok(outcome) => {
                acked += outcome.acked;
                deaths += outcome.deaths;
            }
            Err(_) => failed.push(seed),
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?} failed");
    assert!(deaths > 0 || seeds < 20, "a swarm without a crash proves nothing");
    println!("{seeds} seeds: {acked} records acknowledged, {deaths} crashes");
}

/// Runs seeds with a bug planted until the checker finds it; panics if it never does.
fn is_found(plant: Plant, faults: Faults) {
    let seeds = 60;
    let found = (0..seeds).find(|seed| std::panic::catch_unwind(|| run(*seed, faults, false, Plants::one(plant))).is_err());
    let found = found.unwrap_or_else(|| panic!("{seeds} seeds, and nobody has noticed {plant:?}"));
    println!("seed {found} finds {plant:?}");
    // It is the plant that was found, not a bug of our own.
    run(found, faults, false, Plants::NONE);
}

/// Processes are killed and connections reset, while the disk stands still now and then.
fn kills() -> Faults {
    let mut faults = Faults::NONE;
    faults.crash.process_ppm = 100_000;
    faults.net.reset_ppm = 5_000;
    faults.disk.stall_ppm = 10_000;
    faults
}

/// Power cuts alone.
fn power_cuts() -> Faults {
    let mut faults = Faults::NONE;
    faults.crash.power_ppm = 100_000;
    faults
}

#[test]
fn an_acknowledgement_before_the_write_is_found() {
    is_found(Plant::EarlyAcknowledgement, kills());
}

#[test]
fn a_high_watermark_ahead_of_the_write_is_found() {
    is_found(Plant::EarlyHighWatermark, kills());
}

#[test]
fn a_crc_that_recovery_skips_is_found() {
    is_found(Plant::CrcSkippedInRecovery, power_cuts());
}

#[test]
fn a_read_that_begins_too_late_is_found() {
    is_found(Plant::ReadOffByOne, Faults::NONE);
}

#[test]
fn an_index_off_by_one_is_found() {
    is_found(Plant::IndexOffByOne, kills());
}

#[test]
fn producers_that_a_restart_forgets_are_found() {
    is_found(Plant::ProducersForgotten, kills());
}

#[test]
fn a_roll_that_loses_the_last_batch_is_found() {
    is_found(Plant::RollLosesLastBatch, kills());
}

#[test]
#[ignore = "shows one seed: MILLRACE_SEED"]
fn replay() {
    let seed = env("MILLRACE_SEED", 0);
    run(seed, Faults::drawn(seed), true, Plants::NONE);
}
