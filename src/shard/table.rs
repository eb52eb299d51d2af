//! The partitions of a shard: found by key, named by a [`PartitionId`] that a stranger cannot inherit.

use super::Partition;
use super::ask::PartitionKey;
use super::disk::PartitionId;
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_key: BTreeMap<PartitionKey, PartitionId>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    partition: Option<Box<Partition>>,
}

impl Table {
    /// Makes room for a partition and puts it there; `make` is told its id.
    pub fn insert(&mut self, key: PartitionKey, make: impl FnOnce(PartitionId) -> Partition) -> PartitionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer partitions than u32 counts")
        });
        let place = &mut self.slots[slot as usize];
        let id = PartitionId { slot, generation: place.generation };
        place.partition = Some(Box::new(make(id)));
        let before = self.by_key.insert(key, id);
        assert!(before.is_none(), "a partition is opened once");
        id
    }

    pub fn remove(&mut self, id: PartitionId) -> Option<Box<Partition>> {
        self.get_mut(id)?;
        let place = &mut self.slots[id.slot as usize];
        place.generation += 1;
        self.free.push(id.slot);
        let partition = place.partition.take().expect("just seen");
        self.by_key.remove(&partition.key);
        Some(partition)
    }

    pub fn find(&self, key: &PartitionKey) -> Option<PartitionId> {
        self.by_key.get(key).copied()
    }

    pub fn get(&self, id: PartitionId) -> Option<&Partition> {
        let slot = self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        slot.partition.as_deref()
    }

    pub fn get_mut(&mut self, id: PartitionId) -> Option<&mut Partition> {
        let slot = self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)?;
        slot.partition.as_deref_mut()
    }

    /// Whoever is in this slot now.
    pub fn at_mut(&mut self, slot: u32) -> Option<&mut Partition> {
        self.slots.get_mut(slot as usize)?.partition.as_deref_mut()
    }

    /// In the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Partition> {
        self.by_key.values().filter_map(|id| self.get(*id))
    }

    pub fn ids(&self) -> Vec<PartitionId> {
        self.by_key.values().copied().collect()
    }
}
