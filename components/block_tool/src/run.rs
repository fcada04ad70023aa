//! From arguments to an exit code.

use std::ffi::OsString;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use clap::Parser;
use uuid::Uuid;
use vivace_block::keys;
use vivace_model::TraceId;

use crate::arguments::{Arguments, Command, split};
use crate::block::{BlockError, Place};
use crate::cat::{self, CatError};
use crate::folder::Folder;
use crate::source::{Source, SourceError};
use crate::{inspect, list, verify};

/// All went well.
pub const OK: u8 = 0;
/// Some checks failed, or there is no such trace.
pub const FAILED: u8 = 1;
/// Something could not be read, or the command line is wrong.
pub const UNREADABLE: u8 = 2;

/// Opens the bucket that flags of the process name, such as `-config.file=vivace.yaml`. The error is a message. Calls of
/// the source may wait: commands run on a thread where nothing else does.
pub type Connect<'a> = &'a dyn Fn(&[String]) -> Result<Box<dyn Source>, String>;

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Connect(String),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error("writing: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// Whether another try may help: where bytes did not come.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Source(error) => error.is_retryable(),
            Self::Block(error) => error.is_retryable(),
            Self::Usage(_) | Self::Connect(_) | Self::Output(_) => false,
        }
    }
}

impl From<CatError> for Error {
    fn from(error: CatError) -> Self {
        match error {
            CatError::Block(error) => Self::Block(error),
            CatError::Output(error) => Self::Output(error),
        }
    }
}

/// Does what the arguments after `vivace block` ask for, and gives the exit code. `connect` is called if there are flags
/// of the process among them. Whoever closes `out` early has read enough.
pub fn run(
    arguments: &[String],
    connect: Connect<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let (flags, rest) = split(arguments);
    let line = std::iter::once("vivace block".to_owned()).chain(rest);
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = error.render();
            // There is nobody left to tell.
            if error.use_stderr() {
                let _ = write!(err, "{text}");
                return UNREADABLE;
            }
            let _ = write!(out, "{text}");
            return OK;
        }
    };
    let mut out = BufWriter::new(out);
    let done = execute(arguments.command, &flags, connect, &mut out, err);
    match done.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => code,
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => OK,
        Err(error) => {
            let again = if error.is_retryable() {
                " (another try may help)"
            } else {
                ""
            };
            let _ = writeln!(err, "{error}{again}");
            UNREADABLE
        }
    }
}

fn execute(
    command: Command,
    flags: &[String],
    connect: Connect<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, Error> {
    let places = Places { flags, connect };
    match command {
        Command::List { place, json } => {
            let (source, tenant) = places.bucket(&place)?;
            let listing = list::read(&*source, tenant.as_deref())?;
            match json {
                true => listing.print_json(out)?,
                false => listing.print(out)?,
            }
            for error in &listing.broken {
                let _ = writeln!(err, "{error}");
            }
            Ok(if listing.broken.is_empty() {
                OK
            } else {
                UNREADABLE
            })
        }
        Command::Inspect {
            block,
            json,
            no_dictionaries,
        } => {
            let at = places.block(&block.place)?;
            at.nothing_more()?;
            let facts = inspect::inspect(&*at.source, &at.place, !no_dictionaries)?;
            match json {
                true => facts.print_json(out)?,
                false => facts.print(out)?,
            }
            Ok(OK)
        }
        Command::Verify { block, json } => {
            let at = places.block(&block.place)?;
            at.nothing_more()?;
            let report = verify::verify(&*at.source, &at.place, at.tenant_is_known, err)?;
            match json {
                true => writeln!(out, "{:#}", report.json())?,
                false => report.print(out)?,
            }
            Ok(if report.failed().is_empty() {
                OK
            } else {
                FAILED
            })
        }
        Command::Cat { place } => {
            let at = places.block(&place)?;
            let id = match at.rest.as_slice() {
                [] => None,
                [id] => {
                    Some(TraceId::from_hex(id).map_err(|error| Error::Usage(error.to_string()))?)
                }
                [_, more, ..] => return Err(Error::Usage(format!("unexpected argument {more:?}"))),
            };
            let found = cat::cat(&*at.source, &at.place, id, out)?;
            if let (false, Some(id)) = (found, id) {
                let _ = writeln!(err, "there is no trace {id} in the block");
                return Ok(FAILED);
            }
            Ok(OK)
        }
    }
}

/// Makes places of arguments.
struct Places<'a> {
    flags: &'a [String],
    connect: Connect<'a>,
}

/// A block, and what came after it.
struct At {
    source: Box<dyn Source>,
    place: Place,
    /// A folder may have been copied out of its tenant's.
    tenant_is_known: bool,
    rest: Vec<String>,
}

impl At {
    fn nothing_more(&self) -> Result<(), Error> {
        match self.rest.first() {
            None => Ok(()),
            Some(more) => Err(Error::Usage(format!("unexpected argument {more:?}"))),
        }
    }
}

fn text(argument: &OsString) -> Result<String, Error> {
    let text = argument.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::Usage(format!("{argument:?} is not UTF-8")))
}

fn texts(arguments: &[OsString]) -> Result<Vec<String>, Error> {
    arguments.iter().map(text).collect()
}

impl Places<'_> {
    fn connect(&self) -> Result<Box<dyn Source>, Error> {
        (self.connect)(self.flags).map_err(Error::Connect)
    }

    /// A bucket and perhaps a tenant.
    fn bucket(&self, place: &[OsString]) -> Result<(Box<dyn Source>, Option<String>), Error> {
        let (source, rest): (Box<dyn Source>, _) = match (self.flags, place) {
            ([], []) => {
                let what = "the folder of a bucket is missing, or a flag such as -config.file=FILE";
                return Err(Error::Usage(what.to_owned()));
            }
            ([], [path, rest @ ..]) => (Box::new(Folder::new(path)), rest),
            (_, rest) => (self.connect()?, rest),
        };
        let tenant = match rest {
            [] => None,
            [tenant] => Some(text(tenant)?),
            [_, more, ..] => return Err(Error::Usage(format!("unexpected argument {more:?}"))),
        };
        if let Some(tenant) = &tenant {
            list::check_tenant(tenant)?;
        }
        Ok((source, tenant))
    }

    fn block(&self, place: &[OsString]) -> Result<At, Error> {
        if self.flags.is_empty() {
            let [path, rest @ ..] = place else {
                return Err(Error::Usage("the folder of a block is missing".to_owned()));
            };
            return folder(Path::new(path), texts(rest)?);
        }
        let [tenant, block, rest @ ..] = place else {
            let what = "a tenant and a block id are needed, in that order";
            return Err(Error::Usage(what.to_owned()));
        };
        let tenant = text(tenant)?;
        list::check_tenant(&tenant)?;
        let block = text(block)?;
        let block = Uuid::try_parse(&block)
            .map_err(|error| Error::Usage(format!("{block:?} is no block id: {error}")))?;
        Ok(At {
            source: self.connect()?,
            place: Place { tenant, block },
            tenant_is_known: true,
            rest: texts(rest)?,
        })
    }
}

/// A block's folder: its name is the id, and that of the folder around it is taken for the tenant.
fn folder(path: &Path, rest: Vec<String>) -> Result<At, Error> {
    let shown = path.display();
    let whole = path
        .canonicalize()
        .map_err(|error| SourceError::new(shown.to_string(), error))?;
    let name = whole.file_name().and_then(|name| name.to_str());
    let Some(block) = name.and_then(keys::parse_block_id) else {
        return Err(Error::Usage(format!(
            "{shown}: no folder of a block: its name is not a block id"
        )));
    };
    let tenant = whole
        .parent()
        .and_then(|tenant| Some((tenant.parent()?, tenant.file_name()?.to_str()?)));
    let Some((root, tenant)) = tenant else {
        return Err(Error::Usage(format!(
            "{shown}: the folder is in no tenant's"
        )));
    };
    Ok(At {
        source: Box::new(Folder::new(root)),
        place: Place {
            tenant: tenant.to_owned(),
            block,
        },
        tenant_is_known: false,
        rest,
    })
}
