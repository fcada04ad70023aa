//! Expected texts in files; `UPDATE_EXPECT=1` rewrites them.

use std::path::{Path, PathBuf};

/// A folder of this crate's tests.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// The YAML files of a folder, by name without the ending.
pub fn yaml_files(name: &str) -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(folder(name))
        .expect("the folder is there")
        .filter_map(|entry| {
            let path = entry.expect("the folder can be listed").path();
            let stem = path
                .file_name()?
                .to_str()?
                .strip_suffix(".yaml")?
                .to_string();
            (!stem.contains('.')).then(|| {
                (
                    stem,
                    std::fs::read_to_string(&path).expect("the file can be read"),
                )
            })
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no files in {name}");
    found
}

/// Compares with a file, or rewrites it.
pub fn expect(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, actual).expect("the expected text can be written");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (UPDATE_EXPECT=1 rewrites it); now:\n{actual}",
        path.display()
    );
}
