//! Frames that begin with their length: what every connection of the Kafka protocol receives, on either side.
//!
//! [`Frames`] owns the receiving half of one socket. Small frames are views of the buffer they came in; the rest of a
//! frame that has begun is received straight into its place.
//!
//! Holds between any two turns: at most one receive is in the hands of the core; nothing is received while the caller
//! has not taken the frames that are here, so a peer that sends without end holds one buffer.

use crate::{Buf, BufMut, Core, PoolFull, SocketId};

/// Bytes of the length that precedes every frame; it does not count itself.
const PREFIX: usize = 4;

pub struct Frames {
    socket: SocketId,
    state: State,
}

enum State {
    /// The core holds the receive: a frame has not begun, or the core has the buffer of one that has.
    Receiving,
    /// Bytes that have been received and not been taken.
    Here(Buf),
    /// A frame of this many bytes needs memory that the pool does not have now; its first bytes are here.
    Starved { begun: Buf, frame: usize },
}

/// What [`Frames::next`] found.
#[derive(Debug)]
pub enum Frame {
    /// One whole frame, its length left out.
    Whole(Buf),
    /// Nothing until more has been received.
    None,
    /// Nothing until the pool has memory; ask again in a later turn.
    Starved,
    /// A length that is negative or beyond what the caller accepts.
    Unacceptable(i32),
}

impl Frames {
    /// Begins to receive.
    pub fn new(core: &mut Core, socket: SocketId) -> Frames {
        core.recv(socket);
        Frames { socket, state: State::Receiving }
    }

    /// What an [`crate::Event::Received`] brought. Then call [`Frames::next`] until it has no more.
    pub fn received(&mut self, buf: BufMut) {
        assert!(matches!(self.state, State::Receiving), "received without having asked");
        self.state = State::Here(buf.freeze());
    }

    /// The next whole frame of at most `bytes_max` bytes. Goes on receiving when there is none.
    pub fn next(&mut self, core: &mut Core, bytes_max: u32) -> Frame {
        match std::mem::replace(&mut self.state, State::Receiving) {
            State::Receiving => Frame::None,
            State::Starved { begun, frame } => self.receive_rest(core, begun, frame),
            State::Here(buf) if buf.is_empty() => {
                core.recv(self.socket);
                Frame::None
            }
            State::Here(buf) => self.cut(core, buf, bytes_max),
        }
    }

    fn cut(&mut self, core: &mut Core, buf: Buf, bytes_max: u32) -> Frame {
        let Some(prefix) = buf.first_chunk::<PREFIX>() else {
            return self.receive_rest(core, buf, PREFIX);
        };
        let claimed = i32::from_be_bytes(*prefix);
        let Some(length) = u32::try_from(claimed).ok().filter(|length| *length <= bytes_max) else {
            return Frame::Unacceptable(claimed);
        };
        let end = PREFIX + length as usize;
        if buf.len() < end {
            return self.receive_rest(core, buf, end);
        }
        let frame = buf.slice(PREFIX..end);
        self.state = State::Here(buf.slice(end..buf.len()));
        Frame::Whole(frame)
    }

    /// Goes on receiving a frame of `frame` bytes, prefix included, that has begun with `begun`.
    fn receive_rest(&mut self, core: &mut Core, begun: Buf, frame: usize) -> Frame {
        match with_room(core, begun, frame) {
            Ok(buf) => {
                core.recv_into(self.socket, buf);
                Frame::None
            }
            Err(begun) => {
                self.state = State::Starved { begun, frame };
                Frame::Starved
            }
        }
    }
}

/// A buffer with room for `frame` bytes that begins with `begun`: the same one if it is large enough and nobody else
/// looks at it. It ends where the frame ends: what came after would only have to be copied out of it again.
fn with_room(core: &mut Core, begun: Buf, frame: usize) -> std::result::Result<BufMut, Buf> {
    let begun = match begun.try_unfreeze() {
        Ok(mut buf) if buf.capacity() >= frame => {
            buf.limit(frame);
            return Ok(buf);
        }
        Ok(buf) => buf.freeze(),
        Err(buf) => buf,
    };
    match core.pool().take(frame) {
        Ok(mut buf) => {
            buf.extend(&begun);
            buf.limit(frame);
            Ok(buf)
        }
        Err(PoolFull) => Err(begun),
    }
}
