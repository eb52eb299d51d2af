//! Why the control shard ends the process: one sentence that says what to do, and an exit status of its own.

use millrace_io::fatal;
use std::fmt;

/// Exit statuses. 1 and 2 are the command line's, 3 is a port in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Another process has the log directory.
    InUse = 4,
    /// The log directories belong to another broker or cluster, or none of them can be used.
    Directories = 5,
    /// The metadata log cannot be read, or not believed.
    Metadata = 6,
    /// A disk failed while the broker was running, and there is no other.
    Disk = 7,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub status: Status,
    pub line: String,
}

impl Exit {
    pub fn new(status: Status, line: impl Into<String>) -> Exit {
        Exit { status, line: line.into() }
    }

    pub fn now(self) -> ! {
        fatal(self.status as i32, &self.line)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}
