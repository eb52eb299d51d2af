//! What the fuzz targets share.

use millrace::wire::messages::{Visitor, visit_all};
use millrace::wire::{Message, Reader, Writer};

/// Decodes the body of one half of an API, if the codec knows it, and writes what it accepts twice.
pub fn body(key: i16, half: Half, version: i16, r: Reader<'_>) {
    visit_all(&mut Body { key, half, version, r });
}

#[derive(Clone, Copy, PartialEq)]
pub enum Half {
    Request,
    Response,
}

struct Body<'a> {
    key: i16,
    half: Half,
    version: i16,
    r: Reader<'a>,
}

impl Visitor for Body<'_> {
    fn visit<M: Message>(&mut self) {
        let half = if M::NAME.ends_with("Request") { Half::Request } else { Half::Response };
        if M::KEY != self.key || half != self.half || !M::VERSIONS.contains(&self.version) {
            return;
        }
        let mut r = self.r;
        let Ok(message) = M::decode(&mut r, self.version) else { return };
        let mut canonical = Vec::new();
        message.encode(&mut Writer::new(&mut canonical), self.version);
        let mut r = Reader::new(&canonical);
        let again = M::decode(&mut r, self.version).expect("what was written can be read");
        r.end().expect("what was written is read to its end");
        let mut written = Vec::new();
        again.encode(&mut Writer::new(&mut written), self.version);
        assert_eq!(written, canonical);
    }
}
