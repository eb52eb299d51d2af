//! The replication of one partition: who holds what, and how far readers may read.

mod leader;

pub use leader::{Effect, Event, Leader};
