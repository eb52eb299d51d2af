//! Recovery: from whatever files a stop or a crash left to a [`Log`].
//!
//! A machine that says what to do next; the shell does it:
//!
//! ```text
//!  loop { match recovery.next() {
//!      Step::Read { file, position, len } => recovery.read(&bytes)     shorter only where the file ends
//!      Step::Done                         => break recovery.finish()
//!      anything else                      => do it
//!  } }
//! ```

use crate::log::{Log, LogConfig, Now};
use crate::types::Offset;
use std::sync::Arc;

/// A file in the partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFound {
    pub name: String,
    pub len: u64,
}

/// What the log directory's checkpoints say about this partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    pub recovery_point: Option<Offset>,
    pub log_start: Option<Offset>,
    /// `.kafka_cleanshutdown` was there: nothing is scanned.
    pub clean: bool,
}

/// What to do next, in the partition's directory. Names are file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Read {
        file: String,
        position: u64,
        len: u32,
    },
    Delete {
        file: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// Cut to `len`, and sync.
    Truncate {
        file: String,
        len: u64,
    },
    /// Replace or create the whole file.
    Write {
        file: String,
        bytes: Vec<u8>,
    },
    /// Make names durable.
    SyncDir,
    Done,
}

/// See the module.
pub struct Recovery {}

/// What came of it.
pub struct Recovered {
    pub log: Log,
    /// For the log, one line each: what was cut, rebuilt, adopted.
    pub remarks: Vec<String>,
    /// Bytes of segments that were read.
    pub scanned_bytes: u64,
}

impl Recovery {
    pub fn begin(name: &str, config: Arc<LogConfig>, files: &[FileFound], checkpoints: Checkpoints, now: Now, seed: u64) -> Recovery {
        let _ = (name, config, files, checkpoints, now, seed);
        Recovery {}
    }
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot be fed")]
    pub fn next(&mut self) -> Step {
        unimplemented!()
    }
    /// Answers [`Step::Read`].
    pub fn read(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }
    /// After [`Step::Done`].
    pub fn finish(self) -> Recovered {
        unimplemented!()
    }
}
