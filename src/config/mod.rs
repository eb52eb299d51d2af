//! Every option: name, type, default, unit, meaning; where it comes from, and what it comes to.
//!
//! ```text
//!   table ──┬──▶ source: file, environment, --set ──▶ BrokerConfig ──▶ TopicConfig (with a topic's overrides)
//!           ├──▶ describe: DescribeConfigs              ▲
//!           ├──▶ alter: AlterConfigs ──▶ records ──▶ with_dynamic
//!           └──▶ help, markdown: --help and the README
//! ```
//!
//! Pure: the shell reads files and the environment and hands them in as text.

pub mod alter;
pub mod broker;
pub mod describe;
mod help;
pub mod listener;
mod nearest;
pub mod option;
mod properties;
pub mod source;
pub mod table;
mod toml;
pub mod topic;
pub mod value;

pub use alter::{Alteration, Operation};
pub use broker::{BrokerConfig, Layers};
pub use describe::{Entry, Keys, Source, Synonym};
pub use help::{help, markdown_table};
pub use listener::{Listener, Protocol};
pub use option::{Effect, Importance, Kind, Opt, Scope, Unit, Valid};
pub use source::{Settings, Sources, load};
pub use topic::{Overrides, TopicConfig};
pub use value::Value;

/// Everything a broker needs at its start: its configuration, and warnings to log. An error is a list of sentences.
pub fn start(sources: Sources<'_>) -> Result<(BrokerConfig, Vec<String>), Vec<String>> {
    let settings = load(sources)?;
    Ok((BrokerConfig::new(settings.values)?, settings.warnings))
}
