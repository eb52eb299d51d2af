//! Whole frames: length, header, body, written straight into a connection's buffer.

use super::api::ApiKey;
use super::codec::Writer;
use super::header::{RequestHeader, ResponseHeader};
use super::message::Message;

/// Bytes of the length in front of a frame. It counts what follows it.
pub const LENGTH_BYTES: usize = 4;

/// Appends a request. Its key is the message's.
pub fn request<M: Message>(out: &mut Vec<u8>, version: i16, correlation_id: i32, client_id: Option<&str>, body: &M) {
    let header = RequestHeader { api_key: key_of::<M>(), api_version: version, correlation_id, client_id };
    frame(out, |w| {
        header.encode(w);
        body.encode(w, version);
    });
}

/// Appends a response to a request of the message's key and of `version`.
pub fn response<M: Message>(out: &mut Vec<u8>, version: i16, correlation_id: i32, body: &M) {
    frame(out, |w| {
        ResponseHeader { correlation_id }.encode(w, key_of::<M>(), version);
        body.encode(w, version);
    });
}

/// Appends a frame around whatever `write` writes.
pub fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
    let start = begin(out);
    write(&mut Writer::new(out));
    end(out, start, 0);
}

/// Leaves room for the length; returns where the frame starts.
pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    start
}

/// Fills in the length of the frame that starts at `start`, to which `elsewhere` bytes belong that are not in `out`.
pub(super) fn end(out: &mut Vec<u8>, start: usize, elsewhere: usize) {
    let length = out.len() - start - LENGTH_BYTES + elsewhere;
    let length = i32::try_from(length).expect("a frame's length has 31 bits");
    Writer::new(out).patch_i32(start, length);
}

fn key_of<M: Message>() -> ApiKey {
    ApiKey::from_code(M::KEY).expect("messages have known keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_appended_and_its_length_counts_what_follows_it() {
        let mut out = vec![9];
        frame(&mut out, |w| w.raw(b"abc"));
        assert_eq!(out, [9, 0, 0, 0, 3, b'a', b'b', b'c']);
    }
}
