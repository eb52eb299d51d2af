//! One record batch of random bytes, built once and sent as often as the load asks.

use millrace::log::BatchBuilder;
use millrace_io::blocking;

/// `records` records of `record_bytes` value bytes each. Values differ from record to record and do not compress.
pub fn build(records: u32, record_bytes: u32, mut random: impl FnMut() -> u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let timestamp = blocking::wall();
    for _ in 0..records {
        let value: Vec<u8> = std::iter::repeat_with(|| random().to_le_bytes()).flatten().take(record_bytes as usize).collect();
        builder.push(timestamp, None, Some(&value));
    }
    builder.build()
}
