//! The Kafka protocol: frames, headers, and every message in every version. Pure: bytes in, values out, on whatever core asks.
//!
//! ```text
//!              ┌────────── one frame ────────────────────────────────────────────────────┐
//!  request     │ length │ key │ version │ correlation id │ client id │ (tags) │  body …  │
//!              │  i32   │ i16 │   i16   │      i32       │  string?  │        │          │
//!              └────────┴─────┴─────────┴────────────────┴───────────┴────────┴──────────┘
//!              ┌────────┬────────────────┬────────┬───────────────────────────────────────┐
//!  response    │ length │ correlation id │ (tags) │  body …                               │
//!              └────────┴────────────────┴────────┴───────────────────────────────────────┘
//!                 length counts what follows it; (tags) only in flexible versions
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`codec`] | primitive types: `Reader` believes nothing, `Writer` appends in place |
//! | [`api`] | the table of APIs: what Kafka has, what this broker serves |
//! | [`header`] | request and response headers |
//! | [`frame`] | a whole frame in one call |
//! | [`message`] | the macro in which messages are written down |
//! | [`schema`] | the same definitions as data |
//! | [`messages`] | one small file per API |
//!
//! Both halves are here: a server decodes requests and encodes responses, a client (our command line, the load generator, a
//! follower) the other way round. Record bytes are never copied: [`messages::produce`] says where in the frame they lie, and
//! [`messages::fetch`] writes what stands between them.
//!
//! A request that arrives is read like this: [`header::RequestHeader::decode`] on the frame without its length, look the version
//! up in [`api::ApiKey::served`], then the body's `decode` with the same [`codec::Reader`].

pub mod api;
pub mod codec;
pub mod frame;
pub mod header;
pub mod message;
pub mod messages;
pub mod schema;

pub use codec::{Malformed, Reader, Writer};
pub use message::Message;
