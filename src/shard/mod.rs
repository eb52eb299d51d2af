//! one core's partitions.
