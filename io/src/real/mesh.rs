//! What reaches a core from other threads: parcels of other cores, results of chores, signals, memory given back.
//!
//! ```text
//!   core 0: tell, tell, tell ─▶ outbox ──(end of turn, one lock)──▶ inbox of core 1, one per sender
//!                                └── one message to core 1's ring, only if core 1 sleeps
//! ```
//!
//! Who sleeps is told by `asleep`: a core raises it, looks once more into its mailbox and only then blocks; a sender fills
//! the mailbox, then lowers the flag, and whoever lowered it sends the wake. So a parcel is never left unseen, and a core
//! that is awake costs its senders no system call.

use super::ring::{Ring, Tag};
use crate::{ChoreOutput, CoreId, Event, Parcel, Result, Token};
use io_uring::{opcode, squeue, types};
use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

/// An eventfd that a core's ring watches: how threads without a ring wake a core.
#[derive(Clone)]
pub struct Bell(Arc<OwnedFd>);

impl Bell {
    fn new() -> Result<Bell> {
        // SAFETY: creates a descriptor, which nobody else owns.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: just created, owned by nobody else.
        Ok(Bell(Arc::new(unsafe { OwnedFd::from_raw_fd(descriptor) })))
    }
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }
    pub fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: `one` is readable for its length. It fails only if the counter is full: then the bell is ringing anyway.
        unsafe { libc::write(self.descriptor(), one.as_ptr().cast(), one.len()) };
    }
}

/// What all cores of a process share: nothing but mailboxes.
pub struct Mesh {
    mailboxes: Box<[Mailbox]>,
}

/// One core's. Aligned so that cores do not share a line.
#[repr(align(128))]
struct Mailbox {
    /// By sender, so that parcels of one sender stay in order whatever the others do.
    parcels: Box<[Mutex<Vec<Parcel>>]>,
    chores: Mutex<Vec<(Token, ChoreOutput)>>,
    has_mail: AtomicBool,
    asleep: AtomicBool,
    /// The ring's descriptor; -1 while there is none.
    ring: AtomicI32,
    bell: Bell,
}

const NO_PANIC: &str = "no panic while held";

impl Mesh {
    pub fn new(cores: u16) -> Result<Mesh> {
        let mailbox = |_| {
            Ok(Mailbox {
                parcels: (0..cores).map(|_| Mutex::new(Vec::new())).collect(),
                chores: Mutex::new(Vec::new()),
                has_mail: AtomicBool::new(false),
                asleep: AtomicBool::new(false),
                ring: AtomicI32::new(-1),
                bell: Bell::new()?,
            })
        };
        Ok(Mesh { mailboxes: (0..cores).map(mailbox).collect::<Result<_>>()? })
    }

    pub fn bell(&self, of: CoreId) -> &Bell {
        &self.mailboxes[usize::from(of.0)].bell
    }

    /// Where others find this core's ring.
    pub fn publish(&self, of: CoreId, ring: &Ring) {
        self.mailboxes[usize::from(of.0)].ring.store(ring.descriptor(), Ordering::SeqCst);
    }

    /// Moves `parcels` into the mailbox of `to`. The wake, if one is needed, leaves with the next enter of `ring`.
    pub fn deliver(&self, from: CoreId, to: CoreId, parcels: &mut Vec<Parcel>, ring: &mut Ring) {
        let mailbox = &self.mailboxes[usize::from(to.0)];
        {
            let mut inbox = mailbox.parcels[usize::from(from.0)].lock().expect(NO_PANIC);
            if inbox.is_empty() {
                std::mem::swap(&mut *inbox, parcels);
            } else {
                inbox.append(parcels);
            }
        }
        if mailbox.announce() {
            // Should the message fail, then because that core has ended: nobody is there to be woken.
            let target = types::Fd(mailbox.ring.load(Ordering::SeqCst));
            let message = opcode::MsgRingData::new(target, 0, Tag::WAKE.bits(), None).build();
            ring.push(message.flags(squeue::Flags::SKIP_SUCCESS), Tag::MESSAGE);
        }
    }

    /// A chore is done. Called by the clerk's thread.
    pub fn deliver_chore(&self, to: CoreId, token: Token, output: ChoreOutput) {
        let mailbox = &self.mailboxes[usize::from(to.0)];
        mailbox.chores.lock().expect(NO_PANIC).push((token, output));
        if mailbox.announce() {
            mailbox.bell.ring();
        }
    }

    /// Before blocking: false if there is mail after all.
    pub fn fall_asleep(&self, core: CoreId) -> bool {
        let mailbox = &self.mailboxes[usize::from(core.0)];
        mailbox.asleep.store(true, Ordering::SeqCst);
        if mailbox.has_mail.load(Ordering::SeqCst) {
            mailbox.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    pub fn wake_up(&self, core: CoreId) {
        self.mailboxes[usize::from(core.0)].asleep.store(false, Ordering::SeqCst);
    }

    pub fn has_mail(&self, core: CoreId) -> bool {
        self.mailboxes[usize::from(core.0)].has_mail.load(Ordering::Relaxed)
    }

    /// Moves everything in this core's mailbox into `events`.
    pub fn collect(&self, core: CoreId, events: &mut Vec<Event>) {
        let mailbox = &self.mailboxes[usize::from(core.0)];
        if !mailbox.has_mail.load(Ordering::Relaxed) || !mailbox.has_mail.swap(false, Ordering::SeqCst) {
            return;
        }
        for (from, inbox) in (0u16..).zip(&mailbox.parcels) {
            let mut inbox = inbox.lock().expect(NO_PANIC);
            events.extend(inbox.drain(..).map(|parcel| Event::Mesh { from: CoreId(from), parcel }));
        }
        let mut chores = mailbox.chores.lock().expect(NO_PANIC);
        events.extend(chores.drain(..).map(|(token, output)| Event::Chore { token, output }));
    }
}

impl Mailbox {
    /// Something was put in; true if the caller has to wake the owner.
    fn announce(&self) -> bool {
        self.has_mail.store(true, Ordering::SeqCst);
        self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst)
    }
}
