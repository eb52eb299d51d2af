//! The real process: every test starts `millrace` itself, on ports and in directories of its own, and speaks to it over TCP.
//!
//! | module | what it proves |
//! |---|---|
//! | [`crash`] | kill -9 and SIGTERM under load: every acknowledged record is there, in order, once |
//! | [`start`] | settings and their order, directories, ports, disks: sentences and exit statuses |
//! | [`frames`] | frames, headers, versions and bodies that are wrong |
//! | [`records`] | record batches that are wrong, and Produce and Fetch requests that are |
//! | [`crowds`] | slow, idle, silent and greedy connections cost bounded memory |
//! | [`tools`] | the command line |
//!
//! Nothing sleeps to wait for something: [`broker::wait_for`] looks for the thing itself, and gives up after [`broker::PATIENCE`].

mod broker;
mod client;
mod crash;
mod crowds;
mod frames;
#[path = "../wire/random.rs"]
#[allow(dead_code, reason = "what the tests of the wire need, and these do not")]
mod random;
mod records;
#[path = "../wire/schemas.rs"]
#[allow(dead_code, reason = "what the tests of the wire need, and these do not")]
mod schemas;
mod start;
mod tools;
mod victim;
