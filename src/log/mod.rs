//! what one partition's log decides.
