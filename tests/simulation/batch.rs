//! Record batches as a client reads them.

/// Values of the records in the batches of an answer, by offset. Panics on anything that is not sound.
pub fn values(mut bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let header = millrace::log::batch::Header::of(bytes).expect("a whole header");
        let length = header.total_len().expect("a sound length");
        assert!(length <= bytes.len(), "an answer holds whole batches");
        let (batch, rest) = bytes.split_at(length);
        assert!(millrace::log::batch::crc_holds(batch), "the checksum of batch {} holds", header.base_offset());
        let mut at = &batch[millrace::log::batch::HEADER_LEN..];
        for offset in header.base_offset().0..header.end().0 {
            let length = read_varint(&mut at) as usize;
            let (mut record, next) = at.split_at(length);
            record = &record[1..];
            for _ in 0..2 {
                read_varint(&mut record);
            }
            let key = read_varint(&mut record);
            assert_eq!(key, -1);
            let length = read_varint(&mut record) as usize;
            found.push((offset, record[..length].to_vec()));
            at = next;
        }
        bytes = rest;
    }
    found
}

fn read_varint(bytes: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
        shift += 7;
    }
}
