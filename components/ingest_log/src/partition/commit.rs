//! Committed offsets of consumer groups: see `groups` for the file.

use vivace_shards::disk;

use super::Partition;
use crate::dir;
use crate::error::Error;
use crate::groups::{Committed, FILE, SLOT_BYTES};
use crate::limits::{MAX_GROUP_NAME_BYTES, MAX_GROUPS};

impl Partition {
    /// The durable committed offset of a group.
    pub(crate) fn committed(&self, group: &str) -> Option<u64> {
        self.groups.borrow().next_offsets.get(group).copied()
    }

    /// The largest offset that any group has committed.
    pub(super) fn committed_most(&self) -> u64 {
        let groups = self.groups.borrow();
        groups.next_offsets.values().copied().max().unwrap_or(0)
    }

    /// Resolves when it is durable. Unless forced, a group never goes back.
    pub(crate) async fn commit(
        &self,
        group: &str,
        next_offset: u64,
        force: bool,
    ) -> Result<(), Error> {
        let wrong = |what: String| Error::Group {
            group: group.chars().take(MAX_GROUP_NAME_BYTES).collect(),
            what,
        };
        if group.is_empty() || group.len() > MAX_GROUP_NAME_BYTES {
            return Err(wrong(format!(
                "a name has 1 to {MAX_GROUP_NAME_BYTES} bytes"
            )));
        }
        let end_offset = self.end_offset();
        if next_offset > end_offset {
            return Err(wrong(format!(
                "cannot commit {next_offset}: partition {} ends at {end_offset}",
                self.id
            )));
        }
        let _held = self.committing.hold().await;
        let mut next = self.groups.borrow().clone();
        let known = next.next_offsets.get(group).copied();
        if known.is_some_and(|known| known == next_offset || (known > next_offset && !force)) {
            return Ok(());
        }
        if known.is_none() && next.next_offsets.len() >= MAX_GROUPS {
            return Err(wrong(format!(
                "partition {} has {MAX_GROUPS} groups already",
                self.id
            )));
        }
        next.next_offsets.insert(group.to_owned(), next_offset);
        next.sequence += 1;
        self.write_groups(next).await?;
        self.metrics.commits.inc();
        self.show_committed();
        Ok(())
    }

    async fn write_groups(&self, next: Committed) -> Result<(), Error> {
        let path = self.dir().join(FILE);
        let file = self.groups_file.borrow().clone().ok_or(Error::Closed)?;
        file.write_and_sync_at(next.slot_position(), vec![next.encode().into()])
            .await
            .map_err(dir::failed("write", &path))?;
        *self.groups.borrow_mut() = next;
        Ok(())
    }

    fn show_committed(&self) {
        let partition = self.id.to_string();
        for (group, next) in &self.groups.borrow().next_offsets {
            self.metrics
                .committed
                .with_label_values(&[partition.as_str(), group.as_str()])
                .set(i64::try_from(*next).unwrap_or(i64::MAX));
        }
    }

    /// Reads the file, or makes it. Its space is taken once, here.
    pub(super) async fn load_groups(&self, exists: bool) -> Result<(), Error> {
        let path = self.dir().join(FILE);
        if !exists {
            let empty = Committed::default().encode();
            dir::write_atomically(self.dir(), FILE, empty.repeat(2)).await?;
        }
        let options = disk::OpenOptions {
            read: true,
            write: true,
            ..Default::default()
        };
        let file = disk::open(&path, options)
            .await
            .map_err(dir::failed("open", &path))?;
        let content = file
            .read_at(0, 2 * SLOT_BYTES)
            .await
            .map_err(dir::failed("read", &path))?;
        match Committed::newest(&content) {
            Some(committed) => {
                // What is read may not be on the disk, after a failed sync: write it again.
                file.write_and_sync_at(committed.slot_position(), vec![committed.encode().into()])
                    .await
                    .map_err(dir::failed("write", &path))?;
                *self.groups.borrow_mut() = committed;
            }
            None => {
                tracing::error!(
                    partition = self.id,
                    file = %path.display(),
                    "ingest log: committed offsets are damaged; consumer groups start from the \
                     oldest record"
                );
            }
        }
        *self.groups_file.borrow_mut() = Some(file);
        self.show_committed();
        Ok(())
    }
}
