//! Cuts a partition's log into blocks and uploads them; see README.md.
