//! The log of one partition: scripts, walks at random against a naive model, crashes, and Kafka's own bytes.

mod compress;
mod disk;
mod golden;
mod script;
mod walk;
