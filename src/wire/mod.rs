//! frames, messages and record batch headers of the Kafka protocol.
