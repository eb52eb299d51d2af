//! What the controller decides: requests in, records and answers out.
//!
//! Every decision is a function of the latest image (with everything that was proposed, durable or not), the request, and
//! random numbers that are handed in. The records of one decision go into the log as one batch, so that it happens whole
//! or not at all; the answers are given once that batch is durable.

use super::image::Image;
use super::records::Record;
use crate::config::BrokerConfig;

/// What a decision looks at.
pub struct Context<'a> {
    pub image: &'a Image,
    /// The broker's options as they are now.
    pub config: &'a BrokerConfig,
    /// Shards of this broker, at least 1.
    pub shards: u16,
    /// Random numbers: for ids and for where to start.
    pub random: &'a mut dyn FnMut() -> u64,
}

/// What a request comes to. With `validate_only` the records are left out and the answers are as if they were not.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<T> {
    pub records: Vec<Record>,
    /// One for each item of the request, in its order.
    pub answers: Vec<T>,
}

/// Most partitions that one request may create (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`). Raising it grows
/// the largest batch of the metadata log, about 100 bytes for each.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;
