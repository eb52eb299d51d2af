//! Files of the real world.

mod common;

use common::{TempDir, options, pattern, run};
use millrace_io::{Buf, Core, Done, Event, File, Fs, OpenHow, ReadHow, Token, is_disk_full, real};
use std::collections::BTreeMap;
use std::path::Path;

const DIRECT: OpenHow = OpenHow { write: true, create: true, direct: true };

fn fs() -> Fs {
    Fs::Real(real::Fs)
}

fn buf(core: &mut Core, bytes: &[u8]) -> Buf {
    let mut buf = core.pool().take(bytes.len()).unwrap();
    buf.extend(bytes);
    buf.freeze()
}

type Ask = Box<dyn FnOnce(&mut Core, Token) + Send>;

/// Asks for one operation after another, each when the one before it is done, and returns their results.
fn sequence(asks: Vec<Ask>) -> Vec<millrace_io::Result<Done>> {
    let (report, results) = std::sync::mpsc::channel();
    let mut asks = asks.into_iter();
    let mut asked = 0;
    run(move |core, events| {
        for event in events.drain(..) {
            let Event::File { token, result } = event else { panic!("{event:?}") };
            assert_eq!(token, Token(asked));
            report.send(result).unwrap();
        }
        match asks.next() {
            Some(ask) => {
                asked += 1;
                ask(core, Token(asked));
            }
            None => core.stop(),
        }
        None
    });
    results.iter().collect()
}

fn read_back(result: &millrace_io::Result<Done>) -> &[u8] {
    match result {
        Ok(Done::Read(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Write, sync, read both ways, and past the end.
fn write_and_read_back(path: &Path, how: OpenHow, unit: usize) {
    let file = fs().open(path, how).unwrap();
    let data = pattern(100 * unit, 1);
    let ask = |ask: fn(&File, &[u8], usize, &mut Core, Token)| {
        let (file, data) = (file.clone(), data.clone());
        let ask: Ask = Box::new(move |core, token| ask(&file, &data, unit, core, token));
        ask
    };
    let results = sequence(vec![
        ask(|file, _, unit, core, token| core.allocate(file, 0, 200 * unit as u64, token)),
        ask(|file, data, unit, core, token| {
            // Of very different sizes, with nothing in between.
            let parts = [0..unit, unit..unit, unit..60 * unit, 60 * unit..100 * unit].map(|range| buf(core, &data[range]));
            core.write(file, unit as u64, parts.to_vec(), token);
        }),
        ask(|file, _, _, core, token| core.sync(file, token)),
        ask(|file, _, unit, core, token| {
            let into = core.pool().take(100 * unit).unwrap();
            core.read(file, unit as u64, into, ReadHow::Cached, token);
        }),
        ask(|file, _, unit, core, token| {
            let into = core.pool().take(100 * unit).unwrap();
            core.read(file, unit as u64, into, ReadHow::Uncached, token);
        }),
        ask(|file, _, unit, core, token| {
            let into = core.pool().take(10 * unit).unwrap();
            core.read(file, 99 * unit as u64, into, ReadHow::Cached, token);
        }),
        ask(|file, _, unit, core, token| {
            let into = core.pool().take(10 * unit).unwrap();
            core.read(file, 101 * unit as u64, into, ReadHow::Uncached, token);
        }),
        ask(|file, _, _, core, token| core.write(file, 0, Vec::new(), token)),
    ]);
    assert!(matches!(results[0], Ok(Done::Allocated)), "{:?}", results[0]);
    assert!(matches!(results[1], Ok(Done::Written)), "{:?}", results[1]);
    assert!(matches!(results[2], Ok(Done::Synced)), "{:?}", results[2]);
    for result in &results[3..=4] {
        let bytes = read_back(result);
        assert!(bytes.len() >= 100 * unit || bytes.len() == 100 * unit);
        assert!(bytes[..100 * unit] == data);
    }
    // Appended to a buffer that was empty: only what the file had.
    assert!(read_back(&results[5]) == &data[98 * unit..]);
    assert_eq!(read_back(&results[6]), b"");
    assert!(matches!(results[7], Ok(Done::Written)));
    assert_eq!(file.len().unwrap(), 101 * unit as u64);
    let mut first = vec![7; unit];
    assert_eq!(fs().open(path, OpenHow::READ).unwrap().read_at(0, &mut first).unwrap(), unit);
    assert!(first.iter().all(|byte| *byte == 0));
}

#[test]
fn what_is_written_through_the_page_cache_is_read_back() {
    let dir = TempDir::new("cached");
    for unit in [1, 1000, 4096] {
        write_and_read_back(&dir.path().join(unit.to_string()), OpenHow::CREATE, unit);
    }
}

#[test]
fn what_is_written_past_the_page_cache_is_read_back() {
    let dir = TempDir::new("direct");
    write_and_read_back(&dir.path().join("data"), DIRECT, 4096);
}

#[test]
fn a_direct_read_at_an_odd_end_brings_what_the_file_has() {
    let dir = TempDir::new("odd");
    let path = dir.path().join("data");
    std::fs::write(&path, pattern(4096 * 3 + 17, 2)).unwrap();
    let file = fs().open(&path, OpenHow { direct: true, ..OpenHow::READ }).unwrap();
    let results = sequence(vec![Box::new(move |core, token| {
        let into = core.pool().take(1 << 16).unwrap();
        core.read(&file, 4096, into, ReadHow::Uncached, token);
    })]);
    assert!(read_back(&results[0]) == &pattern(4096 * 3 + 17, 2)[4096..]);
}

#[test]
fn more_parts_than_one_call_takes_are_written_in_order() {
    let dir = TempDir::new("parts");
    for (how, unit) in [(OpenHow::CREATE, 3), (DIRECT, 4096)] {
        let path = dir.path().join(unit.to_string());
        let file = fs().open(&path, how).unwrap();
        let data = pattern(3000 * unit, 8);
        let (parts, target) = (data.clone(), file.clone());
        let results = sequence(vec![Box::new(move |core, token| {
            let whole = buf(core, &parts);
            let parts = (0..3000).map(|i| whole.slice(i * unit..(i + 1) * unit)).collect();
            core.write(&target, 0, parts, token);
        })]);
        assert!(matches!(results[0], Ok(Done::Written)), "{:?}", results[0]);
        assert!(std::fs::read(&path).unwrap() == data);
    }
}

#[test]
fn many_operations_at_once_all_answer() {
    let dir = TempDir::new("many");
    let file = fs().open(&dir.path().join("data"), OpenHow::CREATE).unwrap();
    let direct = fs().open(&dir.path().join("direct"), DIRECT).unwrap();
    let mut asked = false;
    let mut left = BTreeMap::new();
    // More than the ring has entries for.
    let options = real::Options { ring_entries: 16, ..options() };
    common::run_all(
        &options,
        vec![Box::new(move |core, events| {
            if !std::mem::replace(&mut asked, true) {
                for i in 0..300u64 {
                    let page = buf(core, &[u8::try_from(i % 251).unwrap(); 4096]);
                    core.write(&file, i * 4096, vec![page.clone()], Token(2 * i));
                    core.write(&direct, i * 4096, vec![page], Token(2 * i + 1));
                    left.extend([(2 * i, ()), (2 * i + 1, ())]);
                }
                assert!(!core.fs().exists(Path::new("/nonexistent")));
            }
            for event in events.drain(..) {
                let Event::File { token, result } = event else { panic!("{event:?}") };
                assert!(matches!(result, Ok(Done::Written)));
                left.remove(&token.0).expect("answered once");
            }
            if left.is_empty() {
                let mut page = [0; 4096];
                for i in 0..300u64 {
                    for file in [&file, &direct] {
                        assert_eq!(fs_read(file, i * 4096, &mut page), 4096);
                        assert_eq!(u64::from(page[4095]), i % 251);
                    }
                }
                core.stop();
            }
            None
        })],
    );
}

/// Through a buffer that O_DIRECT likes.
fn fs_read(file: &File, position: u64, into: &mut [u8; 4096]) -> usize {
    let mut aligned = millrace_io::Pool::new(1 << 20).take(4096).unwrap();
    aligned.resize(4096);
    let read = file.read_at(position, aligned.as_mut()).unwrap();
    into.copy_from_slice(&aligned);
    read
}

#[test]
fn a_write_to_a_file_opened_for_reading_is_refused() {
    let dir = TempDir::new("refused");
    let path = dir.path().join("data");
    std::fs::write(&path, b"x").unwrap();
    let file = fs().open(&path, OpenHow::READ).unwrap();
    let direct = fs().open(&path, OpenHow { direct: true, ..OpenHow::READ }).unwrap();
    for file in [file, direct] {
        let results = sequence(vec![Box::new(move |core, token| {
            let page = buf(core, &[0; 4096]);
            core.write(&file, 0, vec![page], token);
        })]);
        assert_eq!(results[0].as_ref().unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}

#[test]
fn residency_is_told_of_what_is_in_memory_and_of_what_is_not() {
    let dir = TempDir::new("resident");
    let path = dir.path().join("data");
    std::fs::write(&path, pattern(1 << 20, 6)).unwrap();
    let file = fs().open(&path, OpenHow::CREATE).unwrap();
    file.sync().unwrap();
    let mut turn = 0;
    run(move |core, events| {
        turn += 1;
        match turn {
            1 => {
                assert!(core.resident(&file, 0, 1 << 20), "just written");
                assert!(core.resident(&file, 5, 0));
                forget_pages(&file);
                if core.resident(&file, 0, 1 << 20) {
                    eprintln!("SKIPPED: this file system keeps its pages (tmpfs?)");
                    core.stop();
                    return None;
                }
                assert!(!core.resident(&file, 123_456, 1));
                let into = core.pool().take(1 << 18).unwrap();
                core.read(&file, 0, into, ReadHow::Uncached, Token(1));
            }
            2 => {
                let Some(Event::File { result: Ok(Done::Read(bytes)), .. }) = events.pop() else { panic!() };
                assert!(bytes[..] == pattern(1 << 20, 6)[..1 << 18]);
                let into = core.pool().take(1 << 18).unwrap();
                core.read(&file, 0, into, ReadHow::Cached, Token(2));
            }
            _ => {
                let Some(Event::File { result: Ok(Done::Read(bytes)), .. }) = events.pop() else { panic!() };
                assert!(bytes[..] == pattern(1 << 20, 6)[..1 << 18]);
                assert!(core.resident(&file, 4096, 8192), "just read");
                core.stop();
            }
        }
        None
    });
}

fn forget_pages(file: &File) {
    // The descriptor is private to io: the path of another one to the same file does.
    let _ = file;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        if target.ends_with("data") && target.to_string_lossy().contains("resident") {
            let fd: i32 = entry.file_name().to_str().unwrap().parse().unwrap();
            // SAFETY: advice about an open descriptor.
            assert_eq!(unsafe { libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED) }, 0);
        }
    }
}

#[test]
fn a_full_disk_is_reported_as_such() {
    let dir = TempDir::new("full");
    let Some(_mount) = Tmpfs::mount(dir.path(), 1 << 20) else {
        eprintln!("SKIPPED: a small file system can only be mounted by root");
        return;
    };
    let file = fs().open(&dir.path().join("data"), OpenHow::CREATE).unwrap();
    let results = sequence(vec![
        Box::new({
            let file = file.clone();
            move |core, token| {
                let page = buf(core, &pattern(1 << 16, 1));
                core.write(&file, 0, vec![page; 32], token);
            }
        }),
        Box::new({
            let file = file.clone();
            move |core, token| core.allocate(&file, 0, 2 << 20, token)
        }),
    ]);
    for result in &results {
        let error = result.as_ref().unwrap_err();
        assert!(is_disk_full(error), "{error}");
    }
    let space = fs().space(dir.path()).unwrap();
    assert_eq!(space.total_bytes, 1 << 20);
    assert_eq!(space.usable_bytes, 0);
}

struct Tmpfs(std::ffi::CString);

impl Tmpfs {
    fn mount(at: &Path, bytes: usize) -> Option<Tmpfs> {
        let path = std::ffi::CString::new(at.to_str().unwrap()).unwrap();
        let options = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        let kind = c"tmpfs";
        // SAFETY: all strings end with a zero and outlive the call.
        let done = unsafe { libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
        (done == 0).then_some(Tmpfs(path))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // SAFETY: the path ends with a zero.
        unsafe { libc::umount2(self.0.as_ptr(), libc::MNT_DETACH) };
    }
}

#[test]
fn names_files_and_locks_behave() {
    let dir = TempDir::new("names");
    let fs = fs();
    let deep = dir.path().join("a/b/c");
    fs.create_dir_all(&deep).unwrap();
    fs.create_dir_all(&deep).unwrap();
    assert!(fs.exists(&deep));
    for name in ["b", "a", "c"] {
        fs.write_atomic(&deep.join(name), name.repeat(3).as_bytes()).unwrap();
    }
    fs.write_atomic(&deep.join("a"), b"new").unwrap();
    assert_eq!(fs.read(&deep.join("a")).unwrap(), b"new");
    fs.rename(&deep.join("c"), &deep.join("0")).unwrap();
    fs.create_dir_all(&deep.join("dir")).unwrap();
    let list: Vec<_> = fs.list(&deep).unwrap().into_iter().map(|entry| (entry.name, entry.is_dir, entry.len)).collect();
    let expected = [("0", false, 3), ("a", false, 3), ("b", false, 3), ("dir", true, 0)];
    assert_eq!(list, expected.map(|(name, is_dir, len)| (name.to_string(), is_dir, len)));
    fs.sync_dir(&deep).unwrap();
    fs.remove_file(&deep.join("0")).unwrap();
    assert!(!fs.exists(&deep.join("0")));
    assert_eq!(fs.open(&deep.join("0"), OpenHow::WRITE).unwrap_err().kind(), std::io::ErrorKind::NotFound);

    let lock = fs.lock(&deep.join(".lock")).unwrap().expect("free");
    assert!(fs.lock(&deep.join(".lock")).unwrap().is_none());
    drop(lock);
    assert!(fs.lock(&deep.join(".lock")).unwrap().is_some());

    let file = fs.open(&deep.join("file"), OpenHow::CREATE).unwrap();
    file.allocate(0, 1 << 20).unwrap();
    assert_eq!(file.len().unwrap(), 0);
    file.write_at(10, b"hello").unwrap();
    assert_eq!(file.len().unwrap(), 15);
    assert!(blocks(&deep.join("file")) >= 1 << 20);
    file.trim().unwrap();
    assert!(blocks(&deep.join("file")) <= 8192);
    file.truncate(12).unwrap();
    let mut bytes = [9; 20];
    assert_eq!(file.read_at(8, &mut bytes).unwrap(), 4);
    assert_eq!(&bytes[..4], b"\0\0he");
    file.sync().unwrap();
    fs.remove_dir_all(&dir.path().join("a")).unwrap();
    assert!(!fs.exists(&dir.path().join("a")));
    let space = fs.space(dir.path()).unwrap();
    assert!(space.total_bytes > space.usable_bytes && space.usable_bytes > 0);
}

fn blocks(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(path).unwrap()) * 512
}
