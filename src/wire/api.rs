//! The table of APIs: what Kafka 4.3 has (and ApiVersions 5, of 4.4), and what this broker serves of it. Pure data.
//!
//! Two questions, kept apart: what does the *codec* know ([`ApiKey::info`]; enough to find the body behind any request header,
//! and to be a client), and what does the *broker* answer ([`SERVED`]; ApiVersions says exactly this).

use super::schema::Versions;

/// Listeners on which Kafka offers an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Broker,
    Controller,
    Both,
    /// Kafka 4.0 removed the API; its number stays taken.
    Nowhere,
}

/// What Kafka 4.3 says of an API.
#[derive(Clone, Copy, Debug)]
pub struct ApiInfo {
    pub key: ApiKey,
    /// Kafka's name, without Request or Response.
    pub name: &'static str,
    /// Versions of the definition; [`Versions::NONE`] for a removed API.
    pub versions: Versions,
    /// First version with compact lengths and tagged fields, in the body and in both headers.
    pub flexible_from: Option<i16>,
    pub listener: Listener,
}

impl ApiInfo {
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible_from.is_some_and(|first| version >= first)
    }
}

macro_rules! apis {
    ($($name:ident = $key:literal, $(versions $min:literal ..= $max:literal)? $(removed)? $(, flexible $flexible:literal ..)? $(, on $listener:ident)?;)*) => {
        /// Every API of Kafka 4.3, by Kafka's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $($name = $key),*
        }

        /// In order of key, without a gap.
        const APIS: &[ApiInfo] = &[$(
            ApiInfo {
                key: ApiKey::$name,
                name: stringify!($name),
                versions: apis!(@versions $($min, $max)?),
                flexible_from: apis!(@flexible $($flexible)?),
                listener: apis!(@listener $($listener)?),
            },
        )*];
    };
    (@versions) => { Versions::NONE };
    (@versions $min:literal, $max:literal) => { Versions::new($min, $max) };
    (@flexible) => { None };
    (@flexible $first:literal) => { Some($first) };
    (@listener) => { Listener::Nowhere };
    (@listener broker) => { Listener::Broker };
    (@listener controller) => { Listener::Controller };
    (@listener both) => { Listener::Both };
}

apis! {
    Produce = 0, versions 3..=13, flexible 9.., on broker;
    Fetch = 1, versions 4..=18, flexible 12.., on both;
    ListOffsets = 2, versions 1..=11, flexible 6.., on broker;
    Metadata = 3, versions 0..=13, flexible 9.., on broker;
    LeaderAndIsr = 4, removed;
    StopReplica = 5, removed;
    UpdateMetadata = 6, removed;
    ControlledShutdown = 7, removed;
    OffsetCommit = 8, versions 2..=10, flexible 8.., on broker;
    OffsetFetch = 9, versions 1..=10, flexible 6.., on broker;
    FindCoordinator = 10, versions 0..=6, flexible 3.., on broker;
    JoinGroup = 11, versions 0..=9, flexible 6.., on broker;
    Heartbeat = 12, versions 0..=4, flexible 4.., on broker;
    LeaveGroup = 13, versions 0..=5, flexible 4.., on broker;
    SyncGroup = 14, versions 0..=5, flexible 4.., on broker;
    DescribeGroups = 15, versions 0..=6, flexible 5.., on broker;
    ListGroups = 16, versions 0..=5, flexible 3.., on broker;
    SaslHandshake = 17, versions 0..=1, on both;
    ApiVersions = 18, versions 0..=5, flexible 3.., on both;
    CreateTopics = 19, versions 2..=7, flexible 5.., on both;
    DeleteTopics = 20, versions 1..=6, flexible 4.., on both;
    DeleteRecords = 21, versions 0..=2, flexible 2.., on broker;
    InitProducerId = 22, versions 0..=6, flexible 2.., on broker;
    OffsetForLeaderEpoch = 23, versions 2..=4, flexible 4.., on broker;
    AddPartitionsToTxn = 24, versions 0..=5, flexible 3.., on broker;
    AddOffsetsToTxn = 25, versions 0..=4, flexible 3.., on broker;
    EndTxn = 26, versions 0..=5, flexible 3.., on broker;
    WriteTxnMarkers = 27, versions 1..=2, flexible 1.., on broker;
    TxnOffsetCommit = 28, versions 0..=5, flexible 3.., on broker;
    DescribeAcls = 29, versions 1..=3, flexible 2.., on both;
    CreateAcls = 30, versions 1..=3, flexible 2.., on both;
    DeleteAcls = 31, versions 1..=3, flexible 2.., on both;
    DescribeConfigs = 32, versions 1..=4, flexible 4.., on both;
    AlterConfigs = 33, versions 0..=2, flexible 2.., on both;
    AlterReplicaLogDirs = 34, versions 1..=2, flexible 2.., on broker;
    DescribeLogDirs = 35, versions 1..=5, flexible 2.., on broker;
    SaslAuthenticate = 36, versions 0..=2, flexible 2.., on both;
    CreatePartitions = 37, versions 0..=3, flexible 2.., on both;
    CreateDelegationToken = 38, versions 1..=3, flexible 2.., on both;
    RenewDelegationToken = 39, versions 1..=2, flexible 2.., on both;
    ExpireDelegationToken = 40, versions 1..=2, flexible 2.., on both;
    DescribeDelegationToken = 41, versions 1..=3, flexible 2.., on both;
    DeleteGroups = 42, versions 0..=2, flexible 2.., on broker;
    ElectLeaders = 43, versions 0..=2, flexible 2.., on both;
    IncrementalAlterConfigs = 44, versions 0..=1, flexible 1.., on both;
    AlterPartitionReassignments = 45, versions 0..=1, flexible 0.., on both;
    ListPartitionReassignments = 46, versions 0..=0, flexible 0.., on both;
    OffsetDelete = 47, versions 0..=0, on broker;
    DescribeClientQuotas = 48, versions 0..=1, flexible 1.., on broker;
    AlterClientQuotas = 49, versions 0..=1, flexible 1.., on both;
    DescribeUserScramCredentials = 50, versions 0..=0, flexible 0.., on both;
    AlterUserScramCredentials = 51, versions 0..=0, flexible 0.., on both;
    Vote = 52, versions 0..=2, flexible 0.., on controller;
    BeginQuorumEpoch = 53, versions 0..=1, flexible 1.., on controller;
    EndQuorumEpoch = 54, versions 0..=1, flexible 1.., on controller;
    DescribeQuorum = 55, versions 0..=2, flexible 0.., on both;
    AlterPartition = 56, versions 2..=3, flexible 0.., on controller;
    UpdateFeatures = 57, versions 0..=2, flexible 0.., on both;
    Envelope = 58, versions 0..=0, flexible 0.., on controller;
    FetchSnapshot = 59, versions 0..=1, flexible 0.., on controller;
    DescribeCluster = 60, versions 0..=2, flexible 0.., on both;
    DescribeProducers = 61, versions 0..=0, flexible 0.., on broker;
    BrokerRegistration = 62, versions 0..=4, flexible 0.., on controller;
    BrokerHeartbeat = 63, versions 0..=2, flexible 0.., on controller;
    UnregisterBroker = 64, versions 0..=0, flexible 0.., on both;
    DescribeTransactions = 65, versions 0..=0, flexible 0.., on broker;
    ListTransactions = 66, versions 0..=2, flexible 0.., on broker;
    AllocateProducerIds = 67, versions 0..=0, flexible 0.., on controller;
    ConsumerGroupHeartbeat = 68, versions 0..=1, flexible 0.., on broker;
    ConsumerGroupDescribe = 69, versions 0..=1, flexible 0.., on broker;
    ControllerRegistration = 70, versions 0..=0, flexible 0.., on controller;
    GetTelemetrySubscriptions = 71, versions 0..=0, flexible 0.., on broker;
    PushTelemetry = 72, versions 0..=0, flexible 0.., on broker;
    AssignReplicasToDirs = 73, versions 0..=0, flexible 0.., on controller;
    ListConfigResources = 74, versions 0..=1, flexible 0.., on broker;
    DescribeTopicPartitions = 75, versions 0..=0, flexible 0.., on broker;
    ShareGroupHeartbeat = 76, versions 1..=1, flexible 0.., on broker;
    ShareGroupDescribe = 77, versions 1..=1, flexible 0.., on broker;
    ShareFetch = 78, versions 1..=2, flexible 0.., on broker;
    ShareAcknowledge = 79, versions 1..=2, flexible 0.., on broker;
    AddRaftVoter = 80, versions 0..=1, flexible 0.., on both;
    RemoveRaftVoter = 81, versions 0..=0, flexible 0.., on both;
    UpdateRaftVoter = 82, versions 0..=0, flexible 0.., on controller;
    InitializeShareGroupState = 83, versions 0..=0, flexible 0.., on broker;
    ReadShareGroupState = 84, versions 0..=0, flexible 0.., on broker;
    WriteShareGroupState = 85, versions 0..=1, flexible 0.., on broker;
    DeleteShareGroupState = 86, versions 0..=0, flexible 0.., on broker;
    ReadShareGroupStateSummary = 87, versions 0..=1, flexible 0.., on broker;
    StreamsGroupHeartbeat = 88, versions 0..=0, flexible 0.., on broker;
    StreamsGroupDescribe = 89, versions 0..=0, flexible 0.., on broker;
    DescribeShareGroupOffsets = 90, versions 0..=1, flexible 0.., on broker;
    AlterShareGroupOffsets = 91, versions 0..=0, flexible 0.., on broker;
    DeleteShareGroupOffsets = 92, versions 0..=0, flexible 0.., on broker;
    GetReplicaLogInfo = 93, versions 0..=0, flexible 0.., on broker;
}

impl ApiKey {
    pub const ALL: &[ApiInfo] = APIS;

    pub fn from_code(code: i16) -> Option<ApiKey> {
        let row = APIS.get(usize::try_from(code).ok()?)?;
        Some(row.key)
    }

    pub fn code(self) -> i16 {
        self as i16
    }

    pub fn info(self) -> &'static ApiInfo {
        &APIS[usize::try_from(self.code()).expect("keys count from zero")]
    }

    /// What this broker serves of the API, if it does.
    pub fn served(self) -> Option<&'static Served> {
        let row = SERVED.binary_search_by_key(&self, |served| served.key).ok()?;
        Some(&SERVED[row])
    }
}

/// What this broker serves of one API.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub key: ApiKey,
    /// What ApiVersions tells. A request outside of it is answered with UNSUPPORTED_VERSION.
    pub advertised: Versions,
    /// What is decoded and acted on. Differs from `advertised` for Produce only.
    pub accepted: Versions,
}

const fn served(key: ApiKey, min: i16, max: i16) -> Served {
    Served { key, advertised: Versions::new(min, max), accepted: Versions::new(min, max) }
}

/// What this broker serves, in order of key.
pub const SERVED: &[Served] = &[
    // Versions 0 to 2 carried the record formats before v2 and are refused, but librdkafka disables compression
    // codecs unless the range begins at 0 (KAFKA-18659), so Kafka advertises them all the same.
    Served { accepted: Versions::new(3, 13), ..served(ApiKey::Produce, 0, 13) },
    served(ApiKey::Fetch, 4, 18),
    served(ApiKey::ListOffsets, 1, 11),
    served(ApiKey::Metadata, 0, 13),
    served(ApiKey::FindCoordinator, 0, 6),
    // Version 5 is Kafka 4.4's: the client says which broker it means (KIP-1242).
    served(ApiKey::ApiVersions, 0, 5),
    served(ApiKey::CreateTopics, 2, 7),
    served(ApiKey::DeleteTopics, 1, 6),
    served(ApiKey::DeleteRecords, 0, 2),
    // Version 6 is two-phase commit, unstable in Kafka 4.3.
    served(ApiKey::InitProducerId, 0, 5),
    served(ApiKey::OffsetForLeaderEpoch, 2, 4),
    served(ApiKey::DescribeConfigs, 1, 4),
    served(ApiKey::AlterConfigs, 0, 2),
    served(ApiKey::AlterReplicaLogDirs, 1, 2),
    served(ApiKey::DescribeLogDirs, 1, 5),
    served(ApiKey::CreatePartitions, 0, 3),
    served(ApiKey::IncrementalAlterConfigs, 0, 1),
    served(ApiKey::DescribeCluster, 0, 2),
    served(ApiKey::DescribeProducers, 0, 0),
    served(ApiKey::ListConfigResources, 0, 1),
    served(ApiKey::DescribeTopicPartitions, 0, 0),
];

// What is accepted is advertised and in Kafka's range; keys ascend, so that `ApiKey::served` may search.
const _: () = {
    let mut row = 0;
    while row < APIS.len() {
        assert!(APIS[row].key as usize == row);
        row += 1;
    }
    let mut row = 0;
    while row < SERVED.len() {
        let Served { key, advertised, accepted } = SERVED[row];
        let known = APIS[key as usize].versions;
        assert!(row == 0 || (SERVED[row - 1].key as i16) < (key as i16));
        assert!(advertised.min <= accepted.min && accepted.max == advertised.max);
        assert!(known.min <= accepted.min && accepted.max <= known.max);
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_codes_are_the_same_thing() {
        assert_eq!(ApiKey::ALL.len(), 94);
        for info in ApiKey::ALL {
            assert_eq!(ApiKey::from_code(info.key.code()), Some(info.key));
            assert_eq!(info.name, format!("{:?}", info.key));
        }
        for code in [-1, 94, i16::MAX, i16::MIN] {
            assert_eq!(ApiKey::from_code(code), None);
        }
    }

    #[test]
    fn old_produce_versions_are_advertised_and_not_accepted() {
        let produce = ApiKey::Produce.served().unwrap();
        assert!(produce.advertised.has(0) && !produce.accepted.has(2) && produce.accepted.has(3));
        assert!(ApiKey::JoinGroup.served().is_none());
    }
}
