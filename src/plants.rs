//! Bugs planted on purpose, so that tests can see the simulation's checker find them.
//!
//! Only a build with the feature `plants`, which the tests ask for, has any: elsewhere [`Plants`] is empty and
//! [`Plants::has`] a constant `false`.

/// A bug that somebody might have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A batch is acknowledged before its write has come back.
    EarlyAcknowledgement,
    /// Readers may read a batch before its write has come back.
    EarlyHighWatermark,
    /// Recovery believes every batch, whatever its CRC says.
    CrcSkippedInRecovery,
    /// A read begins one record too late, so that a reader misses a batch of one.
    ReadOffByOne,
    /// The entries of an offset index point one byte too far.
    IndexOffByOne,
    /// A restart forgets what producers have sent.
    ProducersForgotten,
    /// The last batch of a segment is lost when the next segment begins.
    RollLosesLastBatch,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plants {
    #[cfg(feature = "plants")]
    plant: Option<Plant>,
}

#[cfg(feature = "plants")]
impl Plants {
    pub const NONE: Plants = Plants { plant: None };

    pub const fn one(plant: Plant) -> Plants {
        Plants { plant: Some(plant) }
    }
    pub fn has(self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }
}

#[cfg(not(feature = "plants"))]
impl Plants {
    pub const NONE: Plants = Plants {};

    pub const fn has(self, _plant: Plant) -> bool {
        false
    }
}
