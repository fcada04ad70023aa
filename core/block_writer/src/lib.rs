//! Writes vParquet blocks from SpanBatches; see README.md.
