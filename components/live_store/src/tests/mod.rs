//! Tests of the whole store, in the simulator.

mod admission;
mod model;
mod replay;
mod support;
