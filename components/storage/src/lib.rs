//! Object stores, and the list of the blocks in them; see README.md.

mod blocklist;
mod blocks;
mod credentials;
mod error;
mod info;
pub mod limits;
mod local;
mod metrics;
mod poller;
mod remote;
pub mod sim;
mod storage;
mod upload;

pub use blocklist::{Blocklist, CompactedBlock, TenantBlocks, Update};
pub use blocks::BlockIds;
pub use error::Error;
pub use info::{ObjectInfo, Objects};
pub use poller::{PollReport, Poller};
pub use remote::Patience;
pub use storage::Storage;
pub use upload::Upload;
