//! leader and followers of one partition.
