//! SIGTERM and SIGINT: the first asks core 0 to stop cleanly, the second ends the process at once. SIGPIPE is ignored.
//!
//! A handler rather than a signalfd: it works whichever thread the kernel picks, also threads that were there before us.

use super::mesh::Bell;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Signals since the start, and the bell that they ring.
static ASKED: AtomicBool = AtomicBool::new(false);
static BELL: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(number: libc::c_int) {
    if ASKED.swap(true, Ordering::SeqCst) {
        // SAFETY: `_exit` may be called in a handler.
        unsafe { libc::_exit(128 + number) }
    }
    let bell = BELL.load(Ordering::SeqCst);
    let one = 1u64.to_ne_bytes();
    // SAFETY: `write` may be called in a handler; an old descriptor only makes it fail. errno is put back for the code
    // that was interrupted.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(bell, one.as_ptr().cast(), one.len());
        *libc::__errno_location() = errno;
    }
}

pub fn ignore_broken_pipes() {
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// From now on the first signal rings `bell`, for as long as the returned value lives.
pub struct Watch {
    before: [libc::sigaction; 2],
}

const WATCHED: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

impl Watch {
    pub fn start(bell: &Bell) -> Watch {
        ASKED.store(false, Ordering::SeqCst);
        BELL.store(bell.descriptor(), Ordering::SeqCst);
        let before = WATCHED.map(|number| {
            // SAFETY: a zeroed sigaction is a valid one; the handler does only what handlers may do; both values outlive the call.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                let mut before: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as *const () as usize;
                action.sa_flags = libc::SA_RESTART;
                libc::sigemptyset(&raw mut action.sa_mask);
                let done = libc::sigaction(number, &raw const action, &raw mut before);
                assert_eq!(done, 0, "these signals can be handled");
                before
            }
        });
        Watch { before }
    }

    /// Has a signal come since the start?
    pub fn asked() -> bool {
        ASKED.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (number, before) in WATCHED.iter().zip(&self.before) {
            // SAFETY: puts back what `start` found.
            unsafe { libc::sigaction(*number, before, std::ptr::null_mut()) };
        }
        BELL.store(-1, Ordering::SeqCst);
    }
}
