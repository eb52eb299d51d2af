//! The clerk: one thread per process that runs chores, in the order in which they were asked for.

use super::mesh::Mesh;
use crate::{ChoreOutput, CoreId, Fs, Result, Token};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

pub type Work = Box<dyn FnOnce(&Fs) -> ChoreOutput + Send>;

struct Chore {
    asked_by: CoreId,
    token: Token,
    work: Work,
}

/// A core's line to the clerk.
#[derive(Clone)]
pub struct Desk(Sender<Chore>);

impl Desk {
    pub fn ask(&self, asked_by: CoreId, token: Token, work: Work) {
        self.0.send(Chore { asked_by, token, work }).expect("the clerk stays until the last desk is gone");
    }
}

/// The thread; ends when the last [`Desk`] is gone and what was asked for is done.
pub struct Clerk(JoinHandle<()>);

impl Clerk {
    pub fn start(mesh: Arc<Mesh>) -> Result<(Clerk, Desk)> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("clerk".into()).spawn(move || serve(&receiver, &mesh))?;
        Ok((Clerk(thread), Desk(sender)))
    }

    pub fn join(self) {
        self.0.join().expect("a chore that panics ends the process");
    }
}

fn serve(chores: &Receiver<Chore>, mesh: &Mesh) {
    let _bomb = super::AbortOnPanic("chore");
    let fs = Fs::Real(super::Fs);
    while let Ok(Chore { asked_by, token, work }) = chores.recv() {
        let output = work(&fs);
        mesh.deliver_chore(asked_by, token, output);
    }
}
