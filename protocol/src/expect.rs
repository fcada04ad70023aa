//! Expected texts in files: `tests/expect/<name>`, rewritten by a run with `UPDATE_EXPECT=1`.

use std::path::Path;

/// Panics when `text` is not what the file holds.
pub fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/expect")
        .join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        want == text,
        "{name} differs (UPDATE_EXPECT=1 rewrites it)\n--- want\n{want}\n--- got\n{text}"
    );
}
