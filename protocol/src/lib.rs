//! What crosses a process border: OTLP, Tempo's protobuf API and its JSON, and the ingest record.
//! See README.md.

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod expect;
pub mod json;
pub mod otlp;
mod pause;
pub mod record;
pub mod tempopb;
pub mod trace;

/// Descriptions (an encoded `FileDescriptorSet`) of the gRPC services of this project, for reflection;
/// `proto/generate.sh` makes them.
pub const DESCRIPTORS: &[u8] = include_bytes!("../proto/services.bin");
