//! Spans as values: ids, the sharding hashes, and `SpanBatch`, the one shape of spans in the system.
//! See README.md for the layout and its invariants.

mod batch;
mod builder;
#[allow(
    unsafe_code,
    clippy::all,
    unused_imports,
    mismatched_lifetime_syntaxes,
    unsafe_op_in_unsafe_fn,
    reason = "written by flatc, see schema/generate.sh"
)]
mod generated;
pub mod hash;
mod ids;
pub mod limits;
mod value;
mod verify;
mod view;

pub use batch::SpanBatch;
pub use builder::{
    BatchFull, EventRow, LinkRow, ListMark, Owner, SpanBatchBuilder, SpanRow, TooDeep,
};
pub use ids::{IdError, SpanId, TraceId};
pub use value::{ResourceId, ScopeId, StringId, Value, ValueType};
pub use verify::VerifyError;
pub use view::{
    AttributesView, Column, EventView, LinkView, ListView, OwnedAttributes, ResourceView,
    ScopeView, SpanView, ValueView, View, prefetch,
};
