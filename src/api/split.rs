//! Splitting a request over the cores that own its partitions, and putting the answers back in the order asked.
//!
//! ```text
//!  topics of the request ─▶ Split::partition, one by one ─▶ asks by core ─▶ … ─▶ Results::put ─▶ in order again
//! ```

use crate::error::ErrorCode;
use crate::metadata::{Image, Topic};
use crate::shard::PartitionKey;
use crate::types::ShardId;

/// What goes to each core, in the order in which cores were first needed.
#[derive(Debug)]
pub struct Split<T> {
    by_shard: Vec<(ShardId, Vec<T>)>,
}

impl<T> Split<T> {
    pub fn new() -> Split<T> {
        Split { by_shard: Vec::new() }
    }
    pub fn add(&mut self, shard: ShardId, item: T) {
        match self.by_shard.iter_mut().find(|(s, _)| *s == shard) {
            Some((_, items)) => items.push(item),
            None => self.by_shard.push((shard, vec![item])),
        }
    }
    pub fn shards(&self) -> usize {
        self.by_shard.len()
    }
    pub fn into_asks(self) -> impl Iterator<Item = (ShardId, Vec<T>)> {
        self.by_shard.into_iter()
    }
}

/// What became of each partition, in the order asked, and how many cores have not said.
#[derive(Debug)]
pub struct Results<R> {
    waiting: usize,
    results: Vec<Option<R>>,
}

impl<R> Results<R> {
    pub fn new() -> Results<R> {
        Results { waiting: 0, results: Vec::new() }
    }
    /// Number of the partition that is added next.
    pub fn order(&self) -> u32 {
        u32::try_from(self.results.len()).expect("fewer partitions than bytes in a frame")
    }
    /// The next partition; known at once, or asked of its core.
    pub fn push(&mut self, known: Option<R>) {
        self.results.push(known);
    }
    pub fn wait_for(&mut self, shards: usize) {
        self.waiting = shards;
    }
    pub fn is_complete(&self) -> bool {
        self.waiting == 0
    }
    /// The answer of one core; true if it was the last.
    pub fn put(&mut self, answer: impl IntoIterator<Item = (u32, R)>) -> bool {
        for (order, result) in answer {
            let place = &mut self.results[order as usize];
            assert!(place.is_none(), "a partition is answered once");
            *place = Some(result);
        }
        self.waiting -= 1;
        self.is_complete()
    }
    pub fn take(&mut self) -> impl Iterator<Item = R> + use<R> {
        assert!(self.is_complete(), "every partition was asked of one core, and all cores have answered");
        std::mem::take(&mut self.results).into_iter().map(|result| result.expect("every partition was asked of one core"))
    }
}

/// Who owns a partition of a topic that was found or not.
pub fn owner(topic: Option<&Topic>, index: i32) -> Result<(ShardId, PartitionKey), ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok((partition.shard, PartitionKey { topic: topic.id, index }))
}

/// The same, by name.
pub fn owner_by_name(image: &Image, topic: &str, index: i32) -> Result<(ShardId, PartitionKey), ErrorCode> {
    owner(image.topic_by_name(topic), index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_several_cores_come_in_the_order_asked() {
        let mut split = Split::new();
        let mut results = Results::new();
        for (shard, name) in [(1, "a"), (0, "b"), (1, "c")] {
            split.add(ShardId(shard), (results.order(), name));
            results.push(None);
        }
        results.push(Some("refused at once"));
        results.wait_for(split.shards());
        let asks: Vec<_> = split.into_asks().collect();
        assert_eq!(asks[0], (ShardId(1), vec![(0, "a"), (2, "c")]));
        assert!(!results.put(asks[1].1.clone()));
        assert!(results.put(asks[0].1.clone()));
        assert_eq!(results.take().collect::<Vec<_>>(), ["a", "b", "c", "refused at once"]);
    }
}
