//! The control shard in the simulated world, with shards that only say that they have opened what they were told to.
//!
//! One [`Host`] per core; on core 0 it runs [`Control`] as the broker's server does, and some clients. A [`Ledger`] outside
//! of the process remembers what was acknowledged, and asserts of every image that is published, whatever happened before:
//!
//! - what was acknowledged is in it, and what was acknowledged as gone is not; what was refused never happened
//! - a block of producer ids is given to one asker only
//! - what one process has published, the next one knows
//! - whoever is answered without an error finds it applied by every shard

use super::*;
use crate::error::ErrorCode;
use crate::log::names::CLEAN_SHUTDOWN;
use crate::metadata::{DIRECTORY, Image, ResourceType, framing};
use crate::shard::{Answer, Ask, Bundle, Checkpoint, CheckpointPoint, Start};
use crate::types::{Offset, Uuid};
use crate::wire::messages::create_topics::CreatableTopic;
use crate::wire::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use crate::wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, IncrementalAlterConfigsRequest};
use millrace_io::sim::{Cause, Crash, DiskOp, Failure, Faults, MachineId, Rng, Spec, World};
use millrace_io::{Event, Program, Signal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

const NAMES: u64 = 12;

// ---- the ledger

/// A topic: not there, or there with this `retention.ms`.
type State = Option<Option<String>>;

#[derive(Clone, Debug)]
struct Possible {
    /// What it may be; one of them once it was acknowledged.
    states: Vec<State>,
    /// A command about it has not been answered.
    busy: bool,
}

/// A command that has not been answered.
#[derive(Clone, Debug)]
struct Asked {
    name: Option<String>,
    before: Vec<State>,
    after: State,
}

#[derive(Default)]
struct Ledger {
    topics: BTreeMap<String, Possible>,
    asked: BTreeMap<u32, Asked>,
    answers: BTreeMap<ErrorCode, u32>,
    /// First ids of the blocks that were given.
    producer_ids: BTreeSet<i64>,
    published: Offset,
    /// By shard, in this process.
    applied: Vec<Option<Arc<Image>>>,
    starts: Vec<Started>,
    serving: bool,
    /// Nobody asks any more.
    pause: bool,
    timeouts: bool,
    /// Shards stop without opening anything.
    hasty: bool,
    /// Core 0 finds that this directory does not work any more.
    failing: Option<usize>,
}

/// What a start found.
struct Started {
    start: Arc<Start>,
    /// Served before it ended.
    served: bool,
}

type Shared = Arc<Mutex<Ledger>>;

impl Ledger {
    fn lock(shared: &Shared) -> MutexGuard<'_, Ledger> {
        // A crash unwinds whoever holds it.
        shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A new process: whoever asked the old one will never know.
    fn begin(&mut self, cores: u16) {
        for (_, asked) in std::mem::take(&mut self.asked) {
            self.doubt(asked);
        }
        self.applied = vec![None; usize::from(cores)];
        self.serving = false;
    }

    fn doubt(&mut self, asked: Asked) {
        let Some(name) = asked.name else { return };
        let possible = self.topics.get_mut(&name).unwrap();
        possible.busy = false;
        possible.states = asked.before;
        possible.states.push(asked.after);
    }

    fn published(&mut self, image: &Image) {
        assert!(image.end >= self.published, "record {} was published, now there are {}", self.published, image.end);
        self.published = image.end;
        assert!(self.producer_ids.last().is_none_or(|last| *last < image.next_producer_id));
        let in_doubt = self.asked.values().filter_map(|asked| asked.name.clone()).collect::<Vec<_>>();
        for (name, possible) in &mut self.topics {
            let found = state(image, name);
            if !in_doubt.contains(name) {
                assert!(possible.states.contains(&found), "{name} is {found:?} and may be {:?}", possible.states);
            }
        }
    }

    /// The first image of a process: what it says is so from now on.
    fn settle(&mut self, image: &Image) {
        for (name, possible) in &mut self.topics {
            possible.states = vec![state(image, name)];
        }
    }

    fn answered(&mut self, sequence: u32, reply: &Reply) {
        let asked = self.asked.remove(&sequence).expect("who has asked is answered once");
        let error = match reply {
            Reply::CreateTopics(response) => response.topics[0].error_code,
            Reply::DeleteTopics(response) => response.responses[0].error_code,
            Reply::IncrementalAlterConfigs(response) => response.responses[0].error_code,
            Reply::AutoCreate(created) => created[0].result.err().unwrap_or_default(),
            Reply::ProducerIds(Ok(ids)) => {
                assert!(self.producer_ids.insert(ids.start) && ids.end == ids.start + 1000, "{ids:?} was given before");
                ErrorCode::None
            }
            Reply::ProducerIds(Err(error)) => *error,
            reply => unreachable!("nobody asked for {reply:?}"),
        };
        *self.answers.entry(error).or_default() += 1;
        let Some(name) = asked.name.clone() else { return };
        match error {
            ErrorCode::None => {
                for (shard, image) in self.applied.iter().enumerate() {
                    let found = state(image.as_ref().expect("it has applied an image"), &name);
                    assert!(found == asked.after || self.timeouts, "shard {shard} has not heard of {name}");
                }
                let possible = self.topics.get_mut(&name).unwrap();
                possible.busy = false;
                possible.states = vec![asked.after];
            }
            ErrorCode::RequestTimedOut => self.doubt(asked),
            ErrorCode::TopicAlreadyExists | ErrorCode::UnknownTopicOrPartition => {
                let possible = self.topics.get_mut(&name).unwrap();
                possible.busy = false;
                let exists = error == ErrorCode::TopicAlreadyExists;
                possible.states.retain(|state| state.is_some() == exists);
                assert!(!possible.states.is_empty(), "{name}: {error}, though it was acknowledged otherwise");
            }
            ErrorCode::KafkaStorageError | ErrorCode::NotController => {
                let possible = self.topics.get_mut(&name).unwrap();
                possible.busy = false;
                possible.states = asked.before;
            }
            error => panic!("{name}: {error}"),
        }
    }

    /// Something to ask about a topic that nobody else asks about now.
    fn ask(&mut self, sequence: u32, rng: &mut Rng) -> Option<Command> {
        let name = format!("topic-{}", rng.below(NAMES));
        let possible = self.topics.entry(name.clone()).or_insert(Possible { states: vec![None], busy: false });
        let timeout_ms = if self.timeouts { [0, 2, 40][rng.index(3)] } else { 60_000 };
        let certain = possible.states.len() == 1;
        let (after, command) = match rng.below(5) {
            0 => (None, Command::AllocateProducerIds),
            _ if possible.busy => return None,
            1 if certain && possible.states[0].is_some() => (None, delete(&name, timeout_ms)),
            2 if certain && possible.states[0].is_some() => {
                let retention = rng.between(1, 1_000_000).to_string();
                (Some(Some(retention.clone())), alter(&name, &retention))
            }
            3 if certain => {
                let exists = possible.states[0].clone();
                (exists.or(Some(None)), Command::AutoCreate(vec![name.clone()]))
            }
            // Some batches are longer than a sector of the disk.
            _ => (Some(None), create(&name, [1, 3, 120][rng.index(3)], timeout_ms)),
        };
        let name = (!matches!(command, Command::AllocateProducerIds)).then_some(name);
        let before = name.as_ref().map_or(Vec::new(), |name| {
            let possible = self.topics.get_mut(name).unwrap();
            possible.busy = true;
            possible.states.clone()
        });
        // Making what may exist already leaves it as it is.
        self.asked.insert(sequence, Asked { name, before, after });
        Some(command)
    }
}

fn state(image: &Image, name: &str) -> State {
    image.topic_by_name(name)?;
    Some(image.overrides(ResourceType::Topic, name).and_then(|set| set.get("retention.ms").cloned()))
}

fn create(name: &str, partitions: i32, timeout_ms: i32) -> Command {
    let topic = CreatableTopic { name: name.into(), num_partitions: partitions, replication_factor: 1, ..Default::default() };
    Command::CreateTopics(CreateTopicsRequest { topics: vec![topic], timeout_ms, validate_only: false })
}

fn delete(name: &str, timeout_ms: i32) -> Command {
    Command::DeleteTopics { request: DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms, ..Default::default() }, version: 5 }
}

fn alter(name: &str, retention: &str) -> Command {
    let config = AlterableConfig { name: "retention.ms".into(), config_operation: 0, value: Some(retention.into()) };
    let resource_type = ResourceType::Topic.number();
    let resources = vec![AlterConfigsResource { resource_type, resource_name: name.into(), configs: vec![config] }];
    Command::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources, validate_only: false })
}

// ---- the process

/// What runs on a core: the control shard, if it is the first, and a shard that needs a while for everything.
struct Host {
    me: ShardId,
    mesh: Mesh,
    control: Option<Control>,
    ledger: Shared,
    rng: Rng,
    new: bool,
    /// Images to be applied, and when.
    images: VecDeque<(Instant, Arc<Image>)>,
    stop_at: Option<Instant>,
    ask_at: Instant,
    sequence: u32,
    dirs: usize,
    /// Directory and topic of what it has told the checkpoints of.
    told: BTreeSet<(usize, String)>,
}

impl Host {
    fn new(core: u16, cores: u16, config: &Arc<BrokerConfig>, ledger: &Shared, random: u64) -> Host {
        Host {
            me: ShardId(core),
            mesh: Mesh::new(ShardId(core), cores),
            control: (core == 0).then(|| Control::new(cores, config.clone())),
            ledger: ledger.clone(),
            rng: Rng::new(random),
            new: true,
            images: VecDeque::new(),
            stop_at: None,
            ask_at: Instant::NEVER,
            sequence: 0,
            dirs: 0,
            told: BTreeSet::new(),
        }
    }

    fn on_event(&mut self, core: &mut Core, event: Event) {
        match event {
            Event::File { token, result } => self.control.as_mut().unwrap().file_done(token, result),
            Event::Chore { token, output } => self.control.as_mut().unwrap().chore_done(core, token, output),
            Event::Mesh { from, parcel } => self.on_bundle(core, from, *parcel.downcast::<Bundle>().unwrap()),
            Event::Signal(Signal::Terminate) => {
                if let Some(control) = &mut self.control {
                    control.stop();
                }
            }
            event => panic!("{event:?}"),
        }
    }

    fn on_bundle(&mut self, core: &mut Core, from: ShardId, bundle: Bundle) {
        for note in bundle.notes {
            match note {
                Note::Start(start) => {
                    self.dirs = start.dirs.len();
                    if self.me == ShardId(0) {
                        Ledger::lock(&self.ledger).starts.push(Started { start, served: false });
                    }
                }
                Note::Publish(image) => self.publish(core, image),
                Note::Serve => {
                    self.ask_at = core.now();
                    let mut ledger = Ledger::lock(&self.ledger);
                    ledger.serving = true;
                    ledger.starts.last_mut().unwrap().served = true;
                }
                Note::Stop => {
                    self.stop_at = Some(core.now() + Duration::from_micros(self.rng.below(3_000)));
                    if Ledger::lock(&self.ledger).hasty {
                        self.images.clear();
                    }
                }
                Note::Halt => core.stop(),
                note => self.control.as_mut().unwrap().note(from, note),
            }
        }
        for (ticket, ask) in bundle.asks {
            let Ask::Control(command) = ask else { panic!("only the control shard is asked") };
            self.control.as_mut().unwrap().command(core, &mut self.mesh, ticket, command);
        }
        for (ticket, answer) in bundle.answers {
            let Answer::Control(reply) = answer else { panic!("only the control shard answers") };
            Ledger::lock(&self.ledger).answered(ticket.sequence, &reply);
        }
    }

    fn publish(&mut self, core: &mut Core, image: Arc<Image>) {
        assert!(self.stop_at.is_none(), "no shard hears of a new image after it was told to stop");
        if self.me == ShardId(0) {
            let mut ledger = Ledger::lock(&self.ledger);
            let first = ledger.applied.iter().all(Option::is_none) && self.images.is_empty();
            ledger.published(&image);
            if first {
                ledger.settle(&image);
            }
        }
        self.images.push_back((core.now() + Duration::from_micros(self.rng.skewed(1, 5_000)), image));
    }

    fn work(&mut self, now: Instant) {
        while self.images.front().is_some_and(|(at, _)| *at <= now) {
            let (_, image) = self.images.pop_front().unwrap();
            self.mesh.note(ShardId(0), Note::Applied { image: image.end });
            if self.me == ShardId(0) {
                self.tell_checkpoints(&image);
            }
            Ledger::lock(&self.ledger).applied[usize::from(self.me.0)] = Some(image);
        }
        if self.stop_at.is_some_and(|at| at <= now) && self.images.is_empty() {
            self.stop_at = Some(Instant::NEVER);
            self.ask_at = Instant::NEVER;
            self.mesh.note(ShardId(0), Note::Stopped);
        }
        if self.me == ShardId(0)
            && let Some(dir) = Ledger::lock(&self.ledger).failing.take()
        {
            self.mesh.note(ShardId(0), Note::DirectoryFailed { dir, why: "it burns".into() });
        }
        while self.ask_at <= now {
            self.ask_at = self.ask_at + Duration::from_micros(self.rng.skewed(10, 20_000));
            let ticket = Ticket { shard: self.me, connection: 0, generation: 0, sequence: u32::from(self.me.0) << 24 | self.sequence };
            self.sequence += 1;
            let mut ledger = Ledger::lock(&self.ledger);
            if !ledger.pause
                && let Some(command) = ledger.ask(ticket.sequence, &mut self.rng)
            {
                self.mesh.ask(ShardId(0), ticket, Ask::Control(command));
            }
        }
    }
}

impl Host {
    /// One partition of every topic, in a directory that its id says.
    fn tell_checkpoints(&mut self, image: &Image) {
        let checkpoint = |(dir, topic): &(usize, String), point| Checkpoint { dir: *dir, topic: topic.clone(), index: 0, point };
        let point = CheckpointPoint { recovery_point: image.end, log_start: Offset(0), high_watermark: image.end };
        let now: BTreeSet<(usize, String)> =
            image.topics().map(|topic| (usize::from(topic.id.0[0]) % self.dirs, topic.name.to_string())).collect();
        let gone = self.told.difference(&now).map(|place| checkpoint(place, None));
        let told = gone.chain(now.iter().map(|place| checkpoint(place, Some(point)))).collect();
        self.told = now;
        self.mesh.note(ShardId(0), Note::Checkpoint(told));
    }
}

impl Program for Host {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.new)
            && let Some(control) = &mut self.control
        {
            Ledger::lock(&self.ledger).begin(self.mesh.cores());
            control.start(core, &mut self.mesh);
        }
        for event in events.drain(..) {
            self.on_event(core, event);
        }
        let now = core.now();
        self.work(now);
        if let Some(control) = &mut self.control {
            control.expire(core, now);
        }
        loop {
            loop {
                let bundle = self.mesh.take_own();
                if bundle.is_empty() {
                    break;
                }
                self.on_bundle(core, self.me, bundle);
            }
            if let Some(control) = &mut self.control {
                control.flush(core, &mut self.mesh);
            }
            if self.mesh.is_quiet() {
                break;
            }
        }
        self.mesh.flush(core);
    }

    fn deadline(&self) -> Option<Instant> {
        let image = self.images.front().map(|(at, _)| *at);
        let times = [image, self.stop_at, Some(self.ask_at), self.control.as_ref().and_then(Control::deadline)];
        times.into_iter().flatten().filter(|at| *at != Instant::NEVER).min()
    }
}

// ---- the world

struct Stage {
    world: World,
    machine: MachineId,
    ledger: Shared,
    settings: Arc<Mutex<BTreeMap<String, String>>>,
}

const SECOND: Duration = Duration::from_secs(1);

fn stage(seed: u64, cores: u16, faults: Faults, settings: &[(&str, &str)]) -> Stage {
    let mut world = World::new(seed, faults);
    let ledger = Shared::default();
    let mut all: BTreeMap<String, String> = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    all.entry("log.dirs".into()).or_insert("/data/a,/data/b".into());
    let settings = Arc::new(Mutex::new(all));
    let spec = Spec::new("broker", cores, [10, 0, 0, 1].into());
    let (of_host, of_settings) = (ledger.clone(), settings.clone());
    let make = move |birth: &millrace_io::sim::Birth| -> Box<dyn Program> {
        let config = Arc::new(BrokerConfig::new(of_settings.lock().unwrap().clone()).unwrap());
        Box::new(Host::new(birth.core.0, birth.cores, &config, &of_host, birth.random))
    };
    let machine = world.machine(spec, Box::new(make));
    Stage { world, machine, ledger, settings }
}

impl Stage {
    fn start(&mut self) {
        self.world.start(self.machine);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        Ledger::lock(&self.ledger)
    }

    /// Starts, and runs until it serves.
    fn serve(&mut self) {
        Ledger::lock(&self.ledger).serving = false;
        self.start();
        self.serves();
    }

    fn serves(&mut self) {
        let ledger = self.ledger.clone();
        assert!(self.world.run_until(60 * SECOND, |_| Ledger::lock(&ledger).serving), "{:?}", self.world.deaths(self.machine));
    }

    /// SIGTERM; returns when the process has ended.
    fn stop(&mut self) {
        self.world.terminate(self.machine);
        let machine = self.machine;
        assert!(self.world.run_until(60 * SECOND, |world| !world.is_up(machine)));
        assert_eq!(self.cause(), Cause::Stopped);
    }

    /// Runs until the process has ended.
    fn ends(&mut self) -> Cause {
        let machine = self.machine;
        self.world.run_until(60 * SECOND, |world| !world.is_up(machine));
        self.cause()
    }

    fn cause(&self) -> Cause {
        self.world.deaths(self.machine).last().expect("it has ended").cause.clone()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings.lock().unwrap().insert(name.into(), value.into());
    }

    fn has(&self, path: &str) -> bool {
        self.world.fs(self.machine).exists(Path::new(path))
    }

    /// Everybody is answered, and nobody asks any more.
    fn settles(&mut self) {
        self.ledger().pause = true;
        let ledger = self.ledger.clone();
        assert!(self.world.run_until(120 * SECOND, |_| Ledger::lock(&ledger).asked.is_empty()), "everybody is answered");
        self.ledger().pause = false;
    }
}

fn fatal(cause: &Cause) -> (i32, &str) {
    match cause {
        Cause::Fatal(status, line) => (*status, line),
        cause => panic!("{cause:?}"),
    }
}

// ---- crashes

/// One run: processes that die in all ways, with clients asking all the time.
fn run(seed: u64) {
    let mut rng = Rng::new(seed);
    let cores = u16::try_from(rng.between(1, 3)).unwrap();
    let snapshot_bytes = rng.skewed(1, 20_000).to_string();
    let mut stage = stage(seed, cores, Faults::NONE, &[("metadata.log.max.record.bytes.between.snapshots", &snapshot_bytes)]);
    stage.world.set_restart(stage.machine, Some((Duration::from_millis(1), SECOND)));
    let mut faults = Faults::drawn(seed);
    faults.disk.sync_eio_ppm *= 4;
    faults.disk.write_eio_ppm *= 4;
    *stage.world.faults_mut() = faults;
    stage.ledger().timeouts = rng.coin();
    stage.start();
    for _ in 0..rng.between(5, 30) {
        stage.world.run_for(Duration::from_millis(rng.skewed(1, 1_000)));
        let machine = stage.machine;
        match rng.below(4) {
            0 => stage.world.crash_process(machine),
            1 => stage.world.power_cut(machine),
            2 => stage.world.terminate(machine),
            _ => {}
        }
        if !stage.world.is_up(machine) && stage.cause() == Cause::Stopped {
            stage.start();
        }
    }
    stage.world.quiet();
    stage.world.set_restart(stage.machine, None);
    stage.world.run_for(2 * SECOND);
    if stage.world.is_up(stage.machine) {
        stage.world.crash_process(stage.machine);
    }
    stage.ledger().timeouts = false;
    stage.serve();
    stage.world.run_for(SECOND);
    stage.settles();
    stage.stop();
    for (status, line) in stage.world.fatals(stage.machine) {
        assert!([5, 6, 7].contains(&status) && !line.contains("restore"), "seed {seed}: {line}");
    }
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    for seed in 0..30 {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "seed {seed}");
    }
}

/// A disk on which syncing a new file does not take its name along, and a log that is rolled with every write, or never.
#[test]
fn a_power_cut_loses_no_file_that_the_log_goes_on_in() {
    let mut faults = Faults::NONE;
    faults.disk.nameless_sync_ppm = 1_000_000;
    for seed in 0..400 {
        let bytes = ["1", "1000000"][usize::from(seed % 2 == 0)];
        let mut stage = stage(seed, 1, faults, &[("metadata.log.max.record.bytes.between.snapshots", bytes)]);
        stage.serve();
        let mut rng = Rng::new(seed);
        for _ in 0..3 {
            stage.world.run_for(Duration::from_micros(rng.skewed(1, 100_000)));
            stage.world.power_cut(stage.machine);
            stage.serve();
        }
    }
}

#[test]
fn a_start_that_crashes_at_any_step_is_followed_by_one_that_does_not() {
    for crash in [Crash::Process, Crash::Power] {
        for nth in 1.. {
            let mut stage = stage(nth, 1, Faults::NONE, &[]);
            stage.world.crash_at_op(stage.machine, nth, crash);
            stage.start();
            stage.world.run_for(SECOND);
            if stage.world.is_up(stage.machine) {
                assert!(nth > 30, "{nth} steps");
                break;
            }
            assert_eq!(stage.cause(), Cause::Crash(crash));
            stage.serve();
            let ledger = stage.ledger();
            let ids: Vec<Uuid> = ledger.starts.last().unwrap().start.dirs.iter().map(|dir| dir.id).collect();
            assert!(ids[0] != ids[1] && ids.iter().all(|id| *id != Uuid::ZERO), "{ids:?}");
        }
    }
}

// ---- starts and stops

#[test]
fn a_clean_stop_is_seen_by_the_next_start_and_only_by_that() {
    let mut stage = stage(1, 2, Faults::NONE, &[]);
    stage.serve();
    stage.world.run_for(2 * SECOND);
    stage.settles();
    let topics = stage.ledger().applied[0].as_ref().unwrap().topics_count();
    assert!(topics > 0);
    stage.stop();
    assert!(stage.has(&format!("/data/a/{CLEAN_SHUTDOWN}")) && stage.has(&format!("/data/b/{CLEAN_SHUTDOWN}")));
    stage.serve();
    assert!(!stage.has(&format!("/data/a/{CLEAN_SHUTDOWN}")));
    {
        let ledger = stage.ledger();
        let start = &ledger.starts.last().unwrap().start;
        assert!(start.dirs.iter().all(|dir| dir.clean && dir.offline.is_none()));
        assert_eq!(start.dirs.iter().map(|dir| dir.recovery_points.len()).sum::<usize>(), topics);
        assert_eq!(start.cluster_id, ledger.starts[0].start.cluster_id);
        assert_eq!(start.dirs[0].id, ledger.starts[0].start.dirs[0].id);
    }
    stage.world.crash_process(stage.machine);
    stage.serve();
    assert!(stage.ledger().starts.last().unwrap().start.dirs.iter().all(|dir| !dir.clean));
}

#[test]
fn a_stop_before_all_partitions_are_open_does_not_claim_that_they_are_whole() {
    let (mut opened, mut unopened) = (0, 0);
    for seed in 0..60 {
        let mut stage = stage(seed, 3, Faults::NONE, &[]);
        stage.ledger().hasty = true;
        stage.start();
        stage.world.run_for(Duration::from_micros(seed * 150));
        stage.stop();
        let all = stage.ledger().applied.iter().all(Option::is_some);
        assert_eq!(stage.has(&format!("/data/a/{CLEAN_SHUTDOWN}")), all, "seed {seed}");
        *if all { &mut opened } else { &mut unopened } += 1;
    }
    assert!(opened > 5 && unopened > 5, "{opened} and {unopened}");
}

#[test]
fn a_second_start_on_the_same_directory_says_so() {
    let mut stage = stage(1, 1, Faults::NONE, &[]);
    let fs = stage.world.fs(stage.machine);
    fs.create_dir_all(Path::new("/data/b")).unwrap();
    let lock = fs.lock(Path::new("/data/b/.lock")).unwrap().unwrap();
    stage.start();
    let cause = stage.ends();
    let line = "/data/b is in use by another Millrace (lock /data/b/.lock is held); stop it or choose another log.dirs";
    assert_eq!(fatal(&cause), (4, line));
    // The simulated disk forgot it when the process ended.
    std::mem::forget(lock);
    stage.serve();
}

#[test]
fn directories_of_another_broker_or_another_cluster_are_refused() {
    let mut stage = stage(1, 1, Faults::NONE, &[]);
    stage.serve();
    stage.stop();
    stage.set("node.id", "7");
    stage.start();
    let line = "/data/a belongs to broker 0 (node.id in its meta.properties), this is broker 7; set node.id=0 or choose another log.dirs";
    assert_eq!(fatal(&stage.ends()), (5, line));

    stage.set("node.id", "0");
    stage.set("log.dirs", "/data/c");
    stage.serve();
    stage.stop();
    stage.set("log.dirs", "/data/a,/data/c");
    stage.start();
    let cause = stage.ends();
    let (status, line) = fatal(&cause);
    assert!(status == 5 && line.starts_with("/data/c belongs to cluster "), "{line}");

    let fs = stage.world.fs(stage.machine);
    let copy = fs.read(Path::new("/data/a/meta.properties")).unwrap();
    fs.create_dir_all(Path::new("/data/d")).unwrap();
    fs.write_atomic(Path::new("/data/d/meta.properties"), &copy).unwrap();
    stage.set("log.dirs", "/data/a,/data/d");
    stage.start();
    let cause = stage.ends();
    let (status, line) = fatal(&cause);
    assert!(status == 5 && line.contains("are the same directory or copies of one another"), "{line}");
}

#[test]
fn a_lost_metadata_log_is_not_begun_anew() {
    let mut stage = stage(1, 1, Faults::NONE, &[]);
    stage.serve();
    stage.stop();
    let fs = stage.world.fs(stage.machine);
    fs.remove_dir_all(&Path::new("/data/a").join(DIRECTORY)).unwrap();
    fs.create_dir_all(Path::new("/data/b/orders-0")).unwrap();
    stage.start();
    let cause = stage.ends();
    let (status, line) = fatal(&cause);
    assert!(status == 6 && line.starts_with("/data/b holds partitions (orders-0), but the metadata log in /data/a is empty"), "{line}");
}

// ---- failing disks

#[test]
fn a_directory_that_fails_at_the_start_is_offline_and_the_others_work() {
    let mut stage = stage(1, 1, Faults::NONE, &[]);
    stage.world.mount(stage.machine, "/data/b", 1 << 30);
    stage.world.break_volume(stage.machine, "/data/b", true);
    stage.serve();
    {
        let ledger = stage.ledger();
        let dirs = &ledger.starts.last().unwrap().start.dirs;
        assert!(dirs[0].offline.is_none() && dirs[1].offline.is_some());
    }
    stage.world.run_for(SECOND);
    stage.settles();
    assert!(stage.ledger().answers[&ErrorCode::None] > 10);
    stage.stop();
    stage.world.break_volume(stage.machine, "/data/b", false);
    stage.world.break_volume(stage.machine, "/data/a", true);
    stage.start();
    let cause = stage.ends();
    let (status, line) = fatal(&cause);
    assert!(status == 5 && line.contains("the metadata log is there"), "{line}");
}

#[test]
fn a_directory_that_fails_later_gets_no_more_partitions_and_the_last_one_ends_the_process() {
    let mut stage = stage(1, 2, Faults::NONE, &[("log.dirs", "/data/a,/data/b,/data/c"), ("metadata.log.dir", "/data/meta")]);
    stage.serve();
    let ids: Vec<Uuid> = stage.ledger().starts[0].start.dirs.iter().map(|dir| dir.id).collect();
    for (dir, online) in [(1, vec![ids[0], ids[2]]), (1, vec![ids[0], ids[2]]), (0, vec![ids[2]])] {
        stage.ledger().failing = Some(dir);
        stage.world.run_for(SECOND);
        stage.settles();
        let ledger = stage.ledger();
        let image = ledger.applied[1].as_ref().unwrap();
        assert_eq!(image.broker(image.node).unwrap().log_dirs, online);
    }
    stage.stop();
    let clean = |dir: &str| stage.has(&format!("/data/{dir}/{CLEAN_SHUTDOWN}"));
    assert!(!clean("a") && !clean("b") && clean("c"));
    stage.serve();
    for (dir, up) in [(2, true), (1, true), (0, false)] {
        stage.ledger().failing = Some(dir);
        stage.world.run_for(SECOND);
        assert_eq!(stage.world.is_up(stage.machine), up);
    }
    assert_eq!(fatal(&stage.cause()), (7, "/data/a, the last of log.dirs, has failed (it burns); mend the disk and start again"));
}

#[test]
fn the_directory_of_the_metadata_log_must_not_fail() {
    let mut stage = stage(1, 1, Faults::NONE, &[]);
    stage.serve();
    stage.ledger().failing = Some(0);
    let line = "/data/a has failed (it burns), and the metadata log is there; mend the disk and start again";
    assert_eq!(fatal(&stage.ends()), (7, line));
}

#[test]
fn a_failing_write_or_sync_of_the_metadata_log_ends_the_process_and_acknowledges_nothing() {
    for seed in 0..20 {
        let (op, doing) = if seed % 2 == 0 { (DiskOp::Write, "write") } else { (DiskOp::Sync, "sync") };
        let mut stage = stage(seed, 2, Faults::NONE, &[]);
        stage.serve();
        stage.world.run_for(SECOND);
        stage.world.fail(stage.machine, Failure::next(op, |path| path.contains(DIRECTORY)));
        let cause = stage.ends();
        let (status, line) = fatal(&cause);
        assert!(status == 7 && line.contains(&format!("cannot {doing} the metadata log")), "{line}");
        // The page cache may still have what the disk does not, and call it clean.
        stage.serve();
        stage.world.power_cut(stage.machine);
        stage.serve();
        stage.settles();
    }
}

#[test]
fn on_a_full_disk_changes_are_refused_until_there_is_room() {
    let mut stage = stage(1, 1, Faults::NONE, &[("log.dirs", "/data/a")]);
    stage.world.mount(stage.machine, "/data/a", 1 << 30);
    stage.serve();
    stage.world.run_for(SECOND);
    let space = stage.world.fs(stage.machine).space(Path::new("/data/a")).unwrap();
    stage.world.set_capacity(stage.machine, "/data/a", space.total_bytes - space.usable_bytes + 4096);
    stage.world.run_for(4 * SECOND);
    assert!(stage.ledger().answers[&ErrorCode::KafkaStorageError] > 10, "{:?}", stage.ledger().answers);
    stage.world.set_capacity(stage.machine, "/data/a", 1 << 30);
    stage.world.run_for(SECOND);
    stage.ledger().answers.clear();
    stage.world.run_for(SECOND);
    stage.settles();
    let ledger = stage.ledger();
    assert!(ledger.answers[&ErrorCode::None] > 10 && !ledger.answers.contains_key(&ErrorCode::KafkaStorageError), "{:?}", ledger.answers);
    drop(ledger);
    let fs = stage.world.fs(stage.machine);
    let log = Path::new("/data/a").join(DIRECTORY);
    let last = fs.list(&log).unwrap().into_iter().rfind(|file| file.name.ends_with(".log")).unwrap();
    let base = Offset(last.name[..20].parse().unwrap());
    assert_eq!(framing::read(&fs.read(&log.join(last.name)).unwrap(), base).unwrap().torn_bytes, 0);
    stage.world.power_cut(stage.machine);
    stage.serve();
}

#[test]
fn a_stalled_disk_times_requests_out() {
    let mut stage = stage(1, 1, Faults::NONE, &[]);
    stage.ledger().timeouts = true;
    stage.serve();
    stage.world.run_for(SECOND);
    stage.settles();
    stage.ledger().answers.clear();
    stage.world.stall_disk(stage.machine, Duration::from_millis(500));
    stage.world.run_for(SECOND);
    assert!(stage.ledger().answers[&ErrorCode::RequestTimedOut] > 10, "{:?}", stage.ledger().answers);
    stage.settles();
    stage.stop();
}

#[test]
fn snapshots_keep_the_log_short() {
    let mut stage = stage(1, 2, Faults::NONE, &[("metadata.log.max.record.bytes.between.snapshots", "2000")]);
    stage.serve();
    for _ in 0..5 {
        stage.world.run_for(5 * SECOND);
        stage.settles();
        stage.ledger().pause = true;
        stage.world.run_for(SECOND);
        stage.ledger().pause = false;
        let files = stage.world.fs(stage.machine).list(&Path::new("/data/a").join(DIRECTORY)).unwrap();
        let log: u64 = files.iter().filter(|file| file.name.ends_with(".log")).map(|file| file.len).sum();
        assert!(files.len() == 2 && log < 5_000, "{files:?}");
        stage.world.power_cut(stage.machine);
        stage.serve();
    }
}
