//! listeners and connections.
