//! Where settings come from at the start: a file (TOML or Java's `.properties`), the environment, `--set`.
//!
//! ```text
//!   defaults  <  file  <  MILLRACE_LOG_DIRS=…  <  --set log.dirs=…
//! ```
//!
//! Pure: the shell reads the file and hands its text in.

use super::nearest::nearest;
use super::option::Effect;
use super::{properties, table, toml, value};
use std::collections::BTreeMap;

/// What was set, by name, and what a person should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub values: BTreeMap<String, String>,
    /// One line each.
    pub warnings: Vec<String>,
}

/// Everything that can set an option.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// Name and text of the file. A name that ends in `.toml` is TOML, any other is properties.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment. Only names that begin with `MILLRACE_` are looked at.
    pub environment: &'a [(String, String)],
    /// `key=value`, as given to `--set`.
    pub sets: &'a [String],
}

/// Variables that are for something else: what is logged, where the file is, what tests write.
const NOT_OPTIONS: &[&str] = &["LOG", "CONFIG", "BLESS"];

/// Reads all sources. An error is a list of sentences that say what is wrong, where, and what to do about it.
pub fn load(sources: Sources<'_>) -> Result<Settings, Vec<String>> {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    if let Some((name, text)) = sources.file {
        let pairs = if name.ends_with(".toml") { toml::parse(text) } else { properties::parse(text) };
        match pairs {
            Ok(pairs) => {
                for (key, value) in pairs {
                    if found.insert(key.clone(), (value, name.to_string())).is_some() {
                        warnings.push(format!("{name}: {key} is set more than once; the last one counts"));
                    }
                }
            }
            Err(why) => problems.push(format!("{name}: {why}")),
        }
    }
    for (name, value) in sources.environment {
        if let Some(suffix) = name.strip_prefix("MILLRACE_").filter(|suffix| !NOT_OPTIONS.contains(suffix)) {
            found.insert(environment_key(suffix), (value.clone(), format!("environment variable {name}")));
        }
    }
    for set in sources.sets {
        match set.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                found.insert(key.trim().to_string(), (value.trim().to_string(), "--set".to_string()));
            }
            _ => problems.push(format!("--set {set}: give it as key=value, for instance --set log.dirs=/var/lib/millrace")),
        }
    }
    let mut values = BTreeMap::new();
    for (key, (value, origin)) in found {
        match judge(&key, &value, &origin) {
            Judgement::Fine => {}
            Judgement::Warn(warning) => warnings.push(warning),
            Judgement::Wrong(problem) => {
                problems.push(problem);
                continue;
            }
        }
        values.insert(key, value);
    }
    for name in values.keys() {
        let finer =
            table::broker_synonyms(name).into_iter().take_while(|member| member != name).find(|member| values.contains_key(*member));
        if let Some(finer) = finer {
            warnings.push(format!("{name} has no effect beside {finer}, which is set too; remove one"));
        }
    }
    if problems.is_empty() { Ok(Settings { values, warnings }) } else { Err(problems) }
}

enum Judgement {
    Fine,
    Warn(String),
    Wrong(String),
}

fn judge(key: &str, value: &str, origin: &str) -> Judgement {
    let Some(option) = table::broker(listener_option(key).unwrap_or(key)) else {
        return Judgement::Warn(unknown(key, origin));
    };
    if let Err(kafkas) = value::parse(option, value) {
        return Judgement::Wrong(wrong_value(option.name, key, value, origin, &kafkas));
    }
    match option.effect {
        Effect::None => Judgement::Warn(format!("{origin}: {key} is an option of Kafka that has no effect in Millrace yet")),
        Effect::Full if key != option.name => {
            Judgement::Warn(format!("{origin}: {key}: options for one listener have no effect in Millrace yet"))
        }
        Effect::Full => Judgement::Fine,
    }
}

/// `max.connections` of `listener.name.internal.max.connections`.
pub fn listener_option(key: &str) -> Option<&str> {
    let (_, option) = key.strip_prefix("listener.name.")?.split_once('.')?;
    Some(option)
}

fn unknown(key: &str, origin: &str) -> String {
    match table::topic(key).map(|option| option.scope) {
        Some(super::Scope::Topic(of_broker)) if !of_broker.is_empty() => {
            return format!("{origin}: {key} is an option of a topic; the broker's default for it is {of_broker}. Ignored");
        }
        _ => {}
    }
    match nearest(key, table::broker_options().map(|option| option.name)) {
        Some(name) => format!("{origin}: unknown option {key}; did you mean {name}? Ignored"),
        None => format!("{origin}: unknown option {key}. Ignored"),
    }
}

/// `log.dirs: "x" (in server.toml) … what to do.`
fn wrong_value(name: &str, key: &str, value: &str, origin: &str, kafkas: &str) -> String {
    let option = table::broker(name).expect("the caller found it");
    // Kafka's sentence begins with name and value, which stand before it already.
    let about = format!("for configuration {name}: ");
    let why = kafkas.split_once(&about).map_or(kafkas, |(_, why)| why);
    let shown = if option.sensitive() { "(hidden)" } else { value };
    let mut advice = String::new();
    // The sentence has the words that are allowed already.
    let allowed = if why.contains("one of") { String::new() } else { option.allowed() };
    let unit = option.unit.word();
    match (allowed.is_empty(), unit.is_empty()) {
        (false, false) => advice.push_str(&format!("; give {unit}, {allowed}")),
        (false, true) => advice.push_str(&format!("; give {allowed}")),
        (true, false) => advice.push_str(&format!("; give a whole number of {unit}")),
        (true, true) => {}
    }
    match option.default {
        Some(default) if !default.is_empty() => advice.push_str(&format!(", or leave it out for the default, {default}")),
        _ => advice.push_str(", or leave it out"),
    }
    format!("{origin}: {key}={shown}: {}{advice}", lower_first(why))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// `MILLRACE_LOG_DIRS` sets `log.dirs`, `MILLRACE_CORES` sets `millrace.cores`, and so does `MILLRACE_MILLRACE_CORES`.
fn environment_key(suffix: &str) -> String {
    let key = suffix.to_ascii_lowercase().replace('_', ".");
    let ours = format!("millrace.{key}");
    if table::broker(&key).is_none() && table::broker(&ours).is_some() { ours } else { key }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn sets(sets: &[&str]) -> Vec<String> {
        sets.iter().map(|set| set.to_string()).collect()
    }

    #[test]
    fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
        let file = ("server.properties", "num.partitions=1\nlog.dirs=/file\nfetch.max.bytes=2048\n");
        let environment = pairs(&[
            ("MILLRACE_LOG_DIRS", "/environment"),
            ("MILLRACE_FETCH_MAX_BYTES", "4096"),
            ("MILLRACE_LOG", "debug"),
            ("HOME", "/root"),
        ]);
        let sets = sets(&["fetch.max.bytes=8192"]);
        let settings = load(Sources { file: Some(file), environment: &environment, sets: &sets }).unwrap();
        let expected = pairs(&[("fetch.max.bytes", "8192"), ("log.dirs", "/environment"), ("num.partitions", "1")]);
        assert_eq!(settings.values.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(settings.warnings, Vec::<String>::new());
    }

    #[test]
    fn our_own_options_need_their_prefix_once_in_the_environment() {
        for name in ["MILLRACE_CORES", "MILLRACE_MILLRACE_CORES"] {
            let settings = load(Sources { environment: &pairs(&[(name, "2")]), ..Sources::default() }).unwrap();
            assert_eq!(settings.values.into_iter().collect::<Vec<_>>(), pairs(&[("millrace.cores", "2")]));
        }
    }

    #[test]
    fn what_has_no_effect_is_accepted_with_a_warning_that_names_it() {
        let text = "num.io.threads=8\nlisteners.foo=1\nnum.partition=3\nretention.ms=5\nnum.partitions=1\nnum.partitions=2\n";
        let settings = load(Sources { file: Some(("k.properties", text)), ..Sources::default() }).unwrap();
        assert_eq!(
            settings.warnings,
            [
                "k.properties: num.partitions is set more than once; the last one counts",
                "k.properties: unknown option listeners.foo. Ignored",
                "k.properties: num.io.threads is an option of Kafka that has no effect in Millrace yet",
                "k.properties: unknown option num.partition; did you mean num.partitions? Ignored",
                "k.properties: retention.ms is an option of a topic; the broker's default for it is log.retention.ms. Ignored",
            ]
        );
        assert_eq!(settings.values["num.partitions"], "2");
    }

    #[test]
    fn two_units_for_one_thing_are_told() {
        let sets = sets(&["log.retention.hours=1", "log.retention.ms=5", "log.flush.scheduler.interval.ms=7", "log.flush.interval.ms=8"]);
        let settings = load(Sources { sets: &sets, ..Sources::default() }).unwrap();
        assert_eq!(settings.warnings, ["log.retention.hours has no effect beside log.retention.ms, which is set too; remove one"]);
    }

    #[test]
    fn a_wrong_value_is_told_with_what_is_allowed_and_what_to_do() {
        for (set, told) in [
            (
                "log.retention.hours=abc",
                "--set: log.retention.hours=abc: not a number of type INT; give a whole number of hours, or leave it out for the default, 168",
            ),
            (
                "log.segment.bytes=10",
                "--set: log.segment.bytes=10: value must be at least 1048576; give bytes, at least 1048576, or leave it out for the \
                 default, 1073741824",
            ),
            (
                "auto.create.topics.enable=yes",
                "--set: auto.create.topics.enable=yes: expected value to be either true or false; give true or false, or leave it \
                 out for the default, true",
            ),
            (
                "compression.type=lzo",
                "--set: compression.type=lzo: string must be one of: uncompressed, zstd, lz4, snappy, gzip, producer, or leave it \
                 out for the default, producer",
            ),
            ("log.dirs", "--set log.dirs: give it as key=value, for instance --set log.dirs=/var/lib/millrace"),
            ("=5", "--set =5: give it as key=value, for instance --set log.dirs=/var/lib/millrace"),
        ] {
            let problems = load(Sources { sets: &sets(&[set]), ..Sources::default() }).unwrap_err();
            assert_eq!(problems, [told]);
        }
        let problems = load(Sources { file: Some(("a.toml", "x = ")), ..Sources::default() }).unwrap_err();
        assert!(problems[0].starts_with("a.toml: line 1: "), "{problems:?}");
    }
}
