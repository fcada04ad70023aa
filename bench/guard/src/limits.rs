//! What the guard allows, and how much it runs.

/// How many hundredths a loop may need more than its record before it is a failure, and less before the record is called old.
///
/// Two runs of one binary differ by less than 0.1 % (the seeds of hash tables are random). Valgrind shows every machine with AVX2 the
/// same processor, so that library code that looks for features takes the same path everywhere. What is left is the compiler and the
/// C library: point releases move a loop by one or two hundredths. A mistake worth catching costs far more than five.
pub const TOLERANCE_PERCENT: f64 = 5.0;

/// Chunks of generated data of 1,000 spans each.
pub const CHUNKS: u64 = 12;

/// Columns of a chunk may take so much memory, in bytes; far more than the data need.
pub const CHUNK_BYTES: usize = 1 << 30;

/// Loops that are counted at the same time.
pub const WORKERS_MOST: usize = 4;
