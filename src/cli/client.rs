//! A blocking client for the command line: one connection, one request at a time.
//!
//! Speaks to any broker of the protocol: versions are negotiated, the highest that both sides know.

use super::Failure;
use crate::wire::api::ApiKey;
use crate::wire::codec::Reader;
use crate::wire::header::RequestHeader;
use crate::wire::header::ResponseHeader;
use crate::wire::messages::{ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::{Message, Writer, frame};
use millrace_io::Error;
use millrace_io::blocking::Stream;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which broker a command speaks to.
#[derive(clap::Args, Clone, Debug)]
pub struct Target {
    /// A broker of the cluster.
    #[arg(
        long,
        short = 'b',
        visible_alias = "bootstrap-server",
        default_value = "localhost:9092",
        global = true,
        value_name = "HOST:PORT"
    )]
    pub broker: String,
    /// Seconds to wait for an answer.
    #[arg(long, default_value_t = 30, global = true)]
    pub timeout: u64,
}

const CLIENT_ID: &str = "millrace";
/// More than any answer that is asked for here.
const FRAME_BYTES_MAX: usize = 512 << 20;

pub struct Client {
    broker: String,
    stream: Stream,
    /// By API key: what the broker serves.
    versions: BTreeMap<i16, (i16, i16)>,
    next_correlation: i32,
    out: Vec<u8>,
}

impl Client {
    pub fn connect(target: &Target) -> Result<Client, Failure> {
        let unreachable = |error: Error| {
            Failure::new(1, format!("cannot reach a broker at {}: {error}; is it running? (`millrace server` starts one)", target.broker))
        };
        let stream = Stream::connect(&target.broker, Duration::from_secs(target.timeout)).map_err(unreachable)?;
        let mut client = Client { broker: target.broker.clone(), stream, versions: BTreeMap::new(), next_correlation: 0, out: Vec::new() };
        let request = ApiVersionsRequest {
            client_software_name: CLIENT_ID.to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ApiVersionsRequest::default()
        };
        let response: ApiVersionsResponse = client.call_version(3, &request)?;
        client.versions = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(client)
    }

    /// The highest version of an API that both sides know, at most `known`.
    pub fn version(&self, key: ApiKey, known: std::ops::RangeInclusive<i16>) -> Result<i16, Failure> {
        let name = format!("{key:?}");
        let (min, max) = *self
            .versions
            .get(&key.code())
            .ok_or_else(|| Failure::new(1, format!("the broker at {} does not serve {name}", self.broker)))?;
        let version = max.min(*known.end());
        if version < min.max(*known.start()) {
            return Err(Failure::new(
                1,
                format!("no common version of {name} with the broker at {}: it serves {min} to {max}", self.broker),
            ));
        }
        Ok(version)
    }

    pub fn call<M: Message, R: Message>(&mut self, request: &M) -> Result<R, Failure> {
        let key = ApiKey::from_code(M::KEY).expect("messages have known keys");
        let version = self.version(key, M::VERSIONS)?;
        self.call_version(version, request)
    }

    fn call_version<M: Message, R: Message>(&mut self, version: i16, request: &M) -> Result<R, Failure> {
        let key = ApiKey::from_code(M::KEY).expect("messages have known keys");
        self.send(key, version, |w| request.encode(w, version))?;
        let frame = self.receive(key, version)?;
        let mut reader = Reader::new(&frame);
        R::decode(&mut reader, version).map_err(|bad| self.broken(&format!("{} does not decode: {bad}", R::NAME)))
    }

    /// Sends a request and does not wait; answers come in the order of requests.
    pub fn send(&mut self, key: ApiKey, version: i16, body: impl FnOnce(&mut Writer<'_>)) -> Result<(), Failure> {
        self.out.clear();
        let correlation_id = self.next_correlation;
        self.next_correlation = self.next_correlation.wrapping_add(1);
        frame::frame(&mut self.out, |w| {
            RequestHeader { api_key: key, api_version: version, correlation_id, client_id: Some(CLIENT_ID) }.encode(w);
            body(w);
        });
        self.stream.write_all(&self.out).map_err(|error| self.lost(&error))
    }

    /// The body of the next answer.
    pub fn receive(&mut self, key: ApiKey, version: i16) -> Result<Vec<u8>, Failure> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(|error| self.lost(&error))?;
        let length = usize::try_from(i32::from_be_bytes(length)).ok().filter(|length| *length <= FRAME_BYTES_MAX);
        let length = length.ok_or_else(|| self.broken("an answer with an impossible length"))?;
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).map_err(|error| self.lost(&error))?;
        let mut reader = Reader::new(&frame);
        ResponseHeader::decode(&mut reader, key, version).map_err(|_| self.broken("an answer without a header"))?;
        let body = reader.position();
        frame.drain(..body);
        Ok(frame)
    }

    fn lost(&self, error: &Error) -> Failure {
        Failure::new(1, format!("the connection to {} broke: {error}", self.broker))
    }

    fn broken(&self, what: &str) -> Failure {
        Failure::new(1, format!("the broker at {} sent {what}", self.broker))
    }
}
