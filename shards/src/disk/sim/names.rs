//! The simulated directory tree: the names there are, and those that would survive a power loss.
//!
//! Changes of names are written in order, as a journal does: a crash keeps some first part of those that are not synced yet.
//! Syncing a directory makes the changes in it survive, and the earlier ones they build on, but none in other directories.
//! Syncing a *file* does not make its name survive.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

/// A directory or file by number.
pub(super) type Id = u64;
/// The directory that everything is in.
const ROOT: Id = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(Id),
    Directory(Id),
}

type Directory = BTreeMap<String, Node>;

/// Names that change together: a rename is two of them.
#[derive(Clone)]
struct Change(Vec<(Id, String, Option<Node>)>);

pub(super) struct Names {
    current: BTreeMap<Id, Directory>,
    synced: BTreeMap<Id, Directory>,
    pending: Vec<Change>,
    next_directory: Id,
}

impl Default for Names {
    fn default() -> Self {
        let root = BTreeMap::from([(ROOT, Directory::new())]);
        Self {
            current: root.clone(),
            synced: root,
            pending: Vec::new(),
            next_directory: ROOT + 1,
        }
    }
}

fn error(kind: io::ErrorKind) -> io::Error {
    kind.into()
}

/// The names on the way to `path`. Relative paths start at the root, too.
fn names_of(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(
                name.to_str()
                    .ok_or_else(|| error(io::ErrorKind::InvalidInput))?,
            ),
            Component::ParentDir => drop(names.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    Ok(names)
}

impl Names {
    fn directory(&self, id: Id) -> io::Result<&Directory> {
        self.current
            .get(&id)
            .ok_or_else(|| error(io::ErrorKind::NotFound))
    }

    fn walk(&self, names: &[&str]) -> io::Result<Id> {
        let mut at = ROOT;
        for name in names {
            match self.directory(at)?.get(*name) {
                Some(Node::Directory(next)) => at = *next,
                Some(Node::File(_)) => return Err(error(io::ErrorKind::NotADirectory)),
                None => return Err(error(io::ErrorKind::NotFound)),
            }
        }
        Ok(at)
    }

    /// The directory that holds the last name of `path`, and that name.
    fn place<'p>(&self, path: &'p Path) -> io::Result<(Id, &'p str)> {
        let names = names_of(path)?;
        let (last, parents) = names
            .split_last()
            .ok_or_else(|| error(io::ErrorKind::InvalidInput))?;
        Ok((self.walk(parents)?, last))
    }

    /// The file at `path`, if there is one.
    pub(super) fn file(&self, path: &Path) -> io::Result<Option<Id>> {
        let (directory, name) = self.place(path)?;
        match self.directory(directory)?.get(name) {
            Some(Node::File(id)) => Ok(Some(*id)),
            Some(Node::Directory(_)) => Err(error(io::ErrorKind::IsADirectory)),
            None => Ok(None),
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<(String, Node)>> {
        let id = self.walk(&names_of(path)?)?;
        let entries = self.directory(id)?.iter();
        Ok(entries.map(|(name, node)| (name.clone(), *node)).collect())
    }

    fn change(&mut self, change: Change) {
        apply(&change, &mut self.current);
        self.pending.push(change);
    }

    pub(super) fn add_file(&mut self, path: &Path, id: Id) -> io::Result<()> {
        let (directory, name) = self.place(path)?;
        let change = (directory, name.to_owned(), Some(Node::File(id)));
        self.change(Change(vec![change]));
        Ok(())
    }

    /// Removes a file's name and says which file it was.
    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<Id> {
        let file = self
            .file(path)?
            .ok_or_else(|| error(io::ErrorKind::NotFound))?;
        let (directory, name) = self.place(path)?;
        self.change(Change(vec![(directory, name.to_owned(), None)]));
        Ok(file)
    }

    /// Moves a file's name; the file that had the new one is returned.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<Option<Id>> {
        let file = self
            .file(from)?
            .ok_or_else(|| error(io::ErrorKind::NotFound))?;
        let replaced = self.file(to)?;
        if replaced == Some(file) {
            return Ok(None);
        }
        let (old, old_name) = self.place(from)?;
        let (new, new_name) = self.place(to)?;
        self.change(Change(vec![
            (old, old_name.to_owned(), None),
            (new, new_name.to_owned(), Some(Node::File(file))),
        ]));
        Ok(replaced)
    }

    /// Makes the directories that are missing on the way to `path`, synced.
    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in names_of(path)? {
            at = match self.directory(at)?.get(name) {
                Some(Node::Directory(next)) => *next,
                Some(Node::File(_)) => return Err(error(io::ErrorKind::AlreadyExists)),
                None => {
                    let made = self.next_directory;
                    self.next_directory += 1;
                    for names in [&mut self.current, &mut self.synced] {
                        names.insert(made, Directory::new());
                        let parent = names.entry(at).or_default();
                        parent.insert(name.to_owned(), Node::Directory(made));
                    }
                    made
                }
            };
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let id = self.walk(&names_of(path)?)?;
        // Backwards, so that what a synced change builds on is synced with it.
        let mut directories = BTreeSet::from([id]);
        let mut synced = Vec::new();
        for (i, change) in self.pending.iter().enumerate().rev() {
            if change.0.iter().any(|(at, ..)| directories.contains(at)) {
                directories.extend(change.0.iter().map(|(at, ..)| *at));
                synced.push(i);
            }
        }
        for i in synced.iter().rev() {
            apply(&self.pending[*i], &mut self.synced);
        }
        for i in synced {
            self.pending.remove(i);
        }
        Ok(())
    }

    /// Power loss: a seeded number of the unsynced changes is kept, the first ones.
    pub(super) fn crash(&mut self, below: &mut dyn FnMut(u64) -> u64) {
        let kept = below(self.pending.len() as u64 + 1) as usize;
        for change in self.pending.drain(..).take(kept) {
            apply(&change, &mut self.synced);
        }
        self.current = self.synced.clone();
    }

    /// Files that have a name now, once for each name.
    pub(super) fn named(&self) -> Vec<Id> {
        files(&self.current).collect()
    }

    /// Files that have a name, or might have one after a crash.
    pub(super) fn reachable(&self) -> BTreeSet<Id> {
        let pending = self.pending.iter().flat_map(|change| &change.0);
        let pending = pending.filter_map(|(_, _, node)| match node {
            Some(Node::File(id)) => Some(*id),
            _ => None,
        });
        files(&self.current)
            .chain(files(&self.synced))
            .chain(pending)
            .collect()
    }
}

fn apply(change: &Change, names: &mut BTreeMap<Id, Directory>) {
    for (directory, name, node) in &change.0 {
        let entries = names.entry(*directory).or_default();
        match node {
            Some(node) => entries.insert(name.clone(), *node),
            None => entries.remove(name),
        };
    }
}

fn files(names: &BTreeMap<Id, Directory>) -> impl Iterator<Item = Id> {
    names
        .values()
        .flat_map(Directory::values)
        .filter_map(|node| match node {
            Node::File(id) => Some(*id),
            Node::Directory(_) => None,
        })
}
