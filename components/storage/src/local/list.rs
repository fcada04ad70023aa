//! Looking through folders.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use super::files::{UNFINISHED, head, info, is_absent};
use crate::info::{ObjectInfo, Objects};

/// The entries of a folder with names in UTF-8, by name; none if there is no such folder.
fn entries(path: &Path) -> io::Result<Vec<(String, DirEntry)>> {
    let read = match fs::read_dir(path) {
        Ok(read) => read,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with(UNFINISHED)
        {
            found.push((name, entry));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn is_folder(entry: &DirEntry) -> io::Result<bool> {
    let kind = entry.file_type()?;
    // Operators link folders of tenants to other disks.
    Ok(kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()))
}

pub(super) fn folders(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for (name, entry) in entries(path)? {
        if is_folder(&entry)? {
            names.push(name);
        }
    }
    Ok(names)
}

/// All files under a folder. `base` is the folder's key.
pub(super) fn walk(path: &Path, base: &str) -> io::Result<Objects> {
    let mut objects = Vec::new();
    let mut folders = vec![(path.to_owned(), base.to_owned())];
    while let Some((path, base)) = folders.pop() {
        for (name, entry) in entries(&path)? {
            let key = match base.as_str() {
                "" => name,
                base => format!("{base}/{name}"),
            };
            if is_folder(&entry)? {
                folders.push((entry.path(), key));
                continue;
            }
            match entry.metadata() {
                Ok(meta) => objects.push((key, info(&meta)?)),
                // Removed meanwhile.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    objects.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(objects)
}

/// Which of the named files each folder under `path` holds.
pub(super) fn in_folders(
    path: &Path,
    names: &[&str],
) -> io::Result<Vec<(String, usize, ObjectInfo)>> {
    let mut found = Vec::new();
    for (folder, entry) in entries(path)? {
        if !is_folder(&entry)? {
            continue;
        }
        for (index, name) in names.iter().enumerate() {
            if let Some(info) = head(&entry.path().join(name))? {
                found.push((folder.clone(), index, info));
            }
        }
    }
    Ok(found)
}
