//! `vivace block`: the bucket of a configuration for the commands that look into blocks.

use std::ops::Range;
use std::process::ExitCode;

use bytes::Bytes;
use vivace_block_tool::{ListedBlock, Source, SourceError};
use vivace_config::Command;
use vivace_shards::side;
use vivace_storage::{Error as StorageError, Storage};

use crate::process::load_config;

/// Does what the arguments after `block` ask for.
pub fn run(arguments: &[String]) -> ExitCode {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let code = vivace_block_tool::run(arguments, &connect, &mut out.lock(), &mut err.lock());
    ExitCode::from(code)
}

/// The bucket that the flags name.
fn connect(flags: &[String]) -> Result<Box<dyn Source>, String> {
    let command = Command::parse(flags).map_err(|error| error.to_string())?;
    let Command::Run(invocation) = command else {
        return Err("only flags of the configuration can be given here".to_owned());
    };
    let loaded = load_config(&invocation).map_err(|error| error.to_string())?;
    let storage = Storage::open(&loaded.config.storage.trace).map_err(|error| error.to_string())?;
    Ok(Box::new(Bucket(storage)))
}

struct Bucket(Storage);

impl Bucket {
    /// Waits for the store on this thread: a command has no shards that could be held up.
    fn wait<T>(
        &self,
        place: &str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, SourceError> {
        let handle = side::handle().map_err(|error| SourceError::new(place, error))?;
        handle.block_on(call).map_err(|error| SourceError {
            place: place.to_owned(),
            retryable: error.is_retryable(),
            reason: error.to_string(),
        })
    }

    /// None instead of an error for what is not there.
    fn wait_if_there<T>(
        &self,
        place: &str,
        call: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<Option<T>, SourceError> {
        let there = async {
            match call.await {
                Ok(value) => Ok(Some(value)),
                Err(StorageError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.wait(place, there)
    }
}

impl Source for Bucket {
    fn tenants(&self) -> Result<Vec<String>, SourceError> {
        self.wait("tenants", self.0.tenants())
    }

    fn blocks(&self, tenant: &str) -> Result<Vec<ListedBlock>, SourceError> {
        let ids = self.wait(tenant, self.0.block_ids(tenant))?;
        let live = ids.live.iter().map(|id| ListedBlock {
            id: *id,
            compacted: false,
        });
        // One that is in both lists is live: somebody crashed while marking it.
        let compacted = ids
            .compacted
            .iter()
            .filter(|(id, _)| ids.live.binary_search(id).is_err())
            .map(|(id, _)| ListedBlock {
                id: *id,
                compacted: true,
            });
        Ok(live.chain(compacted).collect())
    }

    fn size(&self, key: &str) -> Result<Option<u64>, SourceError> {
        let info = self.wait(key, self.0.head(key))?;
        Ok(info.map(|info| info.size))
    }

    fn read(&self, key: &str) -> Result<Option<Bytes>, SourceError> {
        self.wait_if_there(key, self.0.get(key))
    }

    fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, SourceError> {
        self.wait(key, self.0.get_range(key, range))
    }
}
