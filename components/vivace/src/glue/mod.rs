//! What makes components that don't know each other one system: the traits they ask for, implemented over mailboxes.
//!
//! Each partition has one owner, the shard `partition % shards`. Whoever wants something of a partition sends its owner
//! a message; the owner does the work in a task of its own, so that a client who goes away breaks nothing off half-way.

mod blocks;
mod book;
mod live;
mod message;
mod owner;
mod partitions;
mod queries;
mod records;
mod sections;
mod traces;

pub use blocks::{ListedBlocks, UploadBucket};
pub use book::SectionBook;
pub use message::{Inboxes, Message};
pub use owner::Owner;
pub use partitions::Partitions;
pub use queries::{DedicatedOf, Queries, TargetBytes};
pub use records::{LogReader, LogRecords};
pub use sections::{COMMIT_GROUP, LogSections, PLAN_GROUP};
pub use traces::Traces;
