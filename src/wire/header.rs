//! What stands before a body.
//!
//! | | bytes |
//! |---|---|
//! | request, version 1 | api key (2), api version (2), correlation id (4), client id (string with i16 length, or null) |
//! | request, version 2 | the same, then tagged fields; the client id keeps its i16 length |
//! | response, version 0 | correlation id (4) |
//! | response, version 1 | correlation id (4), tagged fields |
//!
//! Requests and responses of an API's flexible versions have the newer header. One exception: the response to ApiVersions
//! always has version 0, because the client does not know yet what the broker understands.

use super::api::ApiKey;
use super::codec::{Malformed, Reader, Writer};
use zerocopy::byteorder::big_endian::{I16, I32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The part of a request header that is the same in all versions, as it lies in the frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Fixed {
    api_key: I16,
    api_version: I16,
    correlation_id: I32,
}

/// Who asks for what. The version may be one that nobody knows; the key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    pub api_key: ApiKey,
    pub api_version: i16,
    /// Comes back with the response.
    pub correlation_id: i32,
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads a header and leaves `r` at the body. Without a known key the header's own version is unknown, so there is nothing
    /// to answer: that is malformed too.
    pub fn decode(r: &mut Reader<'a>) -> Result<RequestHeader<'a>, Malformed> {
        let start = *r;
        let (fixed, _) = Fixed::ref_from_prefix(r.take(size_of::<Fixed>())?).map_err(|_| start.malformed("ends too early"))?;
        let api_key = ApiKey::from_code(fixed.api_key.get()).ok_or_else(|| start.malformed("unknown API key"))?;
        let api_version = fixed.api_version.get();
        let client_id = r.nullable_str(false).map_err(|e| e.in_field("client_id"))?;
        if api_key.info().is_flexible(api_version) {
            r.skip_tagged_fields()?;
        }
        Ok(RequestHeader { api_key, api_version, correlation_id: fixed.correlation_id.get(), client_id })
    }

    pub fn encode(&self, w: &mut Writer<'_>) {
        let fixed =
            Fixed { api_key: self.api_key.code().into(), api_version: self.api_version.into(), correlation_id: self.correlation_id.into() };
        w.raw(fixed.as_bytes());
        w.nullable_str(self.client_id, false);
        if self.api_key.info().is_flexible(self.api_version) {
            w.no_tagged_fields();
        }
    }
}

/// To which request a response belongs; which layout it has follows from that request's key and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    pub correlation_id: i32,
}

impl ResponseHeader {
    pub fn decode(r: &mut Reader<'_>, api_key: ApiKey, api_version: i16) -> Result<ResponseHeader, Malformed> {
        let correlation_id = r.i32()?;
        if has_tagged_fields(api_key, api_version) {
            r.skip_tagged_fields()?;
        }
        Ok(ResponseHeader { correlation_id })
    }

    pub fn encode(&self, w: &mut Writer<'_>, api_key: ApiKey, api_version: i16) {
        w.i32(self.correlation_id);
        if has_tagged_fields(api_key, api_version) {
            w.no_tagged_fields();
        }
    }
}

fn has_tagged_fields(api_key: ApiKey, api_version: i16) -> bool {
    api_key != ApiKey::ApiVersions && api_key.info().is_flexible(api_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(header: &RequestHeader<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        header.encode(&mut Writer::new(&mut out));
        out
    }

    #[test]
    fn request_headers_keep_the_short_client_id_in_both_versions() {
        let mut header = RequestHeader { api_key: ApiKey::Metadata, api_version: 8, correlation_id: 0x01020304, client_id: Some("me") };
        assert_eq!(encoded(&header), [0, 3, 0, 8, 1, 2, 3, 4, 0, 2, b'm', b'e']);
        header.api_version = 9;
        assert_eq!(encoded(&header), [0, 3, 0, 9, 1, 2, 3, 4, 0, 2, b'm', b'e', 0]);
        header.client_id = None;
        assert_eq!(encoded(&header), [0, 3, 0, 9, 1, 2, 3, 4, 0xff, 0xff, 0]);
        for api_version in [0, 8, 9, 13] {
            for client_id in [None, Some(""), Some("me")] {
                let header = RequestHeader { api_version, client_id, ..header };
                let bytes = encoded(&header);
                let mut r = Reader::new(&bytes);
                assert_eq!(RequestHeader::decode(&mut r), Ok(header));
                r.end().unwrap();
            }
        }
    }

    #[test]
    fn a_header_with_an_unknown_key_or_cut_short_is_malformed() {
        let whole = [0, 18, 0, 3, 0, 0, 0, 1, 0, 1, b'x', 0];
        for length in 0..whole.len() {
            assert!(RequestHeader::decode(&mut Reader::new(&whole[..length])).is_err(), "{length}");
        }
        assert!(RequestHeader::decode(&mut Reader::new(&whole)).is_ok());
        let unknown = [0, 94, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
        assert_eq!(RequestHeader::decode(&mut Reader::new(&unknown)).unwrap_err().what, "unknown API key");
    }

    #[test]
    fn a_version_that_nobody_knows_still_has_a_header() {
        let bytes = [0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0];
        let header = RequestHeader::decode(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(header.api_version, 99);
        let negative = [0, 18, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff];
        assert_eq!(RequestHeader::decode(&mut Reader::new(&negative)).unwrap().api_version, -1);
    }

    #[test]
    fn the_answer_to_api_versions_never_has_tagged_fields() {
        for (api_key, api_version, length) in [(ApiKey::ApiVersions, 4, 4), (ApiKey::Metadata, 8, 4), (ApiKey::Metadata, 9, 5)] {
            let mut out = Vec::new();
            ResponseHeader { correlation_id: 5 }.encode(&mut Writer::new(&mut out), api_key, api_version);
            assert_eq!(out.len(), length);
            let mut r = Reader::new(&out);
            assert_eq!(ResponseHeader::decode(&mut r, api_key, api_version), Ok(ResponseHeader { correlation_id: 5 }));
            r.end().unwrap();
        }
    }
}
