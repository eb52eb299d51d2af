//! The rules that carry the architecture (`STYLE.md` marks them ●), checked on the text of the sources.
//!
//! | rule | checked by |
//! |---|---|
//! | a folder is pure or a shell | [`RULES`]: words that a pure folder may not use, and folders it may not import |
//! | only `io/` touches the world | [`RULES`]: words that `src/` may not use |
//! | state has one owner, reached by `&mut` | [`RULES`]: no cells, locks, statics or thread-locals in `src/` |
//! | `unsafe` only in `io/`, each with its reason | [`unsafe_is_only_in_io_and_says_why`] |
//! | every option is documented | [`every_option_is_documented`] |
//! | the README agrees with the code | [`the_readme_agrees_with_the_code`] |
//! | a file is about one noun | [`no_file_has_grown_beyond_one_noun`] |
//!
//! Comments, texts in quotes and the tests at the end of a file do not count. `MILLRACE_BLESS=1 cargo test --test house`
//! writes the README's tables anew.

use millrace::config::{self, Importance, table};
use millrace::wire::api::SERVED;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders and files of `src/` whose code decides and touches nothing.
const PURE: &[&str] = &["wire", "config", "log", "replica", "metadata", "group", "txn", "types.rs", "error.rs", "limits.rs"];
/// The command line: runs on the main thread, reads its arguments and its standard input.
const COMMAND_LINE: &[&str] = &["cli", "main.rs"];
/// Folders that decide nothing; whatever is pure knows nothing of them.
const SHELLS: &[&str] = &["shard", "control", "api", "server", "cli", "observe"];

/// Words that may not be in some part of `src/`.
struct Rule {
    what: &'static str,
    /// Words as they stand in code. A word counts where no identifier goes on before or after it.
    words: &'static [&'static str],
    applies: fn(&str) -> bool,
}

const RULES: &[Rule] = &[
    Rule {
        what: "is pure, and pure code does no I/O, knows no clock and draws no random numbers",
        words: &[
            "async",
            "await",
            "std::io",
            "io::Read",
            "io::Write",
            "Instant::now",
            "SystemTime",
            "std::time::Instant",
            "rand",
            "getrandom",
            "Core",
            "Fs",
            "File",
            "println",
            "eprintln",
            "tracing",
        ],
        applies: is_pure,
    },
    Rule {
        what: "is pure, and the order of a hash map differs from run to run; use a BTreeMap or a Vec",
        words: &["HashMap", "HashSet", "hash_map", "RandomState"],
        applies: is_pure,
    },
    Rule {
        what: "is outside of io/, and only io/ touches files, sockets, threads and clocks",
        words: &[
            "std::fs",
            "std::thread",
            "std::os",
            "TcpListener",
            "TcpStream",
            "UdpSocket",
            "UnixStream",
            "ToSocketAddrs",
            "std::time::Instant",
            "SystemTime",
            "libc",
            "io_uring",
            "rustix",
            "nix",
            "glommio",
            "tokio",
        ],
        applies: |_| true,
    },
    Rule {
        what: "is outside of io/ and of the command line, and reads no arguments, environment or standard input",
        words: &[
            "std::process",
            "std::env",
            "io::stdin",
            "io::stdout",
            "io::stderr",
            "io::Read",
            "io::Write",
            "println",
            "print",
            "eprintln",
            "eprint",
            "dbg",
        ],
        applies: |file| !is_in(file, COMMAND_LINE),
    },
    Rule {
        what: "shares state otherwise than by having one owner",
        words: &[
            "RefCell",
            "Cell",
            "UnsafeCell",
            "OnceCell",
            "OnceLock",
            "LazyLock",
            "LazyCell",
            "Mutex",
            "RwLock",
            "Condvar",
            "thread_local",
            "static mut",
            "AtomicBool",
            "AtomicU8",
            "AtomicU16",
            "AtomicU32",
            "AtomicU64",
            "AtomicUsize",
            "AtomicI64",
            "AtomicPtr",
            "lazy_static",
            "once_cell",
            "parking_lot",
            "mpsc",
            "Rc",
        ],
        applies: |_| true,
    },
    Rule { what: "says that something is missing; put it on an issue", words: &["todo", "unimplemented"], applies: |_| true },
];

fn is_in(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file == *place || file.starts_with(&format!("{place}/")))
}

fn is_pure(file: &str) -> bool {
    is_in(file, PURE)
}

#[test]
fn the_folders_keep_the_rules_of_the_house() {
    let mut broken = Vec::new();
    for (file, text) in sources("src") {
        broken.extend(broken_rules(&file, &text));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn broken_rules(file: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, line) in code(text) {
        for rule in RULES.iter().filter(|rule| (rule.applies)(file)) {
            if let Some(word) = rule.words.iter().find(|word| has_word(&line, word)) {
                broken.push(format!("src/{file}:{number}: `{word}`: this {}", rule.what));
            }
        }
        if is_pure(file)
            && let Some(shell) = SHELLS.iter().find(|shell| line.contains(&format!("crate::{shell}::")))
        {
            broken.push(format!("src/{file}:{number}: pure code does not know the shell `{shell}`"));
        }
    }
    for (number, line) in text.lines().enumerate() {
        if has_word(line, "TODO") || has_word(line, "FIXME") || has_word(line, "XXX") {
            broken.push(format!("src/{file}:{}: put it on an issue", number + 1));
        }
    }
    broken
}

#[test]
fn unsafe_is_only_in_io_and_says_why() {
    let mut broken = Vec::new();
    for (file, text) in sources("src").into_iter().chain(sources("bench")) {
        let found = code(&text).into_iter().filter(|(_, line)| has_word(line, "unsafe"));
        broken.extend(found.map(|(number, _)| format!("{file}:{number}: `unsafe` outside of io/")));
    }
    for (file, text) in sources("io") {
        broken.extend(unexplained(&text).into_iter().map(|number| format!("io/{file}:{number}: `unsafe` without `// SAFETY:` above it")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Lines with `unsafe` and no `SAFETY:` on them or in the comment before the statement. An `unsafe fn` states what its
/// callers owe under `# Safety` instead.
fn unexplained(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let explained = |number: usize| {
        let above = lines[..number - 1].iter().rev().take(12);
        let mut near = above.take_while(|line| {
            let line = line.trim();
            line.starts_with("//") || line.starts_with("#[") || !line.is_empty() && !line.ends_with(['}', ';'])
        });
        lines[number - 1].contains("SAFETY:") || near.any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
    };
    let unsafes = code(text).into_iter().filter(|(_, line)| has_word(line, "unsafe"));
    unsafes.map(|(number, _)| number).filter(|number| !explained(*number)).collect()
}

#[test]
fn no_file_has_grown_beyond_one_noun() {
    const LINES_MAX: usize = 900;
    let folders = ["src", "io", "bench", "tests"];
    let all = folders.iter().flat_map(|folder| sources(folder).into_iter().map(move |(file, text)| (format!("{folder}/{file}"), text)));
    let long: Vec<String> = all
        .filter(|(_, text)| text.lines().count() > LINES_MAX)
        .map(|(file, text)| format!("{file} has {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "there are two nouns in it; find the second: {}", long.join(", "));
}

#[test]
fn every_option_is_documented() {
    let help = config::help(100);
    for option in table::broker_options().chain(table::topic_options()).chain(table::GROUP).chain(table::CLIENT_METRICS) {
        assert!(option.doc.ends_with('.') && option.doc.split(' ').count() > 2, "{}: {:?}", option.name, option.doc);
        let listed =
            option.importance == Importance::Internal || matches!(option.scope, config::Scope::Group(_) | config::Scope::ClientMetrics);
        assert!(listed || help.contains(option.name), "{} is not in --help", option.name);
    }
}

#[test]
fn the_readme_agrees_with_the_code() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).expect("there is a README");
    let mut wanted = readme.clone();
    for (name, table) in [("apis", api_table()), ("options", config::markdown_table())] {
        wanted = with_section(&wanted, name, &table);
    }
    if std::env::var_os("MILLRACE_BLESS").is_some() {
        fs::write(&path, &wanted).expect("the README can be written");
    } else {
        assert!(readme == wanted, "the README's tables are old; MILLRACE_BLESS=1 cargo test --test house writes them anew");
    }
}

/// The text with what is between `<!-- name -->` and `<!-- /name -->` replaced.
fn with_section(text: &str, name: &str, content: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&open).unwrap_or_else(|| panic!("the README has no {open}"));
    let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("the README has no {close}"));
    format!("{before}{open}\n\n{}\n\n{close}{after}", content.trim())
}

fn api_table() -> String {
    let mut table = String::from("| key | API | versions |\n|---|---|---|\n");
    for served in SERVED {
        let range = |versions: &millrace::wire::schema::Versions| match versions.min == versions.max {
            true => versions.min.to_string(),
            false => format!("{} to {}", versions.min, versions.max),
        };
        let told = match served.advertised == served.accepted {
            true => range(&served.advertised),
            false => format!("{} (advertised: {})", range(&served.accepted), range(&served.advertised)),
        };
        table.push_str(&format!("| {} | {} | {told} |\n", served.key.code(), served.key.info().name));
    }
    table
}

// ---- reading sources

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rs` file below a folder of the repository, by its path there, in order.
fn sources(folder: &str) -> Vec<(String, String)> {
    let base = root().join(folder);
    let mut files = Vec::new();
    collect(&base, &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&base).expect("below the folder").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source can be read");
        (name, text)
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, files);
            }
        // A folder's `tests.rs` is compiled for tests only, like the tests at the end of a file.
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// The lines of code with their numbers: comments and the insides of quotes are blanked, tests at the end are left out.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let mut state = State::Code;
    for (number, line) in text.lines().enumerate() {
        if state == State::Code && line.starts_with("#[cfg(test)]") {
            break;
        }
        out.push((number + 1, blank(line, &mut state)));
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    /// Within `/* … */`, so deep.
    Comment(u32),
    Quoted,
    /// Within `r##"…"##` with so many hashes.
    Raw(usize),
}

fn blank(line: &str, state: &mut State) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    let next_is = |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        match *state {
            State::Comment(depth) if next_is(at, "*/") => {
                *state = if depth == 1 { State::Code } else { State::Comment(depth - 1) };
                at += 2;
            }
            State::Comment(depth) if next_is(at, "/*") => {
                *state = State::Comment(depth + 1);
                at += 2;
            }
            State::Comment(_) => at += 1,
            State::Quoted if chars[at] == '\\' => at += 2,
            State::Quoted => {
                if chars[at] == '"' {
                    *state = State::Code;
                }
                at += 1;
            }
            State::Raw(hashes) => {
                if chars[at] == '"' && next_is(at + 1, &"#".repeat(hashes)) {
                    *state = State::Code;
                    at += hashes;
                }
                at += 1;
            }
            State::Code if next_is(at, "//") => break,
            State::Code if next_is(at, "/*") => {
                *state = State::Comment(1);
                at += 2;
            }
            State::Code => at = blank_code(&chars, at, &mut out, state),
        }
    }
    out
}

/// One character of code, or the beginning of something quoted. Returns where to go on.
fn blank_code(chars: &[char], at: usize, out: &mut String, state: &mut State) -> usize {
    let in_word = at > 0 && is_word(chars[at - 1]);
    if chars[at] == 'r' && !in_word {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if chars.get(at + 1 + hashes) == Some(&'"') {
            *state = State::Raw(hashes);
            return at + hashes + 2;
        }
    }
    match chars[at] {
        '"' => {
            *state = State::Quoted;
            at + 1
        }
        // A character in quotes; a lifetime has no second quote there.
        '\'' if chars.get(at + 1) == Some(&'\\') => at + 2 + chars[at + 3..].iter().position(|c| *c == '\'').map_or(0, |end| end + 2),
        '\'' if chars.get(at + 2) == Some(&'\'') => at + 3,
        c => {
            out.push(c);
            at + 1
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the word stands in the line by itself.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

// ---- the checks themselves

#[test]
fn the_checks_find_what_they_look_for() {
    for (file, line, found) in [
        ("log/x.rs", "async fn f() {}", true),
        ("shard/x.rs", "async fn f() {}", false),
        ("log/x.rs", "use std::io;", true),
        ("log/x.rs", "let t = std::time::Instant::now();", true),
        ("log/x.rs", "use std::time::Duration;", false),
        ("types.rs", "let m: HashMap<u8, u8>;", true),
        ("shard/x.rs", "let m: HashMap<u8, u8>;", false),
        ("log/x.rs", "// async and std::io in a comment", false),
        ("log/x.rs", "let s = \"async\";", false),
        ("log/x.rs", "let s = r#\"a \" async\"#; let c = '\"'; let asynchronous = 1;", false),
        ("log/x.rs", "let c = '\"'; async {}", true),
        ("log/x.rs", "let c = '\\''; async {}", true),
        ("log/x.rs", "fn f<'a>(x: &'a str) { async {} }", true),
        ("log/x.rs", "/* async */ let x = 1;", false),
        ("log/x.rs", "use crate::shard::Shard;", true),
        ("api/x.rs", "use crate::shard::Shard;", false),
        ("api/x.rs", "let f = std::fs::read(path);", true),
        ("cli/x.rs", "let f = std::fs::read(path);", true),
        ("cli/x.rs", "println!();", false),
        ("server/x.rs", "println!();", true),
        ("server/x.rs", "let x = RefCell::new(1);", true),
        ("server/x.rs", "static mut X: u8 = 1;", true),
        ("server/x.rs", "let x = Arc::new(1);", false),
        ("server/x.rs", "todo!()", true),
        ("server/x.rs", "// TODO later", true),
    ] {
        assert_eq!(!broken_rules(file, line).is_empty(), found, "{file}: {line}");
    }
    let text = "let a = 1;\n#[cfg(test)]\nmod tests { use std::fs; }";
    assert_eq!(broken_rules("log/x.rs", text), Vec::<String>::new(), "tests do not count");
    let multi = "let a = \"first\nasync\nlast\"; async {}";
    assert_eq!(broken_rules("log/x.rs", multi).len(), 1);
}

#[test]
fn unsafe_without_a_reason_is_found() {
    assert_eq!(unexplained("fn f() {\n    unsafe { g() }\n}"), [2]);
    assert_eq!(unexplained("fn f() {\n    // SAFETY: g is fine\n    unsafe { g() }\n}"), [0; 0]);
    assert_eq!(unexplained("fn f() {\n    // SAFETY: g is fine\n    let x =\n        unsafe { g() };\n    unsafe { h() }\n}"), [5]);
    assert_eq!(unexplained("/// # Safety\n/// Only once.\npub unsafe fn f() {}"), [0; 0]);
    assert_eq!(unexplained("// SAFETY: plain bytes\nunsafe impl Send for X {}\nunsafe impl Sync for X {}"), [3]);
}

#[test]
fn a_section_of_the_readme_is_replaced_and_the_rest_is_kept() {
    let text = "a\n<!-- x -->\nold\n<!-- /x -->\nb";
    assert_eq!(with_section(text, "x", "new\n"), "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb");
}
