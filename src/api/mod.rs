//! one file per Kafka API.
