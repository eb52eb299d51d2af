//! The program that one core runs: it owns the core's [`Shard`] and its connections, and turns events into effects.
//!
//! Lives on every core; on core 0 it also runs the control shard.
//!
//! ```text
//!  one turn
//!  ┌──────────────────────────────────────────────────────────────────────────────────────────────┐
//!  │ 1 events        connections: frames ─▶ api::begin ─▶ answers, or asks ─┐                       │
//!  │                 disk completions ─▶ shard ─▶ answers of parked requests│                       │
//!  │                 bundles of other cores ─▶ asks, answers, notes ────────┤                       │
//!  │ 2 own bundle    asks ─▶ api::run ─▶ shard; answers ─▶ slots ◀──────────┘  until it stays empty │
//!  │ 3 effects       one vectored write per partition, one bundle per core, one send per connection │
//!  └──────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing here decides about records: that is `log`, `replica` and `metadata`.

mod connection;
mod connections;

use crate::api;
use crate::config::BrokerConfig;
use crate::control::Control;
use crate::limits::Limits;
use crate::shard::{Bundle, Note, Shard};
use crate::types::{Instant, ShardId};
use connections::Connections;
use millrace_io::{Core, Event, Program, Signal};
use std::sync::Arc;

pub struct Server {
    shard: Shard,
    connections: Connections,
    control: Option<Control>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the first turn.
    New,
    /// Logs are being opened; nobody is listened to.
    Opening,
    Serving,
    /// Nothing new is begun; what was acknowledged is being made durable.
    Stopping,
}

impl Server {
    /// The program of core `id` out of `cores`.
    pub fn new(id: ShardId, cores: u16, config: Arc<BrokerConfig>, limits: Limits) -> Server {
        Server {
            connections: Connections::new(id, &config, cores),
            control: (id == ShardId(0)).then(|| Control::new(cores, config.clone())),
            shard: Shard::new(id, cores, config, limits),
            phase: Phase::New,
        }
    }

    fn on_event(&mut self, core: &mut Core, event: Event) {
        match event {
            Event::Accepted { listener, socket, peer } => self.connections.accept(core, listener, socket, peer),
            Event::Received { socket, result } => self.connections.received(core, &mut self.shard, socket, result),
            Event::Sent { socket, result } => self.connections.sent(core, &mut self.shard, socket, result),
            Event::File { token, result } => match &mut self.control {
                Some(control) if Control::owns(token) => control.file_done(token, result),
                _ => self.shard.file_done(core, token, result),
            },
            Event::Chore { token, output } => match &mut self.control {
                Some(control) if Control::owns(token) => control.chore_done(core, token, output),
                _ => self.shard.chore_done(core, token, output),
            },
            Event::Mesh { from, parcel } => {
                let bundle = *parcel.downcast::<Bundle>().expect("cores say nothing but bundles");
                self.on_bundle(core, from, bundle);
            }
            Event::Signal(Signal::Terminate) => {
                if let Some(control) = &mut self.control {
                    control.stop();
                }
            }
            Event::Connected { .. } => unreachable!("the broker connects to nobody yet"),
        }
    }

    fn on_bundle(&mut self, core: &mut Core, from: ShardId, bundle: Bundle) {
        for note in bundle.notes {
            self.on_note(core, from, note);
        }
        for (ticket, ask) in bundle.asks {
            match (ask, &mut self.control) {
                (crate::shard::Ask::Control(command), Some(control)) => control.command(core, &mut self.shard.mesh, ticket, command),
                (ask, _) => api::run(core, &mut self.shard, ticket, ask),
            }
        }
        for (ticket, answer) in bundle.answers {
            self.connections.answer(core, &mut self.shard, from, ticket, answer);
        }
    }

    fn on_note(&mut self, core: &mut Core, from: ShardId, note: Note) {
        match note {
            Note::Start(start) => self.shard.start(core, &start),
            Note::Publish(image) => self.shard.publish(core, image),
            Note::Serve => {
                self.connections.listen(core, self.shard.config());
                self.phase = Phase::Serving;
            }
            Note::Stop => {
                self.phase = Phase::Stopping;
                self.connections.stop(core);
                self.shard.stop(core);
            }
            Note::Halt => core.stop(),
            Note::Applied { .. } | Note::Checkpoint(_) | Note::Stopped | Note::DirectoryFailed { .. } => {
                let control = self.control.as_mut().expect("said to the control shard");
                control.note(from, note);
            }
        }
    }
}

impl Program for Server {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if self.phase == Phase::New {
            self.phase = Phase::Opening;
            if let Some(control) = &mut self.control {
                control.start(core, &mut self.shard.mesh);
            }
        }
        for event in events.drain(..) {
            self.on_event(core, event);
        }
        let now = core.now();
        self.shard.expire(core, now);
        self.connections.expire(core, now);
        if let Some(control) = &mut self.control {
            control.expire(core, now);
        }
        loop {
            loop {
                let bundle = self.shard.mesh.take_own();
                if bundle.is_empty() {
                    break;
                }
                let me = core.id();
                self.on_bundle(core, me, bundle);
            }
            // Writing may fail at once and answer those who wait, and that may start another round.
            self.shard.flush(core);
            if let Some(control) = &mut self.control {
                control.flush(core, &mut self.shard.mesh);
            }
            if self.shard.mesh.is_quiet() {
                break;
            }
        }
        self.connections.flush(core, &mut self.shard);
        self.shard.mesh.flush(core);
    }

    fn deadline(&self) -> Option<Instant> {
        [self.shard.deadline(), self.connections.deadline(), self.control.as_ref().and_then(Control::deadline)].into_iter().flatten().min()
    }
}
