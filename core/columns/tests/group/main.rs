//! Chunks of blocks against a walk over assembled traces.

mod broken;
mod copy;
mod intrinsics;
mod naive;
mod rewritten;
mod shared;
mod support;
mod tables;
mod walk;
