//! The small text files of a log directory, as Kafka writes and reads them.
//!
//! | file | content |
//! |---|---|
//! | `recovery-point-offset-checkpoint` and two others | `0`, the number of lines, then `topic partition offset` |
//! | `leader-epoch-checkpoint` | `0`, the number of lines, then `epoch start-offset` |
//! | `partition.metadata` | `version: 0`, `topic_id: <uuid>` |
//! | `meta.properties` | Java properties: `version=1`, `cluster.id`, `node.id`, `directory.id` |
//! | `.kafka_cleanshutdown` | `{"version":0,"brokerEpoch":-1}` |
//!
//! Decoding answers `None` for what is not such a file; nothing is believed in part.

use crate::types::{BrokerId, Epoch, Offset, Uuid};
use std::collections::BTreeMap;

const VERSION: &str = "0";

/// Offset by topic and partition.
pub type Offsets = BTreeMap<(String, i32), Offset>;

fn encode(lines: impl ExactSizeIterator<Item = String>) -> Vec<u8> {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text.into_bytes()
}

fn decode<T>(bytes: &[u8], line: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let entries: Vec<T> = lines.map(line).collect::<Option<_>>()?;
    (entries.len() == count).then_some(entries)
}

pub fn encode_offsets(offsets: &Offsets) -> Vec<u8> {
    encode(offsets.iter().map(|((topic, partition), offset)| format!("{topic} {partition} {offset}")))
}

pub fn decode_offsets(bytes: &[u8]) -> Option<Offsets> {
    let entries = decode(bytes, |line| {
        let mut words = line.split_whitespace();
        let entry = ((words.next()?.to_owned(), words.next()?.parse().ok()?), Offset(words.next()?.parse().ok()?));
        words.next().is_none().then_some(entry)
    })?;
    Some(entries.into_iter().collect())
}

pub fn encode_epochs(epochs: &[(Epoch, Offset)]) -> Vec<u8> {
    encode(epochs.iter().map(|(epoch, start)| format!("{epoch} {start}")))
}

pub fn decode_epochs(bytes: &[u8]) -> Option<Vec<(Epoch, Offset)>> {
    decode(bytes, |line| {
        let (epoch, start) = line.split_once(' ')?;
        Some((Epoch(epoch.parse().ok()?), Offset(start.parse().ok()?)))
    })
}

/// `partition.metadata`: which topic, of all that had this name, a directory belongs to.
pub fn encode_partition_metadata(topic: Uuid) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic}").into_bytes()
}

pub fn decode_partition_metadata(bytes: &[u8]) -> Option<Uuid> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != "version: 0" {
        return None;
    }
    Uuid::parse(lines.next()?.strip_prefix("topic_id: ")?.trim_end())
}

/// `meta.properties`: whose a log directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    pub node: BrokerId,
    pub directory: Uuid,
}

/// The file, with the cluster's id. `directory` is this log directory's own.
pub fn encode_meta_properties(cluster_id: &str, meta: MetaProperties) -> Vec<u8> {
    let MetaProperties { node, directory } = meta;
    format!("#\nversion=1\ncluster.id={cluster_id}\nnode.id={node}\ndirectory.id={directory}\n").into_bytes()
}

/// The cluster's id, and the rest.
pub fn decode_meta_properties(bytes: &[u8]) -> Option<(String, MetaProperties)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let value = |key: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
        let pairs = lines.filter_map(|line| line.split_once(['=', ':']));
        pairs.filter(|(k, _)| k.trim() == key).map(|(_, v)| v.trim().to_owned()).next_back()
    };
    if value("version")? != "1" {
        return None;
    }
    let meta = MetaProperties { node: BrokerId(value("node.id")?.parse().ok()?), directory: Uuid::parse(&value("directory.id")?)? };
    Some((value("cluster.id")?, meta))
}

/// `.kafka_cleanshutdown`. The epoch lets the controller see that this broker lost nothing (KIP-966).
pub fn encode_clean_shutdown(broker_epoch: i64) -> Vec<u8> {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}").into_bytes()
}

/// The broker epoch. That the file is there says enough: an empty or foreign one is a clean stop of unknown epoch, -1.
pub fn decode_clean_shutdown(bytes: &[u8]) -> i64 {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Content {
        broker_epoch: i64,
    }
    serde_json::from_slice(bytes).map_or(-1, |content: Content| content.broker_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_kafka_writes_them() {
        let offsets: Offsets = [(("a".into(), 1), Offset(5)), (("b.c".into(), 0), Offset(1 << 40))].into();
        let bytes = encode_offsets(&offsets);
        assert_eq!(bytes, b"0\n2\na 1 5\nb.c 0 1099511627776\n");
        assert_eq!(decode_offsets(&bytes), Some(offsets));
        assert_eq!(decode_offsets(b"0\n0\n"), Some(Offsets::new()));
    }

    #[test]
    fn a_checkpoint_that_is_cut_or_of_another_version_is_not_believed() {
        for bytes in [&b""[..], b"0\n", b"1\n0\n", b"0\n2\na 1 5\n", b"0\n1\na 1\n", b"0\n1\na 1 5 6\n", b"0\n1\na 1 x\n", b"\xff"] {
            assert_eq!(decode_offsets(bytes), None, "{bytes:?}");
        }
        assert_eq!(decode_epochs(b"0\n1\n1 2 3\n"), None);
    }

    #[test]
    fn identities_read_back() {
        let topic = Uuid(*b"2E78EA57052D436B");
        assert_eq!(encode_partition_metadata(topic), b"version: 0\ntopic_id: MkU3OEVBNTcwNTJENDM2Qg");
        assert_eq!(decode_partition_metadata(&encode_partition_metadata(topic)), Some(topic));
        let meta = MetaProperties { node: BrokerId(3), directory: topic };
        assert_eq!(decode_meta_properties(&encode_meta_properties("c", meta)), Some(("c".into(), meta)));
        let kafka = b"#\n#Thu Jan 01 00:00:00 UTC 2026\ncluster.id=c\ndirectory.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=3\nversion=1\n";
        assert_eq!(decode_meta_properties(kafka), Some(("c".into(), meta)));
        assert_eq!(decode_meta_properties(b"version=0\n"), None);
    }

    #[test]
    fn a_clean_stop_is_one_whatever_the_file_says() {
        assert_eq!(encode_clean_shutdown(-1), b"{\"version\":0,\"brokerEpoch\":-1}");
        assert_eq!(decode_clean_shutdown(&encode_clean_shutdown(42)), 42);
        assert_eq!(decode_clean_shutdown(b""), -1);
    }
}
