//! Millrace: an event-streaming broker that speaks the Kafka wire protocol.
//!
//! The map of the crate. Dependencies point upwards in this list; a folder is *pure* (decisions: no I/O, no clock, no
//! randomness) or a *shell* (moves bytes, decides nothing). Only the crate `millrace-io` touches the world.
//!
//! | module | | what |
//! |---|---|---|
//! | [`types`] | pure | `Offset`, `Epoch`, `BrokerId` … |
//! | [`error`] | pure | Kafka's error codes |
//! | [`limits`] | pure | every bound, as one value |
//! | [`wire`] | pure | frames, messages, record batch headers |
//! | [`config`] | pure | every option: name, type, default, doc |
//! | [`log`] | pure | what one partition's log decides |
//! | [`replica`] | pure | high watermark of one partition |
//! | [`metadata`] | pure | cluster records, the image they build, the controller's decisions |
//! | [`shard`] | shell | one core: partitions, disk, parked requests, mesh |
//! | [`control`] | shell | the control shard: metadata log, image publishing |
//! | [`api`] | shell | one file per Kafka API |
//! | [`server`] | shell | listeners, connections, the program a core runs |
//! | [`cli`] | shell | the command line |

pub mod error;
pub mod limits;
pub mod plants;
pub mod types;

pub mod config;
pub mod log;
pub mod metadata;
pub mod replica;
pub mod wire;

pub mod api;
pub mod cli;
pub mod control;
pub mod server;
pub mod shard;
