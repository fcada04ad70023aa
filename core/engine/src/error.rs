//! What can go wrong while a query runs.

use thiserror::Error;

/// The query can't be evaluated on this data (traceql.md, appendix B). Trying again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    #[error("division by zero")]
    DivisionByZero,
    #[error("modulo by zero")]
    ModuloByZero,
    #[error("unsupported operation: arithmetic on arrays")]
    ArrayArithmetic,
    #[error("array operators must consist of a scalar and an array operand")]
    ArrayWithArray,
    #[error(
        "spanset operators are not supported for multiple spansets per trace. consider using coalesce()"
    )]
    SeveralSpansets,
}

/// Running a query over a chunk failed.
#[derive(Debug, Error)]
pub enum EngineError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The chunk could not be read; the chunk's error says whether a retry helps.
    #[error("{0}")]
    Load(E),
}

/// A query that the engine does not run. Validation refuses such queries with better words; this is the second line of defence.
#[derive(Debug, Error)]
pub enum PlanError {
    #[error("{what} is not supported in a query that is run")]
    Unsupported { what: &'static str },
    #[error("{0}")]
    Regex(#[from] vivace_traceql::regex::RegexError),
}
