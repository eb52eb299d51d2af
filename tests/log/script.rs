//! Scripts: what happens, and what the log says to it.
