//! The simulated disk: what survives which crash, what a full or failing disk does, and locks.

mod sim_script;

use millrace_io::sim::{Cause, Crash, DiskFaults, DiskOp, Failure, Faults, Rng, World};
use millrace_io::{Done, Event, File, Fs, OpenHow, Token, is_disk_full};
use sim_script::*;
use std::collections::BTreeSet;
use std::path::Path;

const SECTOR: usize = 512;

fn create(fs: &Fs, path: &str) -> File {
    fs.open(Path::new(path), OpenHow::CREATE).unwrap()
}
fn content(fs: &Fs, path: &str) -> Vec<u8> {
    fs.read(Path::new(path)).unwrap()
}
fn exists(fs: &Fs, path: &str) -> bool {
    fs.exists(Path::new(path))
}
fn down(seed: u64) -> (World, millrace_io::sim::MachineId, Fs) {
    let mut world = World::new(seed, Faults::NONE);
    let machine = world.machine(spec(1), idle());
    let fs = world.fs(machine);
    (world, machine, fs)
}

#[test]
fn synced_bytes_survive_power_cuts_and_others_are_kept_dropped_or_torn() {
    let (mut kept, mut dropped, mut torn) = (0, 0, 0);
    let mut sizes = BTreeSet::new();
    for seed in 0..200 {
        let (mut world, machine, fs) = down(seed);
        let file = create(&fs, "/a");
        file.write_at(0, &[1; 8 * SECTOR]).unwrap();
        file.sync().unwrap();
        file.write_at(2 * SECTOR as u64, &[2; 2 * SECTOR]).unwrap();
        file.write_at(8 * SECTOR as u64, &[3; 9 * SECTOR]).unwrap();
        drop(file);
        world.power_cut(machine);
        let found = content(&fs, "/a");
        assert!((8 * SECTOR..=17 * SECTOR).contains(&found.len()), "seed {seed}: {}", found.len());
        sizes.insert(found.len());
        for (i, sector) in found.chunks(SECTOR).enumerate() {
            let (old, new) = match i {
                2 | 3 => (1, 2),
                0..8 => (1, 1),
                _ => (0, 3),
            };
            let split = sector.iter().position(|b| *b != new).unwrap_or(sector.len());
            assert!(sector[split..].iter().all(|b| *b == old), "seed {seed}, sector {i}: new bytes, then old ones");
            match split {
                _ if old == new => {}
                0 => dropped += 1,
                n if n == sector.len() => kept += 1,
                _ => torn += 1,
            }
        }
        world.check();
    }
    assert!(kept > 100 && dropped > 100 && torn > 20, "{kept} kept, {dropped} dropped, {torn} torn");
    assert!(sizes.contains(&(8 * SECTOR)) && sizes.contains(&(17 * SECTOR)) && sizes.len() > 10, "{sizes:?}");
}

#[test]
fn a_process_crash_keeps_the_page_cache() {
    for seed in 0..20 {
        let (mut world, machine) = one(
            seed,
            Faults::NONE,
            once(|core| {
                let file = create(&core.fs(), "/a");
                file.write_at(100, b"not synced").unwrap();
                core.fs().rename(Path::new("/a"), Path::new("/b")).unwrap();
            }),
        );
        world.crash_process(machine);
        assert_eq!(content(&world.fs(machine), "/b")[100..], *b"not synced");
        assert!(!exists(&world.fs(machine), "/a"));
    }
}

#[test]
fn writes_under_way_in_a_crash_happen_or_not_or_in_part() {
    let mut lens = BTreeSet::new();
    for seed in 0..100 {
        let mut world = World::new(seed, Faults::NONE);
        let heard = Heard::default();
        let machine = world.machine(
            spec(1),
            hearing(&heard, |core| {
                let file = create(&core.fs(), "/a");
                let bytes = buf(core, &[7; 5000]);
                core.write(&file, 0, vec![bytes], Token(1));
            }),
        );
        world.start(machine);
        world.stall_disk(machine, secs(1));
        world.run_for(secs(1) / 2);
        assert_eq!(heard.len(), 0);
        world.crash_process(machine);
        let found = content(&world.fs(machine), "/a");
        assert!(found.iter().all(|b| *b == 7));
        lens.insert(found.len());
    }
    assert!(lens.contains(&0) && lens.contains(&5000) && lens.len() > 5, "{lens:?}");
}

#[test]
fn an_atomic_write_leaves_the_old_or_the_new_whole_wherever_it_is_cut() {
    let (mut old, mut new, mut deaths) = (0, 0, 0);
    for seed in 0..30 {
        for nth in 1..16 {
            for crash in [Crash::Process, Crash::Power] {
                let faults = Faults { disk: DiskFaults { nameless_sync_ppm: 500_000, ..DiskFaults::default() }, ..Faults::NONE };
                let mut world = World::new(seed, faults);
                let machine = world.machine(
                    spec(1),
                    once(|core| {
                        core.chore(Token(1), Box::new(|fs| Box::new(fs.write_atomic(Path::new("/dir/a"), &[2; 3000]).is_ok())));
                    }),
                );
                let fs = world.fs(machine);
                fs.create_dir_all(Path::new("/dir")).unwrap();
                fs.write_atomic(Path::new("/dir/a"), &[1; 2000]).unwrap();
                world.crash_at_op(machine, nth, crash);
                world.start(machine);
                world.run_for(secs(1));
                let died = !world.deaths(machine).is_empty();
                if died {
                    assert_eq!(world.deaths(machine)[0].cause, Cause::Crash(crash));
                    deaths += 1;
                } else {
                    // It was through before its crash came.
                    world.power_cut(machine);
                }
                let found = content(&fs, "/dir/a");
                if found == [1; 2000] {
                    assert!(died, "what returned is durable");
                    old += 1;
                } else {
                    assert_eq!(found, [2; 3000], "seed {seed}, crash {crash:?} at operation {nth}");
                    new += 1;
                }
            }
        }
    }
    assert!(old > 100 && new > 100 && deaths > 300, "{old} {new} {deaths}");
}

#[test]
fn of_changes_to_names_a_prefix_survives_a_power_cut() {
    let mut counts = BTreeSet::new();
    for seed in 0..100 {
        let (mut world, machine, fs) = down(seed);
        fs.create_dir_all(Path::new("/dir")).unwrap();
        for name in 0..5 {
            create(&fs, &format!("/dir/{name}"));
        }
        fs.remove_file(Path::new("/dir/0")).unwrap();
        fs.rename(Path::new("/dir/1"), Path::new("/dir/9")).unwrap();
        world.power_cut(machine);
        let names: String = fs.list(Path::new("/dir")).unwrap().into_iter().map(|e| e.name).collect();
        let prefixes = ["", "0", "01", "012", "0123", "01234", "1234", "2349"];
        let survived = prefixes.iter().position(|p| *p == names);
        counts.insert(survived.unwrap_or_else(|| panic!("seed {seed}: {names} is no prefix")));
        world.check();
    }
    assert_eq!(counts.len(), 8, "every prefix occurs: {counts:?}");
    // With the directory synced, everything does.
    for seed in 0..20 {
        let (mut world, machine, fs) = down(seed);
        fs.create_dir_all(Path::new("/dir")).unwrap();
        create(&fs, "/dir/a");
        fs.sync_dir(Path::new("/dir")).unwrap();
        world.power_cut(machine);
        assert!(exists(&fs, "/dir/a"));
    }
}

#[test]
fn a_synced_file_without_a_synced_name_may_vanish_if_the_faults_say_so() {
    let survives = |seed, nameless_sync_ppm| {
        let faults = Faults { disk: DiskFaults { nameless_sync_ppm, ..DiskFaults::default() }, ..Faults::NONE };
        let (mut world, machine) = one(seed, faults, once(|core| create(&core.fs(), "/a").sync().unwrap()));
        world.power_cut(machine);
        exists(&world.fs(machine), "/a")
    };
    assert!((0..50).all(|seed| survives(seed, 0)));
    let kept = (0..50).filter(|seed| survives(*seed, 1_000_000)).count();
    assert!((5..45).contains(&kept), "{kept} of 50");
}

#[test]
fn a_truncation_is_durable_when_synced_and_may_be_undone_before() {
    let (mut undone, mut done) = (0, 0);
    for seed in 0..100 {
        let (mut world, machine, fs) = down(seed);
        let file = create(&fs, "/a");
        file.write_at(0, &[1; 9000]).unwrap();
        file.sync().unwrap();
        file.truncate(1000).unwrap();
        let synced = seed % 2 == 0;
        if synced {
            file.sync().unwrap();
        }
        file.write_at(1000, &[2; 100]).unwrap();
        drop(file);
        world.power_cut(machine);
        let found = content(&fs, "/a");
        assert!(found[..1000].iter().all(|b| *b == 1));
        match found.len() {
            9000 => {
                assert!(!synced);
                assert!(found[1100..].iter().all(|b| *b <= 1) && found[4096..].iter().all(|b| *b == 1), "the old bytes are back");
                undone += 1;
            }
            len => {
                assert!((1000..=1100).contains(&len), "seed {seed}: {len}");
                assert!(found[1000..].iter().all(|b| *b == 2 || *b == 0), "seed {seed}");
                done += 1;
            }
        }
    }
    assert!(undone > 10 && done > 50, "{undone} {done}");
}

#[test]
fn a_sync_covers_what_was_written_before_it_and_not_what_comes_while_it_is_under_way() {
    let mut lost = 0;
    for seed in 0..100 {
        let mut world = World::new(seed, Faults::NONE);
        let machine = world.machine(
            spec(1),
            Box::new(|_| {
                let mut file = None;
                script(move |core, events| {
                    if file.is_none() {
                        let f = create(&core.fs(), "/a");
                        f.write_at(0, &[0; 4096 * 2]).unwrap();
                        f.sync().unwrap();
                        let bytes = buf(core, &[1; 4096]);
                        core.write(&f, 0, vec![bytes], Token(1));
                        file = Some(f);
                    }
                    let file = file.as_ref().unwrap();
                    for event in events.drain(..) {
                        match event {
                            Event::File { token: Token(1), result: Ok(Done::Written) } => {
                                core.sync(file, Token(2));
                                let bytes = buf(core, &[2; 4096]);
                                core.write(file, 4096, vec![bytes], Token(3));
                            }
                            Event::File { token: Token(2), result: Ok(Done::Synced) } => core.stop(),
                            Event::File { token: Token(3), result: Ok(Done::Written) } => {}
                            other => panic!("{other:?}"),
                        }
                    }
                })
            }),
        );
        world.start(machine);
        assert!(world.run_until(secs(5), |w| !w.is_up(machine)));
        world.power_cut(machine);
        let found = content(&world.fs(machine), "/a");
        assert!(found[..4096].iter().all(|b| *b == 1), "seed {seed}: the synced write");
        lost += usize::from(found[4096..].iter().any(|b| *b != 2));
    }
    assert!(lost > 10, "{lost} of 100 lost a write that the sync did not cover");
}

#[test]
fn a_failed_sync_marks_bytes_clean_that_are_not_on_disk() {
    let mut lost = 0;
    for seed in 0..100 {
        let mut world = World::new(seed, Faults::NONE);
        let machine = world.machine(
            spec(1),
            once(|core| {
                let file = create(&core.fs(), "/a");
                core.fs().sync_dir(Path::new("/")).unwrap();
                file.write_at(0, &[1; 4096]).unwrap();
                assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(libc::EIO));
                file.write_at(4096, &[2; 4096]).unwrap();
                file.sync().expect("only the first one fails");
            }),
        );
        world.fail_nth(machine, DiskOp::Sync, 1, |path| path == "/a");
        world.start(machine);
        world.run_for(secs(1));
        assert!(world.is_up(machine));
        world.power_cut(machine);
        let found = content(&world.fs(machine), "/a");
        assert!(found[4096..].iter().all(|b| *b == 2) && found.len() == 8192, "what was synced later");
        lost += usize::from(found[..4096].iter().any(|b| *b != 1));
        world.check();
    }
    assert!(lost > 20, "{lost} of 100 lost what the later sync seemed to cover");
}

#[test]
fn a_full_disk_writes_what_fits_and_goes_on_when_it_grows() {
    let mut world = World::new(1, Faults::NONE);
    let heard = Heard::default();
    let machine = world.machine(
        spec(1),
        hearing(&heard, |core| {
            let file = create(&core.fs(), "/a");
            let bytes = buf(core, &[1; 20_000]);
            core.write(&file, 0, vec![bytes], Token(1));
            core.allocate(&file, 1 << 20, 1 << 20, Token(2));
        }),
    );
    world.set_capacity(machine, "/", 3 * 4096);
    world.start(machine);
    assert!(world.run_until(secs(1), |_| heard.len() == 2));
    for event in heard.take() {
        let Event::File { result: Err(error), .. } = event else { panic!("{event:?}") };
        assert!(is_disk_full(&error), "{error}");
    }
    let fs = world.fs(machine);
    assert_eq!(content(&fs, "/a"), [1; 3 * 4096]);
    let space = fs.space(Path::new("/")).unwrap();
    assert_eq!((space.total_bytes, space.usable_bytes), (3 * 4096, 0));
    assert!(is_disk_full(&fs.open(Path::new("/b"), OpenHow::CREATE).unwrap_err()));
    // Overwriting needs no room.
    let file = fs.open(Path::new("/a"), OpenHow::WRITE).unwrap();
    file.write_at(100, &[2; 100]).unwrap();
    world.set_capacity(machine, "/", 1 << 20);
    file.write_at(3 * 4096, &[3; 100]).unwrap();
    assert_eq!(fs.space(Path::new("/")).unwrap().usable_bytes, (1 << 20) - 4 * 4096);
    file.allocate(0, 1 << 19).unwrap();
    assert_eq!(fs.space(Path::new("/")).unwrap().usable_bytes, 1 << 19);
    file.trim().unwrap();
    assert_eq!(fs.space(Path::new("/")).unwrap().usable_bytes, (1 << 20) - 4 * 4096);
    drop(file);
    fs.remove_file(Path::new("/a")).unwrap();
    assert_eq!(fs.space(Path::new("/")).unwrap().usable_bytes, 1 << 20);
    world.check();
}

#[test]
fn planned_failures_hit_the_operation_they_name() {
    let mut world = World::new(1, Faults::NONE);
    let heard = Heard::default();
    let machine = world.machine(
        spec(1),
        hearing(&heard, |core| {
            let file = create(&core.fs(), "/x/log");
            let other = create(&core.fs(), "/x/other");
            for i in 0..4 {
                let bytes = buf(core, &[1; 100]);
                core.write(&file, i * 100, vec![bytes.clone()], Token(i));
                core.write(&other, i * 100, vec![bytes], Token(10 + i));
            }
            core.sync(&other, Token(20));
        }),
    );
    world.fs(machine).create_dir_all(Path::new("/x")).unwrap();
    world.fail(machine, Failure::next(DiskOp::Write, |path| path.ends_with("/log")).nth(3).errno(libc::ENOSPC));
    world.fail(machine, Failure::next(DiskOp::Sync, |path| path.ends_with("/other")).forever());
    world.start(machine);
    assert!(world.run_until(secs(1), |_| heard.len() == 9));
    let mut failed = Vec::new();
    for event in heard.take() {
        if let Event::File { token, result: Err(error) } = event {
            failed.push((token.0, error.raw_os_error().unwrap()));
        }
    }
    failed.sort();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].0 < 4 && failed[0].1 == libc::ENOSPC);
    assert_eq!(failed[1], (20, libc::EIO));
}

#[test]
fn drawn_faults_reach_every_kind_of_operation_and_stalls_last_seconds() {
    let (mut reads, mut writes, mut syncs, mut names, mut slowest) = (0, 0, 0, 0, 0);
    for seed in 0..20 {
        let disk = DiskFaults {
            read_eio_ppm: 100_000,
            write_eio_ppm: 100_000,
            sync_eio_ppm: 100_000,
            names_eio_ppm: 100_000,
            stall_ppm: 20_000,
            nameless_sync_ppm: 0,
        };
        let mut world = World::new(seed, Faults { disk, ..Faults::NONE });
        let heard = Heard::default();
        let machine = world.machine(
            spec(1),
            hearing(&heard, |core| {
                let Ok(file) = core.fs().open(Path::new("/a"), OpenHow::CREATE) else { return core.stop() };
                for i in 0..20 {
                    let bytes = buf(core, &[1; 100]);
                    core.write(&file, i * 100, vec![bytes], Token(1));
                    let into = core.pool().take_always(4096);
                    core.read(&file, 0, into, millrace_io::ReadHow::Cached, Token(2));
                    core.sync(&file, Token(3));
                    core.allocate(&file, 1 << 20, 4096, Token(4));
                }
            }),
        );
        world.start(machine);
        world.run_until(secs(60), |w| heard.len() == 80 || !w.is_up(machine));
        slowest = slowest.max(world.now().0);
        for event in heard.take() {
            if let Event::File { token, result: Err(error) } = event {
                assert_eq!(error.raw_os_error(), Some(libc::EIO));
                *[&mut writes, &mut reads, &mut syncs, &mut names][usize::try_from(token.0).unwrap() - 1] += 1;
            }
        }
    }
    assert!(reads > 5 && writes > 5 && syncs > 5 && names > 5, "{reads} {writes} {syncs} {names}");
    assert!((1_000_000_000..60_000_000_000).contains(&slowest), "{slowest} ns");
}

#[test]
fn a_lock_is_held_until_it_is_dropped_or_its_process_dies() {
    let (mut world, machine) = one(
        1,
        Faults::NONE,
        Box::new(|birth| {
            let lock = birth.fs.lock(Path::new("/.lock")).unwrap();
            assert!(lock.is_some(), "incarnation {}", birth.incarnation);
            assert!(birth.fs.lock(Path::new("/.lock")).unwrap().is_none());
            script(move |_, _| assert!(lock.is_some()))
        }),
    );
    assert!(world.fs(machine).lock(Path::new("/.lock")).unwrap().is_none());
    for power in [false, true] {
        if power {
            world.power_cut(machine)
        } else {
            world.crash_process(machine)
        }
        let lock = world.fs(machine).lock(Path::new("/.lock")).unwrap();
        assert!(lock.is_some());
        drop(lock);
        world.start(machine);
        world.run_for(secs(1));
        assert!(world.is_up(machine));
    }
}

#[test]
fn volumes_fill_up_and_break_one_by_one() {
    let mut world = World::new(1, Faults::NONE);
    let machine = world.machine(spec(1), idle());
    world.mount(machine, "/mnt/cold", 8192);
    let fs = world.fs(machine);
    let names: Vec<String> = fs.list(Path::new("/mnt")).unwrap().into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["cold"]);
    let cold = create(&fs, "/mnt/cold/a");
    let hot = create(&fs, "/mnt/a");
    assert!(is_disk_full(&cold.write_at(0, &[1; 9000]).unwrap_err()));
    hot.write_at(0, &[1; 9000]).unwrap();
    let rename = fs.rename(Path::new("/mnt/a"), Path::new("/mnt/cold/b"));
    assert_eq!(rename.unwrap_err().raw_os_error(), Some(libc::EXDEV));
    world.break_volume(machine, "/mnt/cold/a", true);
    assert_eq!(cold.read_at(0, &mut [0; 10]).unwrap_err().raw_os_error(), Some(libc::EIO));
    assert!(fs.list(Path::new("/mnt/cold")).is_err());
    assert!(hot.sync().is_ok());
    world.quiet();
    assert!(cold.sync().is_ok());
}

#[test]
fn a_removed_file_lives_on_behind_its_handles() {
    let (mut world, machine, fs) = down(3);
    let file = create(&fs, "/a");
    file.write_at(0, b"still here").unwrap();
    fs.remove_file(Path::new("/a")).unwrap();
    create(&fs, "/a").write_at(0, b"another").unwrap();
    let mut bytes = [0; 10];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), 10);
    assert_eq!(&bytes, b"still here");
    drop(file);
    assert_eq!(content(&fs, "/a"), b"another");
    world.check();
    world.power_cut(machine);
    world.check();
}

#[test]
fn errors_are_those_of_the_real_world() {
    let (_world, _machine, fs) = down(1);
    let code = |result: millrace_io::Result<()>| result.unwrap_err().raw_os_error().unwrap();
    let open = |path: &str, how| fs.open(Path::new(path), how).map(drop);
    assert_eq!(code(open("/none", OpenHow::READ)), libc::ENOENT);
    assert_eq!(code(open("/none/a", OpenHow::CREATE)), libc::ENOENT);
    fs.create_dir_all(Path::new("/dir/inner")).unwrap();
    create(&fs, "/dir/a");
    assert_eq!(code(fs.create_dir_all(Path::new("/dir/a"))), libc::EEXIST);
    assert_eq!(code(open("/dir/a/b", OpenHow::CREATE)), libc::ENOTDIR);
    assert_eq!(code(fs.remove_file(Path::new("/dir/b"))), libc::ENOENT);
    assert_eq!(code(fs.remove_file(Path::new("/dir/inner"))), libc::EISDIR);
    assert_eq!(code(fs.rename(Path::new("/dir"), Path::new("/dir/inner/x"))), libc::EINVAL);
    assert_eq!(code(fs.rename(Path::new("/dir/inner"), Path::new("/dir/a"))), libc::ENOTDIR);
    let read_only = fs.open(Path::new("/dir/a"), OpenHow::READ).unwrap();
    assert_eq!(code(read_only.write_at(0, b"x")), libc::EBADF);
    let direct = fs.open(Path::new("/dir/a"), OpenHow { direct: true, ..OpenHow::WRITE }).unwrap();
    assert_eq!(code(direct.write_at(1, &[0; 4096])), libc::EINVAL);
    let write = fs.open(Path::new("/dir/a"), OpenHow::WRITE).unwrap();
    assert_eq!(code(write.write_at(1 << 50, b"x")), libc::EFBIG);
    fs.remove_dir_all(Path::new("/dir")).unwrap();
    assert!(!exists(&fs, "/dir"));
}

/// Every byte found after a power cut is one that this byte was at some time since the last sync; synced bytes are exact.
#[test]
fn no_power_cut_invents_bytes() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let (mut world, machine, fs) = down(seed);
        let mut file = create(&fs, "/a");
        fs.sync_dir(Path::new("/")).unwrap();
        // Per byte, all values since the last sync; zero where the file did not reach.
        let mut was: Vec<BTreeSet<u8>> = Vec::new();
        let mut now: Vec<u8> = Vec::new();
        let (mut shortest, mut longest) = (0, 0);
        for round in 0..40_u8 {
            match rng.below(8) {
                0 => {
                    file.sync().unwrap();
                    was = now.iter().map(|b| BTreeSet::from([*b])).collect();
                    (shortest, longest) = (now.len(), now.len());
                }
                1 => {
                    let len = usize::try_from(rng.below(now.len() as u64 + 1)).unwrap();
                    file.truncate(len as u64).unwrap();
                    now.truncate(len);
                    was.iter_mut().skip(len).for_each(|w| {
                        w.insert(0);
                    });
                    shortest = shortest.min(len);
                }
                2 => {
                    drop(file);
                    world.power_cut(machine);
                    world.check();
                    let found = content(&fs, "/a");
                    assert!((shortest..=longest).contains(&found.len()), "seed {seed}: {} in {shortest}..={longest}", found.len());
                    for (i, byte) in found.iter().enumerate() {
                        assert!(was[i].contains(byte), "seed {seed}, byte {i}: {byte} is none of {:?}", was[i]);
                    }
                    was = found.iter().map(|b| BTreeSet::from([*b])).collect();
                    (shortest, longest) = (found.len(), found.len());
                    now = found;
                    file = fs.open(Path::new("/a"), OpenHow::WRITE).unwrap();
                }
                3 => file.allocate(rng.below(20_000), rng.below(20_000)).unwrap(),
                _ => {
                    let position = usize::try_from(rng.below(now.len() as u64 + 600)).unwrap();
                    let len = usize::try_from(rng.skewed(1, 9000)).unwrap();
                    file.write_at(position as u64, &vec![round + 1; len]).unwrap();
                    if now.len() < position + len {
                        now.resize(position + len, 0);
                    }
                    while was.len() < now.len() {
                        was.push(BTreeSet::from([0]));
                    }
                    for i in position..position + len {
                        now[i] = round + 1;
                        was[i].insert(round + 1);
                    }
                    longest = longest.max(now.len());
                }
            }
            assert_eq!(content(&fs, "/a"), now, "seed {seed}: what is read is what was written");
        }
        world.check();
    }
}

/// What a power cut may leave of a file that is written, synced and truncated with operations under way.
#[derive(Default)]
struct Allowed {
    /// Per byte: every value since the last one that is certain, and when it was written for sure.
    bytes: Vec<Vec<(u8, Option<u64>)>>,
    /// Every size since the last certain one, likewise.
    sizes: Vec<(usize, Option<u64>)>,
    clock: u64,
    writing: Vec<(u64, usize, usize)>,
    syncing: Vec<(u64, u64)>,
    next: u64,
}

impl Allowed {
    fn asks_write(&mut self, start: usize, end: usize, value: u8) -> u64 {
        while self.bytes.len() < end {
            self.bytes.push(vec![(0, Some(0))]);
        }
        self.bytes[start..end].iter_mut().for_each(|versions| versions.push((value, None)));
        let size = self.sizes.last().unwrap().0.max(end);
        self.sizes.push((size, None));
        self.next += 1;
        self.writing.push((self.next, start, end));
        self.next
    }
    fn wrote(&mut self, id: u64) {
        self.clock += 1;
        let at = self.writing.iter().position(|w| w.0 == id).unwrap();
        let (_, start, end) = self.writing.swap_remove(at);
        for versions in &mut self.bytes[start..end] {
            versions.iter_mut().filter(|v| v.1.is_none()).for_each(|v| v.1 = Some(self.clock));
        }
        // A size is certain when it was reached by a write that is over, and no write is under way.
        if self.writing.is_empty() {
            self.sizes.iter_mut().filter(|s| s.1.is_none()).for_each(|s| s.1 = Some(self.clock));
        }
    }
    fn truncated(&mut self, len: usize) {
        self.clock += 1;
        self.bytes.iter_mut().skip(len).for_each(|versions| versions.push((0, Some(self.clock))));
        self.sizes.push((len, Some(self.clock)));
    }
    fn asks_sync(&mut self) -> u64 {
        self.next += 1;
        self.syncing.push((self.next, self.clock));
        self.next
    }
    fn synced(&mut self, id: u64) {
        let at = self.syncing.iter().position(|s| s.0 == id).unwrap();
        let (_, asked) = self.syncing.swap_remove(at);
        let certain = |written: Option<u64>| written.is_some_and(|written| written <= asked);
        for versions in &mut self.bytes {
            let last = versions.iter().rposition(|v| certain(v.1)).unwrap_or(0);
            versions.drain(..last);
        }
        let last = self.sizes.iter().rposition(|s| certain(s.1)).unwrap_or(0);
        self.sizes.drain(..last);
    }
}

#[test]
fn queued_operations_keep_what_their_syncs_promise() {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    for seed in 0..400 {
        let allowed = Rc::new(RefCell::new(Allowed { sizes: vec![(0, Some(0))], ..Allowed::default() }));
        let shared = allowed.clone();
        let mut world = World::new(seed, Faults::NONE);
        let machine = world.machine(
            spec(1),
            Box::new(move |birth| {
                let file = create(&birth.fs, "/a");
                let other = create(&birth.fs, "/b");
                birth.fs.sync_dir(Path::new("/")).unwrap();
                let shared = shared.clone();
                let due = Rc::new(Cell::new(None));
                let mut value = 0_u8;
                script_with_deadline(due.clone(), move |core, events| {
                    let mut allowed = shared.borrow_mut();
                    for event in events.drain(..) {
                        match event {
                            Event::File { token, result: Ok(Done::Written) } => allowed.wrote(token.0),
                            Event::File { token, result: Ok(Done::Synced) } => allowed.synced(token.0),
                            other => panic!("{other:?}"),
                        }
                    }
                    match core.random() % 8 {
                        0 | 1 => core.sync(&file, Token(allowed.asks_sync())),
                        2 if allowed.writing.is_empty() => {
                            let len = usize::try_from(core.random() % 20_000).unwrap();
                            let len = len.min(allowed.sizes.last().unwrap().0);
                            file.truncate(len as u64).unwrap();
                            allowed.truncated(len);
                        }
                        // Makes changes of names and sizes durable, by its own.
                        3 => other.write_at(0, b"x").and_then(|()| other.truncate(0)).and_then(|()| other.sync()).unwrap(),
                        4 => core.fs().sync_dir(Path::new("/")).unwrap(),
                        _ => {
                            let start = usize::try_from(core.random() % 16_000).unwrap();
                            let end = start + usize::try_from(1 + core.random() % 6_000).unwrap();
                            if allowed.writing.iter().all(|(_, s, e)| end <= *s || *e <= start) {
                                value = value.wrapping_add(1).max(1);
                                let bytes = buf(core, &vec![value; end - start]);
                                core.write(&file, start as u64, vec![bytes], Token(allowed.asks_write(start, end, value)));
                            }
                        }
                    }
                    due.set(Some(core.now() + std::time::Duration::from_micros(core.random() % 400)));
                })
            }),
        );
        world.start(machine);
        let mut rng = Rng::new(seed);
        world.run_for(std::time::Duration::from_micros(rng.skewed(500, 200_000)));
        assert!(world.is_up(machine));
        world.power_cut(machine);
        world.check();
        let found = content(&world.fs(machine), "/a");
        let allowed = allowed.borrow();
        let (low, high) = (allowed.sizes.iter().min().unwrap().0, allowed.sizes.iter().max().unwrap().0);
        assert!((low..=high).contains(&found.len()), "seed {seed}: {} in {low}..={high}", found.len());
        for (i, byte) in found.iter().enumerate() {
            let versions = &allowed.bytes[i];
            assert!(versions.iter().any(|v| v.0 == *byte), "seed {seed}, byte {i}: {byte} is none of {versions:?}");
        }
    }
}
