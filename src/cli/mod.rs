//! the command line.
