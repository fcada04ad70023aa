//! The engine against a naive evaluator that is written from the specification alone: one row after another, over plain structs.

mod answers;
mod chunks;
mod data;
mod examples;
mod expression;
mod fields;
mod generate;
mod pipeline;
mod properties;
mod queries;
mod size;
mod tags;
mod tree;
mod value;
