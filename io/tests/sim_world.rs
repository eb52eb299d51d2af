//! Processes and time in the simulated world: deaths of every kind, restarts, signals, clocks, chores and the mesh.

mod sim_script;

use millrace_io::sim::{Cause, ClockFaults, Crash, CrashFaults, Faults, Spec, World};
use millrace_io::{CoreId, Event, Instant, OpenHow, Signal, Token, fatal};
use sim_script::*;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_fatal_error_ends_the_process_and_is_remembered() {
    let mut world = World::new(1, Faults::NONE);
    let in_turn = world.machine(spec(1), once(|_| fatal(3, "in a turn")));
    let in_make = world.machine(spec(2), Box::new(|_| fatal(4, "before any turn")));
    let in_chore = world.machine(spec(3), once(|core| core.chore(Token(1), Box::new(|_| fatal(5, "in a chore")))));
    let alive = world.machine(spec(4), idle());
    for machine in [in_turn, in_make, in_chore, alive] {
        world.start(machine);
    }
    world.run_for(secs(1));
    assert_eq!(world.fatals(in_turn), [(3, "in a turn".to_owned())]);
    assert_eq!(world.fatals(in_make), [(4, "before any turn".to_owned())]);
    assert_eq!(world.fatals(in_chore), [(5, "in a chore".to_owned())]);
    assert!(!world.is_up(in_turn) && !world.is_up(in_make) && !world.is_up(in_chore) && world.is_up(alive));
    assert!(!millrace_io::sim::in_world());
}

#[test]
fn a_panic_of_a_program_is_the_tests() {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        one(1, Faults::NONE, once(|_| panic!("a bug")));
    }));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"a bug"));
    assert!(!millrace_io::sim::in_world());
}

#[test]
fn a_process_ends_when_all_of_its_cores_have_stopped() {
    let mut world = World::new(1, Faults::NONE);
    let machine = world.machine(
        Spec::new("m", 3, ip(1)),
        Box::new(|_| {
            script(|core, events| {
                for event in events.drain(..) {
                    match event {
                        Event::Signal(Signal::Terminate) => {
                            assert_eq!(core.id(), CoreId(0));
                            // Whatever was asked of the clerk is done before the process ends.
                            core.chore(Token(1), Box::new(|fs| Box::new(fs.write_atomic(Path::new("/clean"), b"1").is_ok())));
                            (0..core.cores()).for_each(|to| core.tell(CoreId(to), Box::new(())));
                        }
                        _ => core.stop(),
                    }
                }
            })
        }),
    );
    world.start(machine);
    world.run_for(secs(1));
    assert!(world.is_up(machine));
    world.terminate(machine);
    world.run_for(secs(1));
    assert!(!world.is_up(machine));
    assert_eq!(world.deaths(machine)[0].cause, Cause::Stopped);
    assert!(world.fs(machine).exists(Path::new("/clean")));
    world.start(machine);
    world.run_for(secs(1));
    world.terminate(machine);
    world.terminate(machine);
    assert_eq!(world.deaths(machine)[1].cause, Cause::Crash(Crash::Process), "a second signal ends it at once");
}

#[test]
fn machines_crash_and_restart_as_drawn() {
    let (mut process, mut power, mut chores) = (0, 0, 0);
    for seed in 0..20 {
        let crash = CrashFaults { process_ppm: 20_000, power_ppm: 20_000, chore_ppm: 100_000, start_ppm: 200_000 };
        let mut world = World::new(seed, Faults { crash, ..Faults::NONE });
        let born = Rc::new(Cell::new(0));
        let count = born.clone();
        let spec = spec(1).restart(Duration::from_millis(10), Duration::from_millis(50));
        let machine = world.machine(
            spec,
            Box::new(move |birth| {
                count.set(count.get() + 1);
                assert_eq!(birth.incarnation, count.get());
                let mut fresh = true;
                script(move |core, events| {
                    if std::mem::take(&mut fresh) || events.iter().any(|e| matches!(e, Event::Chore { .. })) {
                        core.chore(
                            Token(1),
                            Box::new(|fs| {
                                for name in ["/a", "/b", "/c"] {
                                    fs.write_atomic(Path::new(name), b"x").unwrap();
                                }
                                Box::new(())
                            }),
                        );
                    }
                })
            }),
        );
        world.start(machine);
        world.run_for(secs(5));
        for death in world.deaths(machine) {
            match death.cause {
                Cause::Crash(Crash::Process) => process += 1,
                Cause::Crash(Crash::Power) => power += 1,
                _ => panic!("{death:?}"),
            }
        }
        chores += usize::from(world.deaths(machine).len() > 5);
        world.quiet();
        world.run_for(secs(1));
        let incarnation = born.get();
        world.run_for(secs(5));
        assert!(world.is_up(machine) && born.get() == incarnation, "nothing dies when all is quiet");
    }
    assert!(process > 50 && power > 50 && chores > 10, "{process} {power} {chores}");
}

#[test]
fn a_crash_in_the_middle_of_a_chore_leaves_the_rest_undone() {
    for nth in 1..12 {
        let mut world = World::new(nth, Faults::NONE);
        let done = Rc::new(Cell::new(false));
        let machine = world.machine(
            spec(1),
            once(|core| {
                core.chore(
                    Token(1),
                    Box::new(|fs| {
                        for i in 0..10 {
                            fs.create_dir_all(Path::new(&format!("/{i}"))).unwrap();
                        }
                        Box::new(())
                    }),
                );
            }),
        );
        world.crash_at_op(machine, nth, Crash::Process);
        world.start(machine);
        assert!(world.run_until(secs(1), |w| !w.is_up(machine)));
        let made = world.fs(machine).list(Path::new("/")).unwrap().len() as u64;
        // Each directory takes a look at it and at its parent, the creation and a sync.
        assert!(made <= nth && made < 10, "{made} of 10 before operation {nth}");
        assert!(!done.get());
    }
}

#[test]
fn a_crash_can_be_planned_for_any_operation_of_a_start() {
    let mut born = 0;
    for nth in 1..30 {
        let mut world = World::new(nth, Faults::NONE);
        let machine = world.machine(
            spec(1),
            Box::new(|birth| {
                birth.fs.create_dir_all(Path::new("/data")).unwrap();
                let file = birth.fs.open(Path::new("/data/a"), OpenHow::CREATE).unwrap();
                file.write_at(0, b"hello").unwrap();
                file.sync().unwrap();
                script(|_, _| {})
            }),
        );
        world.crash_at_op(machine, nth, Crash::Power);
        world.start(machine);
        if world.is_up(machine) {
            born += 1;
        } else {
            assert_eq!(world.deaths(machine)[0].cause, Cause::Crash(Crash::Power));
            world.start(machine);
            assert!(world.is_up(machine), "the plan was for once");
        }
    }
    assert!((5..25).contains(&born), "{born}");
}

#[test]
fn deadlines_are_met_and_never_early() {
    for seed in 0..20 {
        let deadline = Rc::new(Cell::new(None));
        let turns = Rc::new(RefCell::new(Vec::new()));
        let (due, log) = (deadline.clone(), turns.clone());
        let mut world = World::new(seed, Faults { clock: ClockFaults { jump_ppm: 500_000, pause_ppm: 0 }, ..Faults::NONE });
        let machine = world.machine(
            spec(1),
            Box::new(move |_| {
                let (due, log) = (due.clone(), log.clone());
                script_with_deadline(due.clone(), move |core, _| {
                    log.borrow_mut().push((due.get(), core.now(), core.wall()));
                    due.set(Some(core.now() + Duration::from_millis(10)));
                })
            }),
        );
        world.start(machine);
        world.run_for(secs(5));
        let turns = turns.borrow();
        assert!((450..=502).contains(&turns.len()), "{}", turns.len());
        let mut jumps = 0;
        for pair in turns.windows(2) {
            let (Some(due), now, wall) = pair[1] else { panic!("no deadline") };
            assert!(now >= due && now.since(due) < Duration::from_micros(10), "seed {seed}: {now:?} for {due:?}");
            assert!(now > pair[0].1, "monotonic");
            let step = wall.0 - pair[0].2.0;
            jumps += usize::from(!(5..20).contains(&step));
        }
        assert!(jumps > 5, "{jumps} jumps of the wall clock");
        let (first, last) = (turns[0].1, turns[turns.len() - 1].1);
        let rate = last.since(first).as_nanos() as f64 / 5e9;
        assert!((0.95..1.0001).contains(&rate), "{rate}");
    }
}

#[test]
fn a_core_that_was_not_run_misses_its_deadlines() {
    let worst = |pause_ppm| {
        let late = Rc::new(Cell::new(Duration::ZERO));
        let (due, log) = (Rc::new(Cell::new(None::<Instant>)), late.clone());
        let mut world = World::new(1, Faults { clock: ClockFaults { jump_ppm: 0, pause_ppm }, ..Faults::NONE });
        let machine = world.machine(
            spec(1),
            Box::new(move |_| {
                let (due, log) = (due.clone(), log.clone());
                script_with_deadline(due.clone(), move |core, _| {
                    let by = due.get().map_or(Duration::ZERO, |due| core.now().since(due));
                    log.set(log.get().max(by));
                    due.set(Some(core.now() + Duration::from_millis(1)));
                })
            }),
        );
        world.start(machine);
        world.run_for(secs(5));
        late.get()
    };
    assert!(worst(0) < Duration::from_micros(100));
    assert!((Duration::from_millis(10)..Duration::from_secs(1)).contains(&worst(20_000)));
}

#[test]
fn clocks_of_machines_differ_a_little() {
    let mut world = World::new(3, Faults::NONE);
    let nows = Rc::new(RefCell::new(Vec::new()));
    let machines: Vec<_> = (1..=2)
        .map(|i| {
            let nows = nows.clone();
            let machine = world.machine(spec(i), once(move |core| nows.borrow_mut().push(core.now())));
            world.start(machine);
            machine
        })
        .collect();
    world.run_for(secs(1));
    let skew = (world.wall(machines[0]).0 - world.wall(machines[1]).0).abs();
    assert!(skew <= 100, "{skew} ms");
    assert_ne!(nows.borrow()[0], nows.borrow()[1]);
    world.jump_wall(machines[0], -3_600_000);
    assert!(world.wall(machines[1]).0 - world.wall(machines[0]).0 > 3_500_000);
}

#[test]
fn parcels_of_one_core_and_chores_of_one_process_keep_their_order() {
    for seed in 0..20 {
        let mut world = World::new(seed, Faults::NONE);
        let heard = Heard::default();
        let log = heard.clone();
        let machine = world.machine(
            Spec::new("m", 3, ip(1)),
            Box::new(move |birth| {
                let (core_id, log) = (birth.core, log.clone());
                let mut sent = 0_u32;
                let due = Rc::new(Cell::new(None));
                script_with_deadline(due.clone(), move |core, events| {
                    if core_id == CoreId(0) {
                        log.0.borrow_mut().append(events);
                    } else if sent < 50 {
                        due.set(Some(core.now() + Duration::from_micros(5)));
                        core.tell(CoreId(0), Box::new(sent));
                        core.tell(CoreId(0), Box::new(sent + 1));
                        sent += 2;
                    } else {
                        due.set(None);
                    }
                    if core_id == CoreId(0) && sent == 0 {
                        sent = 1;
                        for i in 0..50_u32 {
                            core.chore(Token(u64::from(i)), Box::new(move |_| Box::new(i)));
                        }
                    }
                })
            }),
        );
        world.start(machine);
        assert!(world.run_until(secs(5), |_| heard.len() == 150), "seed {seed}: {}", heard.len());
        let (mut chores, mut parcels) = (0, [0_u32; 3]);
        for event in heard.take() {
            match event {
                Event::Chore { token, output } => {
                    assert_eq!((token.0, *output.downcast::<u32>().unwrap()), (u64::from(chores), chores));
                    chores += 1;
                }
                Event::Mesh { from, parcel } => {
                    let next = &mut parcels[usize::from(from.0)];
                    assert_eq!(*parcel.downcast::<u32>().unwrap(), *next, "seed {seed}");
                    *next += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn batches_grow_with_load() {
    let mut largest = 0;
    for seed in 0..10 {
        let mut world = World::new(seed, Faults::NONE);
        let batches = Rc::new(RefCell::new(Vec::new()));
        let log = batches.clone();
        let machine = world.machine(
            Spec::new("m", 2, ip(1)),
            Box::new(move |birth| {
                let (core_id, log) = (birth.core, log.clone());
                let mut fresh = true;
                script(move |core, events| {
                    if core_id == CoreId(0) {
                        log.borrow_mut().push(events.len());
                    } else if std::mem::take(&mut fresh) {
                        (0..100).for_each(|i| core.tell(CoreId(0), Box::new(i)));
                    }
                })
            }),
        );
        world.start(machine);
        world.run_for(secs(1));
        let batches = batches.borrow();
        assert_eq!(batches.iter().sum::<usize>(), 100);
        largest = largest.max(*batches.iter().max().unwrap());
    }
    assert!(largest > 3, "{largest}");
}

#[test]
fn handles_of_a_dead_process_reach_nothing() {
    let kept = Rc::new(RefCell::new(None));
    let keep = kept.clone();
    let (mut world, machine) = one(1, Faults::NONE, once(move |core| *keep.borrow_mut() = Some(core.fs())));
    let fs = kept.borrow().clone().unwrap();
    assert!(fs.write_atomic(Path::new("/a"), b"1").is_ok());
    world.crash_process(machine);
    assert!(fs.write_atomic(Path::new("/a"), b"2").is_err());
    world.start(machine);
    assert!(fs.write_atomic(Path::new("/a"), b"3").is_err());
    assert_eq!(world.fs(machine).read(Path::new("/a")).unwrap(), b"1");
    assert!(world.now() > Instant(0));
}
