//! The table of options for people: `--help`, and the README's table.

use super::alter::AT_START_ONLY;
use super::option::{Effect, Importance, Opt, Scope};
use super::table;

/// The table as plain text, wrapped at `columns`. Options without an effect are listed by name at the end.
pub fn help(columns: usize) -> String {
    let mut out = String::new();
    for (title, options) in sections() {
        out.push_str(&format!("{title}\n\n"));
        for option in options {
            let default =
                option.default.map_or("none".to_string(), |default| if default.is_empty() { "empty".into() } else { default.to_string() });
            out.push_str(&format!("  {} = {default}\n", option.name));
            out.push_str(&wrapped(&meaning(option, " "), 6, columns));
        }
        out.push('\n');
    }
    out.push_str("Accepted so that Kafka's configurations work, without effect yet\n\n");
    out.push_str(&wrapped(&ineffective().join(", "), 2, columns));
    out
}

/// The README's table of options.
pub fn markdown_table() -> String {
    let mut out = String::new();
    for (title, options) in sections() {
        out.push_str(&format!("**{title}**\n\n| option | default | meaning |\n|---|---|---|\n"));
        for option in options {
            let default = match option.default {
                None => String::new(),
                Some("") => "empty".to_string(),
                Some(default) => format!("`{default}`"),
            };
            out.push_str(&format!("| `{}` | {default} | {} |\n", option.name, meaning(option, "<br>").replace('|', "\\|")));
        }
        out.push('\n');
    }
    let names: Vec<String> = ineffective().iter().map(|name| format!("`{name}`")).collect();
    out.push_str(&format!("Accepted so that Kafka's configurations work, without effect yet: {}.\n", names.join(", ")));
    out
}

/// Options that do something, by title.
fn sections() -> Vec<(&'static str, Vec<&'static Opt>)> {
    let broker = table::BROKER.iter().map(|(title, options)| (*title, options.iter().filter(|option| shown(option)).collect()));
    let topic = std::iter::once(("Topics", table::topic_options().filter(|option| shown(option)).collect()));
    broker.chain(topic).filter(|(_, options): &(_, Vec<_>)| !options.is_empty()).collect()
}

fn shown(option: &Opt) -> bool {
    option.effect == Effect::Full && option.importance != Importance::Internal
}

fn ineffective() -> Vec<&'static str> {
    let options = table::broker_options().chain(table::topic_options());
    let mut names: Vec<&str> = options
        .filter(|option| option.effect == Effect::None && option.importance != Importance::Internal)
        .map(|option| option.name)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// What it does, in what unit, what is allowed, and how it is changed.
fn meaning(option: &Opt, separator: &str) -> String {
    let mut facts = Vec::new();
    if !option.unit.word().is_empty() {
        facts.push(format!("in {}", option.unit.word()));
    }
    let allowed = option.allowed();
    if !allowed.is_empty() && allowed != "true or false" {
        facts.push(allowed);
    }
    match option.scope {
        Scope::ReadOnly => {}
        _ if AT_START_ONLY.contains(&option.name) => {}
        Scope::PerBroker => facts.push("can be altered at run time for one broker".to_string()),
        Scope::ClusterWide => facts.push("can be altered at run time".to_string()),
        Scope::Topic("") => {}
        Scope::Topic(of_broker) => facts.push(format!("default from the broker's {of_broker}")),
        Scope::Group(_) | Scope::ClientMetrics => {}
    }
    if facts.is_empty() { option.doc.to_string() } else { format!("{}{separator}({})", option.doc, facts.join("; ")) }
}

/// Words that fit into `columns`, each line indented.
fn wrapped(text: &str, indent: usize, columns: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > columns {
            out.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&format!("{:indent$}{line}\n", ""));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_option_and_keeps_to_its_width() {
        let help = help(100);
        for option in table::broker_options().chain(table::topic_options()) {
            if option.importance != Importance::Internal {
                assert!(help.contains(option.name), "{}", option.name);
            }
        }
        let long = help.lines().filter(|line| line.starts_with("      ") && line.chars().count() > 100);
        assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn the_readme_table_has_three_cells_in_every_row() {
        for row in markdown_table().lines().filter(|line| line.starts_with("| ")) {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
        }
    }
}
