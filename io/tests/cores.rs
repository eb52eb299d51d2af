//! Turns, deadlines, classes, the mesh, chores and signals of the real world.

mod common;

use common::{Turn, options, run, run_all};
use millrace_io::{Class, Core, CoreId, Event, Instant, Program, Signal, Token, blocking, real};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn parcels_from_one_core_to_another_arrive_in_order_and_wake_it() {
    // Ping-pong of one parcel, then floods both ways. Core 1 sleeps whenever it has nothing: no deadline, no sockets.
    const ROUNDS: u64 = 2000;
    const FLOOD: u64 = 100_000;
    let mut started = false;
    let mut expected = 0;
    let first: Turn = Box::new(move |core, events| {
        if !std::mem::replace(&mut started, true) {
            core.tell(CoreId(1), Box::new(0u64));
        }
        for event in events.drain(..) {
            let Event::Mesh { from: CoreId(1), parcel } = event else { panic!("{event:?}") };
            let number = *parcel.downcast::<u64>().unwrap();
            assert_eq!(number, expected);
            expected += 1;
            if number < ROUNDS {
                core.tell(CoreId(1), Box::new(number + 1));
            } else if number == ROUNDS {
                for flood in 1..=FLOOD {
                    core.tell(CoreId(1), Box::new(ROUNDS + flood));
                }
            } else if number == ROUNDS + FLOOD {
                core.tell(CoreId(1), Box::new(u64::MAX));
                core.stop();
            }
        }
        None
    });
    let mut expected = 0;
    let second: Turn = Box::new(move |core, events| {
        for event in events.drain(..) {
            let Event::Mesh { from: CoreId(0), parcel } = event else { panic!("{event:?}") };
            let number = *parcel.downcast::<u64>().unwrap();
            if number == u64::MAX {
                core.stop();
                break;
            }
            assert_eq!(number, expected);
            expected += 1;
            core.tell(CoreId(0), Box::new(number));
        }
        None
    });
    run_all(&options(), vec![first, second]);
}

#[test]
fn what_a_core_tells_itself_comes_back_in_the_next_turn() {
    let mut turns = 0;
    run(move |core, events| {
        turns += 1;
        let this = core.id();
        match turns {
            1 => {
                assert_eq!((this, core.cores()), (CoreId(0), 1));
                (1..=3u8).for_each(|number| core.tell(this, Box::new(number)));
            }
            _ => {
                let numbers: Vec<u8> = events
                    .drain(..)
                    .map(|event| match event {
                        Event::Mesh { from, parcel } if from == this => *parcel.downcast().unwrap(),
                        other => panic!("{other:?}"),
                    })
                    .collect();
                assert_eq!(numbers, [1, 2, 3]);
                core.stop();
            }
        }
        None
    });
}

#[test]
fn chores_run_beside_the_cores_and_answer_each_core_in_its_order() {
    let turns = (0..2u16)
        .map(|id| {
            let mut started = false;
            let mut expected = 0;
            let turn: Turn = Box::new(move |core, events| {
                if !std::mem::replace(&mut started, true) {
                    let core_thread = std::thread::current().id();
                    for number in 0..200u64 {
                        core.chore(
                            Token(number),
                            Box::new(move |fs| {
                                assert_ne!(std::thread::current().id(), core_thread);
                                Box::new((id, number, fs.exists(std::path::Path::new("/"))))
                            }),
                        );
                    }
                }
                for event in events.drain(..) {
                    let Event::Chore { token, output } = event else { panic!("{event:?}") };
                    assert_eq!(*output.downcast::<(u16, u64, bool)>().unwrap(), (id, token.0, true));
                    assert_eq!(token.0, expected);
                    expected += 1;
                }
                if expected == 200 {
                    core.stop();
                }
                None
            });
            turn
        })
        .collect();
    run_all(&options(), turns);
}

#[test]
fn a_deadline_is_kept_within_a_fraction_of_a_millisecond() {
    let mut due: Option<Instant> = None;
    let mut late = Vec::new();
    run(move |core, events| {
        assert!(events.is_empty());
        let now = core.now();
        if let Some(due) = due {
            assert!(now >= due, "too early");
            late.push(now.since(due));
        }
        if late.len() == 100 {
            late.sort_unstable();
            // The machine may be busy with other tests; half of the time it is not.
            assert!(late[50] < Duration::from_micros(500), "{late:?}");
            core.stop();
        }
        due = Some(now + Duration::from_micros(700));
        due
    });
}

#[test]
fn both_clocks_run_and_stand_still_within_a_turn() {
    let mut seen: Vec<Instant> = Vec::new();
    run(move |core, _| {
        let (now, wall) = (core.now(), core.wall());
        assert!(seen.last().is_none_or(|last| *last < now));
        seen.push(now);
        blocking::sleep(Duration::from_millis(1));
        assert_eq!((core.now(), core.wall()), (now, wall));
        let distance = blocking::wall().0 - wall.0;
        assert!((0..10_000).contains(&distance), "{distance} ms between two clocks that are one");
        if seen.len() == 5 {
            core.stop();
        }
        Some(core.now())
    });
}

/// Counts steps; every turn asks for the next, so that requests always wait.
struct Busy {
    steps: [u32; 2],
    turns: u32,
    spin: Duration,
    requests: bool,
    report: std::sync::mpsc::Sender<(u32, [u32; 2])>,
    until: Instant,
}

fn spin(duration: Duration) {
    let began = blocking::now();
    while blocking::now().since(began) < duration {
        std::hint::spin_loop();
    }
}

impl Program for Busy {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        events.clear();
        self.turns += 1;
        if self.requests {
            let this = core.id();
            core.tell(this, Box::new(()));
            spin(self.spin);
        }
        if core.now() >= self.until {
            self.report.send((self.turns, self.steps)).unwrap();
            core.stop();
        }
    }
    fn deadline(&self) -> Option<Instant> {
        Some(self.until)
    }
    fn step(&mut self, _: &mut Core, class: Class) -> bool {
        self.steps[usize::from(class == Class::Background)] += 1;
        spin(self.spin);
        true
    }
}

fn run_busy(requests: bool) -> (u32, [u32; 2]) {
    let (report, reports) = channel();
    real::run(&options(), |_| {
        Box::new(Busy {
            steps: [0; 2],
            turns: 0,
            spin: Duration::from_micros(200),
            requests,
            report: report.clone(),
            until: blocking::now() + Duration::from_millis(500),
        })
    })
    .unwrap();
    reports.recv().unwrap()
}

#[test]
fn busy_classes_get_their_shares_of_a_core() {
    let (turns, [replication, background]) = run_busy(true);
    let all = f64::from(turns + replication + background);
    let shares = [turns, replication, background].map(|steps| f64::from(steps) / all * 100.0);
    // Shares are of time, and other tests take some of it in the middle of a step: no narrow bounds. Those are with `Shares`.
    assert!((60.0..95.0).contains(&shares[0]), "{shares:?}");
    assert!((1.0..25.0).contains(&shares[1]), "{shares:?}");
    assert!((0.5..25.0).contains(&shares[2]), "{shares:?}");
}

#[test]
fn an_idle_core_gives_all_its_time_to_the_background_and_still_keeps_its_deadline() {
    let (turns, [replication, background]) = run_busy(false);
    assert!(turns <= 3, "{turns} turns for one deadline");
    // Half a second in steps of 200 µs; the machine may be busy with other tests.
    assert!(replication + background > 50, "{replication} and {background} steps");
}

/// A program whose background has nothing to do until it is told.
struct Told {
    work: u32,
    done: u32,
}

impl Program for Told {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            assert!(matches!(event, Event::Chore { .. }));
            self.work += 1;
        }
        if self.work == 0 {
            core.chore(Token(0), Box::new(|_| Box::new(())));
        }
        if self.done == 10 {
            core.stop();
        }
    }
    fn deadline(&self) -> Option<Instant> {
        (self.done == 10).then_some(Instant(0))
    }
    fn has_work(&self, class: Class) -> bool {
        class == Class::Background && self.work > 0 && self.done < 10
    }
    fn step(&mut self, _: &mut Core, class: Class) -> bool {
        assert!(self.has_work(class), "asked for work that is not there");
        self.done += 1;
        true
    }
}

#[test]
fn work_that_an_event_brings_is_stepped_through_before_the_core_sleeps() {
    real::run(&options(), |_| Box::new(Told { work: 0, done: 0 })).unwrap();
}

#[test]
fn each_core_has_random_numbers_of_its_own() {
    let numbers = std::sync::Arc::new(Mutex::new(Vec::new()));
    let turns = (0..2)
        .map(|_| {
            let numbers = numbers.clone();
            let turn: Turn = Box::new(move |core, _| {
                numbers.lock().unwrap().extend([core.random(), core.random()]);
                core.stop();
                None
            });
            turn
        })
        .collect();
    run_all(&options(), turns);
    let mut numbers = std::mem::take(&mut *numbers.lock().unwrap());
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
}

#[test]
fn this_machine_can_run_cores() {
    assert_eq!(real::check(&options()), Ok(()));
    assert!(blocking::available_cpus() >= 1);
    assert_ne!(blocking::random(), blocking::random());
}

#[test]
fn a_cpu_that_is_not_there_is_said_plainly() {
    let options = real::Options { cores: 2, cpus: vec![0, 1000], ..options() };
    let error = real::run(&options, |_| unreachable!("nobody begins")).unwrap_err();
    assert!(error.to_string().contains("CPU 1000"), "{error}");
}

#[test]
fn too_little_locked_memory_is_said_plainly() {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("SKIPPED: only root can become somebody else");
        return;
    }
    let output = child("child_with_little_locked_memory").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_with_little_locked_memory() {
    let limit = libc::rlimit { rlim_cur: 16 << 10, rlim_max: 16 << 10 };
    // SAFETY: `limit` outlives the call; root may lock what it likes, so we become nobody.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit), 0);
        assert_eq!(libc::setuid(65534), 0);
    }
    let error = real::run(&real::Options { cores: 2, ..options() }, |_| unreachable!("nobody begins")).unwrap_err();
    assert!(error.to_string().contains("locked memory is 16 KiB"), "{error}");
}

/// Runs one of the tests below in a process of its own.
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--ignored", test]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn wait_for_line(from: impl std::io::Read, wanted: &str) {
    let lines = std::io::BufRead::lines(std::io::BufReader::new(from));
    for line in lines {
        if line.unwrap().contains(wanted) {
            return;
        }
    }
    panic!("the child never said {wanted:?}");
}

fn kill(child: &std::process::Child, signal: libc::c_int) {
    // SAFETY: a signal to our own child, which we have not waited for.
    assert_eq!(unsafe { libc::kill(libc::pid_t::try_from(child.id()).unwrap(), signal) }, 0);
}

#[test]
fn the_first_signal_is_an_event_and_the_second_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    for (signal, status) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
        let mut polite = child("child_that_stops_when_asked").spawn().unwrap();
        let mut out = polite.stdout.take().unwrap();
        wait_for_line(&mut out, "ready");
        kill(&polite, signal);
        assert!(polite.wait().unwrap().success());

        let mut stubborn = child("child_that_only_says_that_it_was_asked").spawn().unwrap();
        let mut out = stubborn.stdout.take().unwrap();
        wait_for_line(&mut out, "ready");
        kill(&stubborn, libc::SIGPIPE);
        kill(&stubborn, signal);
        wait_for_line(&mut out, "asked");
        kill(&stubborn, signal);
        let end = stubborn.wait().unwrap();
        assert_eq!((end.code(), end.signal()), (Some(status), None));
    }
}

fn run_with_signals(stop: bool) {
    let mut started = false;
    let options = real::Options { signals: true, ..options() };
    let turn: Turn = Box::new(move |core, events| {
        if !std::mem::replace(&mut started, true) {
            println!("ready");
        }
        for event in events.drain(..) {
            assert!(matches!(event, Event::Signal(Signal::Terminate)));
            println!("asked");
            if stop {
                core.stop();
            }
        }
        None
    });
    run_all(&options, vec![turn]);
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_that_stops_when_asked() {
    run_with_signals(true);
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_that_only_says_that_it_was_asked() {
    run_with_signals(false);
}

#[test]
fn a_panic_on_a_core_or_in_a_chore_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    for test in ["child_whose_core_panics", "child_whose_chore_panics"] {
        let output = child(test).output().unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
        assert!(String::from_utf8_lossy(&output.stderr).contains("deliberate"));
    }
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_whose_core_panics() {
    let sleeper: Turn = Box::new(|_, _| None);
    run_all(&options(), vec![sleeper, Box::new(|_, _| panic!("deliberate"))]);
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_whose_chore_panics() {
    let mut started = false;
    run(move |core, _| {
        if !std::mem::replace(&mut started, true) {
            core.chore(Token(0), Box::new(|_| panic!("deliberate")));
        }
        None
    });
}

#[test]
fn an_idle_core_is_small_and_uses_no_time() {
    let output = child("child_that_measures_itself_idle").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_that_measures_itself_idle() {
    let mut turns = 0;
    run(move |core, _| {
        turns += 1;
        if turns < 3 {
            return Some(core.now() + Duration::from_millis(300));
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let rss = |key: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        // Without the pages of the executable, which here is a test harness.
        println!("anonymous {} KiB, file {} KiB", rss("RssAnon:"), rss("RssFile:"));
        assert!(rss("RssAnon:") < 2048, "{status}");
        // SAFETY: a zeroed value is valid and outlives the call.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
            usage
        };
        let used = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
        assert!(used < 100_000 && usage.ru_utime.tv_sec + usage.ru_stime.tv_sec == 0, "{used} µs for 600 ms of nothing");
        core.stop();
        None
    });
}

#[test]
fn without_descriptors_connections_wait_and_get_in_later() {
    let output = child("child_that_runs_out_of_descriptors").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_that_runs_out_of_descriptors() {
    // `run` takes as many descriptors as are allowed, so the limit itself is lowered.
    let limit = libc::rlimit { rlim_cur: 60, rlim_max: 60 };
    // SAFETY: `limit` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let (report, reports) = channel();
    let mut accepted = 0;
    let mut turns = 0;
    let server = common::serve(options(), move |core, events| {
        turns += 1;
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    accepted += 1;
                    core.recv(socket);
                    report.send((accepted, turns)).unwrap();
                }
                Event::Received { socket, .. } => core.close(socket),
                _ => {}
            }
        }
        None
    });
    // Three descriptors are left, and each connection takes two: its ends are both in this process.
    let mut others = Vec::new();
    while let Ok(other) = std::fs::File::open("/dev/null") {
        others.push(other);
    }
    others.truncate(others.len() - 3);
    let mut clients = Vec::new();
    while let Ok(client) = std::net::TcpStream::connect(server.address) {
        clients.push(client);
    }
    let mut seen = 0;
    while let Ok((accepted, turns)) = reports.recv_timeout(Duration::from_millis(500)) {
        seen = accepted;
        assert!(turns < 100, "{turns} turns: the core spins");
    }
    assert!(seen < clients.len(), "all {seen} were accepted; the limit was not met");
    // The rest get in, without anybody connecting anew.
    drop(others);
    while seen < clients.len() {
        seen = reports.recv_timeout(Duration::from_secs(20)).expect("armed again").0;
    }
}
