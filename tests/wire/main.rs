//! The wire, held against others: an independent codec ([`peer`]), bytes made by Kafka's own classes ([`golden`]), and
//! whoever sends garbage ([`hostile`]).
//!
//! All three feed on the messages' definitions as data ([`millrace::wire::schema`]): [`random`] makes valid bodies from them
//! without our encoder, and [`value`] compares what was read field by field, so that two fields of the same type that changed
//! places are found out although the bytes survive a round trip.

mod golden;
mod hostile;
mod known;
mod peer;
mod random;
mod schemas;
mod value;
