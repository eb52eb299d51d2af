//! A client's connection in the simulated world: requests out, answers in the order of the requests.

use crate::ledger::Era;
use millrace::wire::codec::Reader;
use millrace::wire::header::{RequestHeader, ResponseHeader};
use millrace::wire::{Message, Writer, api::ApiKey, frame};
use millrace_io::frames::{Frame, Frames};
use millrace_io::{Buf, BufMut, Core, Error, Piece, SocketId, Token};
use std::collections::VecDeque;
use std::net::SocketAddr;

#[derive(Default)]
pub struct Wire {
    socket: Option<SocketId>,
    frames: Option<Frames>,
    connecting: bool,
    next_correlation: i32,
    asked: VecDeque<(i32, ApiKey, i16, Era)>,
    out: Vec<Piece>,
    sending: bool,
}

/// An answer, its header read over.
pub struct Answer {
    pub key: ApiKey,
    pub version: i16,
    pub frame: Buf,
    pub body_at: usize,
    /// When it was asked; the answer is from the same.
    pub era: Era,
}

impl Answer {
    pub fn decode<M: Message>(&self) -> M {
        let mut reader = Reader::new(&self.frame[self.body_at..]);
        let message = M::decode(&mut reader, self.version).expect("the broker's answer decodes");
        reader.end().expect("the broker's answer has nothing behind it");
        message
    }
}

impl Wire {
    pub fn connect(&mut self, core: &mut Core, address: SocketAddr) {
        if !self.connecting && self.socket.is_none() {
            self.connecting = true;
            core.connect(address, Token(0));
        }
    }
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }
    pub fn connected(&mut self, core: &mut Core, result: Result<SocketId, Error>) {
        self.connecting = false;
        if let Ok(socket) = result {
            self.socket = Some(socket);
            self.frames = Some(Frames::new(core, socket));
        }
    }
    pub fn owns(&self, socket: SocketId) -> bool {
        self.socket == Some(socket)
    }
    /// Forgets the connection and what was asked on it.
    pub fn close(&mut self, core: &mut Core) {
        if let Some(socket) = self.socket.take() {
            core.close(socket);
        }
        *self = Wire { next_correlation: self.next_correlation, ..Wire::default() };
    }
    pub fn ask<M: Message>(&mut self, core: &mut Core, era: Era, version: i16, message: &M) {
        let key = ApiKey::from_code(M::KEY).expect("a known key");
        self.ask_with(core, era, key, version, |w| message.encode(w, version));
    }
    pub fn ask_with(&mut self, core: &mut Core, era: Era, key: ApiKey, version: i16, body: impl FnOnce(&mut Writer<'_>)) {
        let correlation = self.next_correlation;
        self.next_correlation = self.next_correlation.wrapping_add(1);
        let mut bytes = Vec::new();
        frame::frame(&mut bytes, |w| {
            RequestHeader { api_key: key, api_version: version, correlation_id: correlation, client_id: Some("simulation") }.encode(w);
            body(w);
        });
        let mut buf = core.pool().take_always(bytes.len());
        buf.extend(&bytes);
        self.out.push(Piece::Mem(buf.freeze()));
        self.asked.push_back((correlation, key, version, era));
        self.flush(core);
    }
    pub fn sent(&mut self, core: &mut Core) {
        self.sending = false;
        self.flush(core);
    }
    fn flush(&mut self, core: &mut Core) {
        if let (Some(socket), false, false) = (self.socket, self.sending, self.out.is_empty()) {
            self.sending = true;
            core.send(socket, std::mem::take(&mut self.out));
        }
    }
    pub fn received(&mut self, core: &mut Core, buf: BufMut) -> Vec<Answer> {
        let frames = self.frames.as_mut().expect("connected");
        frames.received(buf);
        let mut answers = Vec::new();
        loop {
            match frames.next(core, 64 << 20) {
                Frame::Whole(frame) => {
                    let (correlation, key, version, era) = self.asked.pop_front().expect("an answer to a request");
                    let mut reader = Reader::new(&frame);
                    let header = ResponseHeader::decode(&mut reader, key, version).expect("a response header");
                    assert_eq!(header.correlation_id, correlation, "answers come in the order of the requests");
                    let body_at = reader.position();
                    answers.push(Answer { key, version, frame, body_at, era });
                }
                Frame::None => return answers,
                other => panic!("a client has memory, and the broker sends sound frames: {other:?}"),
            }
        }
    }
}
