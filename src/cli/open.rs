//! Looking into batches, compressed or not.

use super::Failure;
use crate::log::batch::{HEADER_LEN, Header};
use crate::log::compress::Scratch;
use crate::log::record::{Record, records};

/// No batch that a broker has accepted is larger when it is decompressed.
const PLAIN_BYTES_MAX: usize = 1 << 30;

#[derive(Default)]
pub struct Opener {
    scratch: Scratch,
}

impl Opener {
    /// Every record of a batch.
    pub fn records(&mut self, header: &Header, batch: &[u8], mut look: impl FnMut(&Record<'_>)) -> Result<(), Failure> {
        let bad = |what: String| Failure::new(1, format!("the batch at offset {} {what}", header.base_offset()));
        let codec = header.codec().ok_or_else(|| bad("is compressed by a codec that nobody knows".to_owned()))?;
        let plain = self
            .scratch
            .decompress(codec, &batch[HEADER_LEN..], PLAIN_BYTES_MAX)
            .map_err(|why| bad(format!("cannot be decompressed: {why:?}")))?;
        for record in records(plain) {
            look(&record.map_err(|_| bad("holds something that is no record".to_owned()))?);
        }
        Ok(())
    }
}
