//! The file of tenants: one mapping `overrides`, from tenant (or `*`) to limits.

use std::collections::BTreeMap;

use super::legacy;
use crate::blocks::root::Config;
use crate::blocks::tenant_limits::Limits;
use crate::error::{Error, Problem};
use crate::field::{Field, Reader, Secrets, read_value};
use crate::load::{Env, Source, parse_text, sorted};
use crate::removed;
use crate::yaml::{self, Node};

/// The entry of every tenant without its own.
pub const WILDCARD: &str = "*";

/// What the file says. An entry is complete: what it leaves out is zero, not the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TenantFile {
    pub entries: BTreeMap<String, Limits>,
    /// Some entry used the old, flat names.
    pub is_legacy: bool,
}

impl TenantFile {
    /// Reads the text of `overrides.per_tenant_override_config`. The caller keeps the last good one when a later text
    /// fails.
    pub fn parse(
        source: Source<'_>,
        config: &Config,
        expand_env: bool,
        env: Env<'_>,
    ) -> Result<TenantFile, Error> {
        let parsed = parse_text(source, expand_env, env)?;
        let mut problems = parsed.problems;
        let mut file = TenantFile::default();
        let mut reader = Reader::default();
        for top in parsed.root.entries() {
            if top.key != "overrides" {
                let message = removed::unknown_key(&top.key, &top.key, &["overrides"]);
                problems.push(Problem {
                    mark: top.mark,
                    path: top.key.clone(),
                    message,
                });
                continue;
            }
            if top.value.is_null() {
                continue;
            }
            if !matches!(top.value.value, yaml::Value::Map(_)) {
                reader.mismatch(&top.value, "a mapping from tenants to limits");
            }
            for entry in top.value.entries() {
                if entry.key != WILDCARD
                    && let Err(error) = crate::tenant::validate(&entry.key)
                {
                    let path = format!("overrides.{}", entry.key);
                    problems.push(Problem {
                        mark: entry.mark,
                        path,
                        message: error.to_string(),
                    });
                }
                let node = if legacy::is_flat(&entry.value) {
                    if !config.overrides.enable_legacy_overrides {
                        let path = format!("overrides.{}", entry.key);
                        problems.push(Problem {
                            mark: entry.mark,
                            path,
                            message: legacy::NOT_ENABLED.to_string(),
                        });
                    }
                    file.is_legacy = true;
                    legacy::to_scoped(entry.value.clone())
                } else {
                    entry.value.clone()
                };
                let mut limits = Limits::zero();
                reader.within("overrides", |reader| {
                    reader.within(&entry.key, |reader| read_value(&mut limits, &node, reader));
                });
                file.entries.insert(entry.key.clone(), limits);
            }
        }
        if !parsed.root.is_null() && !matches!(parsed.root.value, yaml::Value::Map(_)) {
            reader.mismatch(&parsed.root, "a mapping with the key `overrides`");
        }
        problems.append(&mut reader.problems);
        if problems.is_empty() {
            Ok(file)
        } else {
            Err(Error::Parse(sorted(source.name, problems)))
        }
    }

    /// The entries as YAML, as `/status/runtime_config` prints them under `overrides:`; secrets masked.
    pub fn to_yaml(&self) -> String {
        yaml::print(&Node::map([(
            "overrides".to_string(),
            self.entries.write(Secrets::Masked),
        )]))
    }
}
