//! A broker that is about to be treated badly, and how to see that it does not mind.

use crate::broker::{Broker, Directory};
use crate::client::{Client, batch_of};
use millrace::wire::messages::{ApiVersionsRequest, ApiVersionsResponse};

pub struct Victim {
    pub broker: Broker,
    _directory: Directory,
    id: u32,
    resident_before: u64,
}

pub const TOPIC: &str = "kept";
/// Where nobody but [`Victim::new`] writes.
const KEPT: i32 = 2;
const VALUES: [&[u8]; 3] = [b"one", b"two", b"three"];

impl Victim {
    /// Has a topic with two partitions for anything, and one with acknowledged records.
    pub fn new(sets: &[&str]) -> Victim {
        let directory = Directory::new();
        let broker = Broker::start(directory.path(), sets);
        let mut client = Client::connect(&broker.address);
        client.create_topic(TOPIC, 3, &[]);
        let produced = client.produce(TOPIC, -1, &[(KEPT, Some(&batch_of(&VALUES)))]);
        assert!(produced[0].error_code.is_ok(), "{:?}", produced[0]);
        let (id, resident_before) = (broker.id(), broker.resident_bytes());
        let mut victim = Victim { broker, _directory: directory, id, resident_before };
        victim.assert_unharmed("before anything");
        victim
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.broker.address)
    }

    /// The same process serves another connection, and what it has acknowledged is there.
    #[track_caller]
    pub fn assert_unharmed(&mut self, after: &str) {
        self.broker.assert_runs();
        assert_eq!(self.broker.id(), self.id);
        let mut client = Client::try_connect(&self.broker.address).unwrap_or_else(|error| panic!("{after}: {error}"));
        let request = ApiVersionsRequest {
            client_software_name: "test".into(),
            client_software_version: "1".into(),
            ..ApiVersionsRequest::default()
        };
        let versions: ApiVersionsResponse = client.call(3, &request);
        assert!(versions.error_code.is_ok() && !versions.api_keys.is_empty(), "{after}: {versions:?}");
        let values: Vec<Vec<u8>> = client.read_all(TOPIC, KEPT).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, VALUES, "{after}");
    }

    /// It never had more in memory than this beyond what it began with.
    #[track_caller]
    pub fn assert_memory_within(&self, bytes: u64) {
        let peak = self.broker.resident_bytes_peak();
        assert!(peak <= self.resident_before + bytes, "{} MiB before, {} MiB at the worst", self.resident_before >> 20, peak >> 20);
    }
}
