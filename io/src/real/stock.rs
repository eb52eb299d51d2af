//! [`Stock`]: empty buffers that the kernel may fill for whichever socket has something, so that a socket that waits
//! holds none.
//!
//! ```text
//!           take ┌──────────┐ provide        recv with buffer selection
//!   Pool ───────▶│  Stock   │──────────▶ kernel ──────────▶ completion names one of them
//!                └──────────┘                                  │
//!        ▲             ▲   small: copied into a buffer that fits, this one goes back at once
//!        │             └───────────────────────────────────────┤
//!        └── last view dropped ◀── program ◀── handed over ◀───┘ well filled: as it is, and replaced later
//! ```
//!
//! The stock's buffers count as taken from the pool. It starts small, doubles whenever the kernel found it empty, up to
//! [`BUFFERS_MAX`] or an eighth of the pool's budget, and is never given back: it is what busy turns need.
//!
//! Invariants: a buffer is with the kernel (`shelf[id]` is some) or its id is in `free`; `provided` counts the former.

use super::ring::Ring;
use crate::{BufMut, Pool, Result};
use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// Size of a receive buffer. Larger ones mean fewer turns per large frame, and more memory under each small request that
/// is not copied.
pub const BUFFER_BYTES: usize = 16 << 10;
/// Most buffers with the kernel; a power of two. More would let more sockets receive in one turn, for 16 KiB each.
const BUFFERS_MAX: u16 = 256;
const BUFFERS_FIRST: u16 = 16;
/// Up to this length a message is copied, so that it holds 4 KiB instead of 16.
const COPY_MAX: usize = 2048;
/// The only group of provided buffers.
pub const GROUP: u16 = 0;
const RING_BYTES: usize = BUFFERS_MAX as usize * size_of::<BufRingEntry>();

pub struct Stock {
    /// Shared with the kernel: entries, the tail in the first one's spare field.
    entries: NonNull<BufRingEntry>,
    tail: u16,
    /// By buffer id; `None`: not with the kernel.
    shelf: Box<[Option<BufMut>]>,
    free: Vec<u16>,
    provided: u16,
    /// How many there should be.
    target: u16,
    target_max: u16,
    /// The kernel has found nothing since the last restock.
    ran_out: bool,
}

fn ring_layout() -> Layout {
    Layout::from_size_align(RING_BYTES, 4096).expect("a page")
}

impl Stock {
    pub fn new(ring: &Ring, pool: &Pool) -> Result<Stock> {
        // SAFETY: the layout is not empty.
        let Some(entries) = NonNull::new(unsafe { alloc_zeroed(ring_layout()) }) else { handle_alloc_error(ring_layout()) };
        let affordable = pool.budget() / 8 / BUFFER_BYTES as u64;
        let target_max = u16::try_from(affordable).unwrap_or(u16::MAX).clamp(1, BUFFERS_MAX);
        let stock = Stock {
            entries: entries.cast(),
            tail: 0,
            shelf: (0..BUFFERS_MAX).map(|_| None).collect(),
            free: (0..BUFFERS_MAX).rev().collect(),
            provided: 0,
            target: BUFFERS_FIRST.min(target_max),
            target_max,
            ran_out: false,
        };
        // SAFETY: page-aligned, as long as said, and freed by Drop, which runs after the ring no longer receives.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries.as_ptr() as u64, BUFFERS_MAX, GROUP, 0)? };
        Ok(stock)
    }

    /// Gives the kernel buffers until it has as many as it should, or the pool is full.
    pub fn restock(&mut self, pool: &Pool) {
        if std::mem::take(&mut self.ran_out) {
            self.target = self.target.saturating_mul(2).min(self.target_max);
        }
        if self.provided >= self.target {
            return;
        }
        while self.provided < self.target {
            let Ok(buffer) = pool.take(BUFFER_BYTES) else { break };
            let id = self.free.pop().expect("fewer than BUFFERS_MAX are provided");
            self.provide(id, buffer);
        }
        self.publish();
    }

    pub fn provided(&self) -> usize {
        usize::from(self.provided)
    }

    /// The kernel wanted a buffer and there was none.
    pub fn found_empty(&mut self) {
        self.ran_out = true;
    }

    /// The kernel has put `filled` bytes into a buffer.
    pub fn take(&mut self, id: u16, filled: usize, pool: &Pool) -> BufMut {
        if filled <= COPY_MAX
            && let Ok(mut copy) = pool.take(filled)
        {
            let mut buffer = self.remove(id);
            buffer.advance(filled);
            copy.extend(&buffer);
            buffer.resize(0);
            self.put_back(id, buffer);
            return copy;
        }
        let mut buffer = self.remove(id);
        buffer.advance(filled);
        self.free.push(id);
        buffer
    }

    /// The kernel took a buffer and put nothing into it.
    pub fn take_back(&mut self, id: u16) {
        let buffer = self.remove(id);
        self.put_back(id, buffer);
    }

    fn remove(&mut self, id: u16) -> BufMut {
        self.provided -= 1;
        self.shelf[usize::from(id)].take().expect("the kernel names buffers that it was given")
    }

    fn put_back(&mut self, id: u16, buffer: BufMut) {
        self.provide(id, buffer);
        self.publish();
    }

    fn provide(&mut self, id: u16, mut buffer: BufMut) {
        assert!(buffer.is_empty() && buffer.capacity() >= BUFFER_BYTES && self.shelf[usize::from(id)].is_none());
        let at = usize::from(self.tail & (BUFFERS_MAX - 1));
        let len = u32::try_from(BUFFER_BYTES).expect("small");
        // SAFETY: within the ring; the kernel reads an entry only after the tail has passed it. The tail, which lies in
        // the first entry's spare field, is not touched by these three setters.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(at);
            entry.set_addr(buffer.spare_ptr() as u64);
            entry.set_len(len);
            entry.set_bid(id);
        }
        self.shelf[usize::from(id)] = Some(buffer);
        self.tail = self.tail.wrapping_add(1);
        self.provided += 1;
    }

    /// Lets the kernel see what was provided.
    fn publish(&mut self) {
        // SAFETY: the tail is a u16 within the ring, aligned, and written by nobody else.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout. The core has ended every receive and dropped its ring before.
        unsafe { dealloc(self.entries.as_ptr().cast(), ring_layout()) }
    }
}
