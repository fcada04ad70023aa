//! Folders whose own names survive a power loss.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::limits::FOLDERS_REMEMBERED;

/// Remembers which folders this process has made sure of. One that is merely there may have been made a moment ago by another thread,
/// or by a process that crashed, and its name be lost with the power.
#[derive(Debug, Default)]
pub(super) struct Folders {
    sure: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Makes a folder and its missing parents, readable by their owner only, and syncs what their names are in.
    pub(super) fn ensure(&self, root: &Path, folder: &Path) -> io::Result<()> {
        let is_sure = self.lock().contains(folder);
        if is_sure {
            return Ok(());
        }
        let above = |path: &&Path| path.starts_with(root) && !path.as_os_str().is_empty();
        let mut chain: Vec<&Path> = folder.ancestors().take_while(above).collect();
        // The root itself may have to be made, with all above it.
        let missing = root.ancestors().skip(1);
        chain.extend(missing.take_while(|path| !path.as_os_str().is_empty() && !path.is_dir()));
        for path in chain.into_iter().rev() {
            match DirBuilder::new().mode(0o700).create(path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => sync(parent)?,
                _ => sync(Path::new("."))?,
            }
        }
        let mut sure = self.lock();
        if sure.len() >= FOLDERS_REMEMBERED {
            sure.clear();
        }
        sure.insert(folder.to_owned());
        Ok(())
    }

    /// The folder is not there any more.
    pub(super) fn forget(&self, folder: &Path) {
        self.lock().retain(|path| !path.starts_with(folder));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.sure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the names in a folder survive a power loss.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
