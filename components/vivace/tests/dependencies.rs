//! The dependency direction of the house (ARCHITECTURE.md): components → {shards, protocol, core};
//! protocol → core; shards → nothing of ours; core → core. Components never know each other, except the binary.

use std::collections::BTreeMap;
use std::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Core,
    Shards,
    Protocol,
    Component,
    Binary,
    Bench,
}

fn layer_of(folder: &str) -> Option<Layer> {
    Some(match folder {
        "shards" => Layer::Shards,
        "protocol" => Layer::Protocol,
        "bench" | "bench/guard" => Layer::Bench,
        "components/vivace" => Layer::Binary,
        _ if folder.starts_with("core/") => Layer::Core,
        _ if folder.starts_with("components/") => Layer::Component,
        _ => return None,
    })
}

fn may_depend(from: Layer, to: Layer) -> bool {
    use Layer::{Bench, Binary, Component, Core, Protocol, Shards};
    match from {
        Core => to == Core,
        Shards => false,
        Protocol => to == Core,
        Component => matches!(to, Core | Shards | Protocol),
        Binary => matches!(to, Core | Shards | Protocol | Component),
        Bench => true,
    }
}

#[test]
fn dependencies_point_one_way() -> Result<(), Box<dyn std::error::Error>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let root = metadata["workspace_root"]
        .as_str()
        .ok_or("no workspace root")?;

    let mut layers = BTreeMap::new();
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    for package in packages {
        let manifest = package["manifest_path"]
            .as_str()
            .ok_or("no manifest path")?;
        let folder = manifest
            .strip_prefix(root)
            .and_then(|path| path.strip_suffix("/Cargo.toml"))
            .ok_or("manifest outside the workspace")?
            .trim_start_matches('/');
        let layer = layer_of(folder).ok_or_else(|| format!("{folder} belongs to no layer"))?;
        layers.insert(package["name"].as_str().ok_or("no name")?, layer);
    }
    assert!(layers.len() >= 10, "found only {layers:?}");

    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().ok_or("no name")?;
        for dependency in package["dependencies"]
            .as_array()
            .ok_or("no dependencies")?
        {
            // Tests may use what is above them; the shipped code may not.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            let to = dependency["name"].as_str().ok_or("no name")?;
            if let Some(layer) = layers.get(to)
                && !may_depend(layers[name], *layer)
            {
                wrong.push(format!("{name} ({:?}) → {to} ({layer:?})", layers[name]));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "dependencies that point the wrong way: {wrong:#?}"
    );
    Ok(())
}
