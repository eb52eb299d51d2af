//! the control shard.
