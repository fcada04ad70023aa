//! Text and flags → configuration. The caller reads the file.

use crate::blocks::root::Config;
use crate::check::{self, Warning};
use crate::error::{Error, Problem, Problems};
use crate::field::{Field, Reader, Secrets, read_value};
use crate::flags::Invocation;
use crate::overrides::legacy;
use crate::yaml::{self, Mark, Node};

/// What a start without a file runs with.
pub const EMBEDDED_DEFAULTS: &str = include_str!("default.yaml");

/// A configuration file that was read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// As messages name it.
    pub name: &'a str,
    pub text: &'a str,
}

/// Looks up an environment variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A configuration that can run.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// What the operator should know. `-config.verify` exits with 0 only when there is none.
    pub warnings: Vec<Warning>,
}

/// Loads a configuration: built-in defaults, then the file (or the embedded defaults without one), then flags.
///
/// All problems of the file come at once, also those of keys that contradict each other.
pub fn load(
    invocation: &Invocation,
    file: Option<Source<'_>>,
    env: Env<'_>,
) -> Result<Loaded, Error> {
    let source = file.unwrap_or(Source {
        name: "embedded defaults",
        text: EMBEDDED_DEFAULTS,
    });
    let root = parse_text(source, invocation.expand_env && file.is_some(), env)?;
    let mut problems = root.problems;
    let legacy_flag = invocation
        .settings
        .iter()
        .any(|s| s.path == "overrides.enable_legacy_overrides" && s.value == "true");
    let (root, is_legacy) = legacy::translate_config(root.root, legacy_flag, &mut problems);
    let mut config = Config::default();
    let mut reader = Reader::default();
    read_value(&mut config, &root, &mut reader);
    problems.append(&mut reader.problems);
    if !problems.is_empty() {
        return Err(Error::Parse(sorted(source.name, problems)));
    }
    for setting in &invocation.settings {
        setting.apply(&mut config).map_err(|message| {
            Error::Invalid(Problems {
                source: String::new(),
                list: vec![Problem {
                    mark: Mark::default(),
                    path: String::new(),
                    message,
                }],
            })
        })?;
    }
    let fatal = check::fatal(&config);
    if !fatal.is_empty() {
        return Err(Error::Invalid(Problems {
            source: String::new(),
            list: fatal,
        }));
    }
    let warnings = check::warnings(&config, is_legacy);
    Ok(Loaded { config, warnings })
}

/// Expands and parses one text.
pub(crate) fn parse_text(
    source: Source<'_>,
    expand: bool,
    env: Env<'_>,
) -> Result<yaml::Parsed, Error> {
    let expanded;
    let text = if expand {
        expanded = crate::env::expand(source.text, env).map_err(|error| Error::Expansion {
            file: source.name.to_string(),
            line: error.line,
            message: error.message.to_string(),
        })?;
        &expanded
    } else {
        source.text
    };
    yaml::parse(text).map_err(|problem| Error::Parse(sorted(source.name, vec![problem])))
}

/// Problems in the order of the text.
pub(crate) fn sorted(source: &str, mut list: Vec<Problem>) -> Problems {
    list.sort_by_key(|problem| problem.mark);
    Problems {
        source: source.to_string(),
        list,
    }
}

/// What `/status/config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Every key.
    Full,
    /// The keys that are not at their built-in defaults.
    Diff,
    /// The built-in defaults.
    Defaults,
}

impl View {
    /// The view that a query's `mode` names; the error is the body of the answer, whose status is 500.
    pub fn of_mode(mode: Option<&str>) -> Result<View, String> {
        match mode {
            None | Some("") => Ok(View::Full),
            Some("diff") => Ok(View::Diff),
            Some("defaults") => Ok(View::Defaults),
            Some(other) => Err(format!("unknown value for mode query parameter: {other}")),
        }
    }
}

impl Config {
    /// The configuration as YAML with a leading `---`, secrets masked.
    pub fn to_yaml(&self, view: View) -> String {
        let defaults = || Config::default().write(Secrets::Masked);
        let node: Node = match view {
            View::Full => self.write(Secrets::Masked),
            View::Defaults => defaults(),
            View::Diff => yaml::diff(&defaults(), &self.write(Secrets::Masked)),
        };
        format!("---\n{}", yaml::print(&node))
    }
}
