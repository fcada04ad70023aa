//! The command line.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

/// What `vivace block` is asked to do.
#[derive(Debug, Parser)]
#[command(
    name = "vivace block",
    about = "Looks at blocks: lists them, says what they are made of, checks them, prints traces.",
    long_about = "Looks at blocks: lists them, says what they are made of, checks them, prints traces.\n\n\
        A block is given as a folder of this computer:\n\n    \
        vivace block inspect /var/tempo/traces/single-tenant/401742ca-c857-45ce-946e-13343cdd9be8\n\n\
        or as a tenant and a block id in the bucket that a configuration names. Any flag of `vivace` itself, \
        such as -config.file=FILE or -storage.trace.backend=s3, says that the bucket is meant:\n\n    \
        vivace block -config.file=vivace.yaml inspect single-tenant 401742ca-c857-45ce-946e-13343cdd9be8\n\n\
        Nothing is ever written or deleted.",
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists blocks: format, level, times, traces, size, row groups, replication factor.
    ///
    /// Without a configuration the first argument is the folder of the bucket, and the second one a tenant.
    /// With a configuration the only argument is a tenant.
    ///
    /// Sorted by tenant, then by end, the latest first. Blocks whose meta cannot be read are named on standard error.
    ///
    /// Exit code: 0; 2 if something could not be read.
    #[command(
        override_usage = "vivace block list PATH [TENANT]\n       vivace block -config.file=FILE list [TENANT]"
    )]
    List {
        /// The folder of a bucket and perhaps a tenant, or with a configuration perhaps a tenant.
        #[arg(value_name = "PLACE", num_args = 0..=2)]
        place: Vec<OsString>,
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Says what a block is made of, column by column, the largest first.
    ///
    /// Printed are the meta, for each column type, encodings, codec, pages, values, nulls, sizes, share of the file,
    /// dictionary and bounds, then row groups, bloom filter and index. Sizes are summed over all row groups. Only the
    /// footer, page indexes, bloom shards and the beginning of each dictionary are read.
    ///
    /// Exit code: 0; 2 if the block could not be read.
    #[command(
        override_usage = "vivace block inspect PATH\n       vivace block -config.file=FILE inspect TENANT BLOCK"
    )]
    Inspect {
        #[command(flatten)]
        block: BlockPlace,
        /// One JSON object instead of tables.
        #[arg(long)]
        json: bool,
        /// Does not count entries of dictionaries, which takes a read for each column of each row group.
        #[arg(long)]
        no_dictionaries: bool,
    },
    /// Checks a block against every rule of the format that can be seen in it.
    ///
    /// Reads the whole block: meta, bloom filter, index, footer, page indexes, every page and every row. Each check has
    /// a name and says where it failed: row, row group, column, page, trace. At most ten places are named for a check.
    /// Progress goes to standard error.
    ///
    /// Exit code: 0 if all checks are ok, 1 if some failed, 2 if the block could not be read.
    #[command(
        override_usage = "vivace block verify PATH\n       vivace block -config.file=FILE verify TENANT BLOCK"
    )]
    Verify {
        #[command(flatten)]
        block: BlockPlace,
        /// A JSON list of all checks instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Prints one trace, or all, as OTLP JSON, each on a line of its own.
    ///
    /// Ids are hex. All traces come in the order of their ids.
    ///
    /// Exit code: 0; 1 if there is no such trace; 2 if the block could not be read.
    #[command(
        override_usage = "vivace block cat PATH [TRACE-ID]\n       vivace block -config.file=FILE cat TENANT BLOCK [TRACE-ID]"
    )]
    Cat {
        /// The folder of a block, or with a configuration a tenant and a block id; then perhaps a trace id in hex.
        #[arg(value_name = "PLACE", num_args = 1..=3, required = true)]
        place: Vec<OsString>,
    },
}

/// A folder, or a tenant and a block.
#[derive(Debug, Args)]
pub(crate) struct BlockPlace {
    /// The folder of a block, or with a configuration a tenant and a block id.
    #[arg(value_name = "PLACE", num_args = 1..=2, required = true)]
    pub place: Vec<OsString>,
}

/// Takes flags of the process out of the arguments: what begins with one dash, or has a dot in its name. Such a flag has
/// its value after `=`; only that of -config.file may be the next argument.
pub(crate) fn split(arguments: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut flags, mut rest) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let name = argument.trim_start_matches('-');
        let dashes = argument.len() - name.len();
        let name = name.split('=').next().unwrap_or_default();
        let is_flag = match dashes {
            1 => name.len() > 1,
            2 => name.contains('.'),
            _ => false,
        };
        if !is_flag {
            rest.push(argument.clone());
            continue;
        }
        // Both spellings of help are that of the command.
        if matches!(name, "help" | "json") {
            rest.push(format!("-{argument}"));
            continue;
        }
        flags.push(argument.clone());
        if name == "config.file"
            && !argument.contains('=')
            && let Some(value) = arguments.next()
        {
            flags.push(value.clone());
        }
    }
    (flags, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn split_line(line: &str) -> (String, String) {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (flags, rest) = split(&arguments);
        (flags.join(" "), rest.join(" "))
    }

    #[test]
    fn flags_of_the_process_are_taken_out() {
        for (line, flags, rest) in [
            ("list /x --json", "", "list /x --json"),
            ("list -json /x", "", "list --json /x"),
            ("-help", "", "--help"),
            ("list -h", "", "list -h"),
            ("-config.file=a list t", "-config.file=a", "list t"),
            (
                "list --config.file a t -storage.trace.backend=s3",
                "--config.file a -storage.trace.backend=s3",
                "list t",
            ),
        ] {
            assert_eq!(
                split_line(line),
                (flags.to_owned(), rest.to_owned()),
                "{line}"
            );
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
