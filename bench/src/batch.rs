//! One record batch (format v2) of random bytes, built once and sent as often as the load asks.

/// `records` records of `record_bytes` value bytes each. Values differ from record to record and do not compress.
pub fn build(records: u32, record_bytes: u32, mut random: impl FnMut() -> u64) -> Vec<u8> {
    let mut body = Vec::new();
    for index in 0..records {
        let mut record = vec![0]; // attributes
        varint(&mut record, 0); // timestamp delta
        varint(&mut record, i64::from(index));
        varint(&mut record, -1); // no key
        varint(&mut record, i64::from(record_bytes));
        let end = record.len() + record_bytes as usize;
        while record.len() < end {
            record.extend_from_slice(&random().to_le_bytes());
        }
        record.truncate(end);
        varint(&mut record, 0); // headers
        varint(&mut body, record.len() as i64);
        body.extend_from_slice(&record);
    }
    let mut sealed = Vec::new(); // what the checksum covers
    sealed.extend_from_slice(&0i16.to_be_bytes()); // attributes
    sealed.extend_from_slice(&(i64::from(records) - 1).to_be_bytes()[4..]); // last offset delta
    let timestamp = millrace_io::blocking::wall().0;
    sealed.extend_from_slice(&timestamp.to_be_bytes()); // base timestamp
    sealed.extend_from_slice(&timestamp.to_be_bytes()); // max timestamp
    sealed.extend_from_slice(&(-1i64).to_be_bytes()); // producer id
    sealed.extend_from_slice(&(-1i16).to_be_bytes()); // producer epoch
    sealed.extend_from_slice(&(-1i32).to_be_bytes()); // base sequence
    sealed.extend_from_slice(&i64::from(records).to_be_bytes()[4..]); // count
    sealed.extend_from_slice(&body);
    let mut batch = Vec::with_capacity(21 + sealed.len());
    batch.extend_from_slice(&0i64.to_be_bytes()); // base offset
    batch.extend_from_slice(&u32::try_from(sealed.len() + 9).expect("a batch is small").to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes()); // partition leader epoch
    batch.push(2); // magic
    batch.extend_from_slice(&crc32c::crc32c(&sealed).to_be_bytes());
    batch.extend_from_slice(&sealed);
    batch
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

#[cfg(test)]
mod tests {
    use millrace::log::batch::{Header, crc_holds};

    #[test]
    fn a_batch_is_what_the_broker_expects() {
        let batch = super::build(3, 100, || 7);
        let header = Header::of(&batch).expect("long enough");
        assert!(header.is_sane() && crc_holds(&batch));
        assert_eq!(header.total_len(), Some(batch.len()));
    }
}
