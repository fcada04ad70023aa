//! Object stores and the blocklist; see README.md.
