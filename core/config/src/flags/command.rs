//! Arguments → what is asked for.

use super::help::{USAGE, help};
use super::table::{Flag, flags};
use crate::blocks::root::Config;
use crate::error::Error;
use crate::field::{Field, Reader};
use crate::removed::nearest;
use crate::yaml::Node;

/// One key that the command line sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag's name, without dashes.
    pub flag: String,
    /// The key, with dots.
    pub path: String,
    pub value: String,
}

/// How to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The file that the caller is to read.
    pub config_file: Option<String>,
    /// Whether `${…}` is expanded, also in the file of tenants.
    pub expand_env: bool,
    /// Only check, then exit.
    pub verify: bool,
    /// What wins over the file, in the order given.
    pub settings: Vec<Setting>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Run(Invocation),
    /// Print this text on standard output, exit 0.
    Help(String),
    /// Print the version, exit 0.
    Version,
    /// Ask this URL, exit 0 if it answers 2xx.
    Health {
        url: String,
    },
}

impl Command {
    /// Reads the arguments after the program's name.
    ///
    /// Every error is [`Error::Usage`]: an unknown flag, a missing or wrong value, an argument that is no flag.
    pub fn parse<S: AsRef<str>>(arguments: &[S]) -> Result<Command, Error> {
        let flags = flags();
        let usage = |message: String| Error::Usage {
            message,
            usage: USAGE.to_string(),
        };
        let mut invocation = Invocation::default();
        let (mut is_help, mut is_version, mut is_health) = (false, false, false);
        let mut health_url = "http://localhost:3200/ready".to_string();
        let mut scratch = Config::default();
        let mut rest = arguments.iter().map(AsRef::as_ref);
        while let Some(argument) = rest.next() {
            let Some(name) = argument
                .strip_prefix("--")
                .or_else(|| argument.strip_prefix('-'))
            else {
                return Err(usage(format!(
                    "unexpected argument {argument:?}: boolean flags take their value after `=`, as in -config.verify=true"
                )));
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (name, None),
            };
            let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
                return Err(usage(unknown(argument, name, &flags)));
            };
            let value = match value {
                Some(value) => value,
                None if flag.is_bool => "true".to_string(),
                None => match rest.next() {
                    Some(value) => value.to_string(),
                    None => return Err(usage(format!("flag needs an argument: -{name}"))),
                },
            };
            let value = if flag.is_bool {
                let parsed = boolean(&value);
                parsed
                    .ok_or_else(|| usage(format!("invalid boolean value {value:?} for -{name}")))?
                    .to_string()
            } else {
                value
            };
            let is_true = value == "true";
            match name {
                "config.file" => invocation.config_file = (!value.is_empty()).then_some(value),
                "config.expand-env" => invocation.expand_env = is_true,
                "config.verify" => invocation.verify = is_true,
                "help" | "h" => is_help = is_true,
                "version" => is_version = is_true,
                "health" => is_health = is_true,
                "health.url" => health_url = value,
                _ if flag.path.is_empty() => {}
                _ => {
                    let setting = Setting {
                        flag: name.to_string(),
                        path: flag.path.clone(),
                        value,
                    };
                    setting.apply(&mut scratch).map_err(&usage)?;
                    invocation.settings.push(setting);
                }
            }
        }
        Ok(if is_help {
            Command::Help(help(&flags))
        } else if is_version {
            Command::Version
        } else if is_health {
            Command::Health { url: health_url }
        } else {
            Command::Run(invocation)
        })
    }
}

impl Setting {
    /// Sets the key. The error is a message.
    pub fn apply(&self, config: &mut Config) -> Result<(), String> {
        let node = match (self.path.as_str(), self.value.starts_with(['{', '['])) {
            // A mapping can be given as YAML (or JSON) in flow style.
            ("block_builder.assigned_partitions", true) => {
                crate::yaml::parse(&self.value)
                    .map_err(|problem| self.invalid(&problem.message))?
                    .root
            }
            _ => Node::flag(self.value.clone()),
        };
        let tree = self
            .path
            .rsplit('.')
            .fold(node, |node, step| Node::map([(step.to_string(), node)]));
        let mut reader = Reader::default();
        config.read(&tree, &mut reader);
        match reader.problems.first() {
            Some(problem) => Err(self.invalid(&problem.message)),
            None => Ok(()),
        }
    }

    fn invalid(&self, message: &str) -> String {
        format!(
            "invalid value {:?} for flag -{}: {message}",
            crate::yaml::shorten(&self.value),
            self.flag
        )
    }
}

/// As Go reads a boolean flag.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn unknown(argument: &str, name: &str, flags: &[Flag]) -> String {
    let names: Vec<&str> = flags.iter().map(|flag| flag.name.as_str()).collect();
    let near = nearest(name, &names)
        .map(|near| format!("; did you mean -{near}?"))
        .unwrap_or_default();
    format!(
        "flag provided but not defined: {}{near}",
        argument.split('=').next().unwrap_or(argument)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Invocation {
        match Command::parse(arguments) {
            Ok(Command::Run(invocation)) => invocation,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    fn refused(arguments: &[&str]) -> String {
        match Command::parse(arguments) {
            Err(error) => {
                assert_eq!(error.exit_code(), 2);
                error.to_string()
            }
            Ok(command) => panic!("{arguments:?}: {command:?}"),
        }
    }

    fn config(arguments: &[&str]) -> Config {
        let mut config = Config::default();
        for setting in run(arguments).settings {
            assert_eq!(setting.apply(&mut config), Ok(()));
        }
        config
    }

    #[test]
    fn one_dash_or_two_and_values_in_both_ways() {
        let forms: [&[&str]; 4] = [
            &["-config.file=a.yaml", "-config.expand-env=true"],
            &["--config.file=a.yaml", "--config.expand-env=true"],
            &["-config.file", "a.yaml", "-config.expand-env"],
            &["--config.expand-env=1", "--config.file", "a.yaml"],
        ];
        for form in forms {
            let got = run(form);
            assert_eq!(
                (got.config_file.as_deref(), got.expand_env, got.verify),
                (Some("a.yaml"), true, false)
            );
        }
    }

    #[test]
    fn flags_set_their_keys() {
        let config = config(&[
            "-target=all",
            "-server.http-listen-port=3333",
            "-storage.trace.backend=s3",
            "-storage.trace.s3.secret_key=x=y",
            "-storage.trace.blocklist_poll=30s",
            "-ingest.tls-enabled",
            "-ingest.topic",
            "true",
            "-live-store.instance-availability-zone=zone-a",
            "-live-storestore=inmemory",
            "-memberlist.host-port=a:1",
            "-memberlist.host-port=b:2",
            "-shards=4",
            "-memory.limit=512MiB",
            "-runtime.driver=epoll",
            "-runtime.disk=pwrite",
            "-ingest-log.embedded.path=/log",
            "-multitenancy.enabled=true",
            "-block-builder.assigned-partitions={a: [1, 2]}",
            "-reporting.enabled=false",
        ]);
        assert_eq!(config.server.http_listen_port, 3333);
        assert_eq!(config.storage.trace.s3.secret_key.reveal(), "x=y");
        assert_eq!(config.storage.trace.blocklist_poll, crate::types::secs(30));
        assert!(config.ingest.kafka.tls.tls_enabled);
        assert_eq!(config.ingest.kafka.topic, "true");
        assert_eq!(config.live_store.ring.instance_zone, "zone-a");
        assert_eq!(*config.memberlist.join_members, ["a:1", "b:2"]);
        assert_eq!((config.shards, config.memory.limit.0), (4, 512 << 20));
        assert_eq!(config.ingest_log_path(), "/log");
        assert_eq!(config.block_builder.assigned_partitions["a"], [1, 2]);
        assert!(config.is_multitenant() && !config.usage_report.reporting_enabled);
    }

    #[test]
    fn other_commands() {
        assert_eq!(Command::parse(&["-version"]), Ok(Command::Version));
        assert_eq!(
            Command::parse(&["-health", "-health.url=http://x/ready"]),
            Ok(Command::Health {
                url: "http://x/ready".to_string()
            })
        );
        let Ok(Command::Help(text)) = Command::parse(&["-help"]) else {
            panic!("no help")
        };
        assert!(
            text.contains("  -server.http-listen-port (default 3200)\n"),
            "{text}"
        );
    }

    #[test]
    fn wrong_command_lines_say_what_is_wrong() {
        for (arguments, want) in [
            (
                &["-storage.trace.backnd=local"][..],
                "flag provided but not defined: -storage.trace.backnd; did you mean -storage.trace.backend?",
            ),
            (&["-config.file"], "flag needs an argument: -config.file"),
            (
                &["-config.verify=maybe"],
                "invalid boolean value \"maybe\" for -config.verify",
            ),
            (
                &["-config.verify", "true"],
                "unexpected argument \"true\": boolean flags take their value after `=`, as in -config.verify=true",
            ),
            (
                &["-server.http-listen-port=99999"],
                "invalid value \"99999\" for flag -server.http-listen-port: expected a whole number from 0 to 65535, found `99999`",
            ),
            (
                &["-shutdown-delay=5"],
                "invalid value \"5\" for flag -shutdown-delay: `5`: a duration needs a unit: ns, us, ms, s, m or h",
            ),
        ] {
            assert_eq!(refused(arguments), want);
        }
    }
}
