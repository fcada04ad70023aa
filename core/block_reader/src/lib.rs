//! Reads vParquet blocks over byte ranges; see README.md.
