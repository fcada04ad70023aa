//! Finds traces in blocks; see README.md.
