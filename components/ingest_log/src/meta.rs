//! `log.meta`: what holds for the whole log and never changes after its first start.
//!
//! Text, so that an operator can read it, with its own checksum:
//! ```text
//! vivace ingest log
//! version 1
//! partitions 2
//! created_unix_nano 1732323600000000000
//! salt 5f3b9c0d1e2f4a6b
//! crc32c 1a2b3c4d
//! ```
//! The version comes first and is looked at first: a later version may change all that follows.
//! The number of partitions is fixed, since offsets and committed positions are per partition.

use std::path::Path;

use crate::Error;
use crate::limits::MAX_PARTITIONS;

/// Name of the file in the log's directory.
pub const FILE: &str = "log.meta";
/// The one format version that this program reads and writes.
pub const VERSION: u32 = 1;

const TITLE: &str = "vivace ingest log";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub partitions: u32,
    pub created_unix_nano: u64,
    /// Random; part of the seed of every checksum (see [`crate::frame::FrameKey`]).
    pub salt: u64,
}

impl Meta {
    pub fn encode(&self) -> String {
        let mut text = format!(
            "{TITLE}\nversion {VERSION}\npartitions {}\ncreated_unix_nano {}\nsalt {:016x}\n",
            self.partitions, self.created_unix_nano, self.salt
        );
        let crc = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("crc32c {crc:08x}\n"));
        text
    }

    /// `file` is for the error's text only.
    pub fn decode(bytes: &[u8], file: &Path) -> Result<Meta, Error> {
        let damaged = |what: &str| Error::Damaged {
            file: file.to_path_buf(),
            what: what.to_owned(),
        };
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err(damaged("it does not start as the meta file of a log"));
        }
        let mut field = |name: &str| {
            lines
                .next()
                .and_then(|line| line.strip_prefix(name))
                .and_then(|rest| rest.strip_prefix(' '))
                .ok_or_else(|| damaged(&format!("the line `{name} ...` is missing")))
        };
        let version = field("version")?;
        if version != VERSION.to_string() {
            return Err(Error::UnknownVersion {
                file: file.to_path_buf(),
                found: version.chars().take(32).collect(),
                supported: VERSION,
            });
        }
        let partitions = field("partitions")?.parse();
        let created = field("created_unix_nano")?.parse();
        let salt = u64::from_str_radix(field("salt")?, 16);
        let crc = u32::from_str_radix(field("crc32c")?, 16);
        let (Ok(partitions), Ok(created_unix_nano), Ok(salt), Ok(crc)) =
            (partitions, created, salt, crc)
        else {
            return Err(damaged("a number in it cannot be read"));
        };
        let covered = text.find("crc32c ").unwrap_or(text.len());
        if crc32c::crc32c(&bytes[..covered]) != crc {
            return Err(damaged("its checksum does not match"));
        }
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(damaged(&format!("it says {partitions} partitions")));
        }
        Ok(Meta {
            partitions,
            created_unix_nano,
            salt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Result<Meta, Error> {
        Meta::decode(bytes, Path::new("log.meta"))
    }

    proptest! {
        #[test]
        fn round_trips(partitions in 1..=MAX_PARTITIONS, created_unix_nano: u64, salt: u64) {
            let meta = Meta { partitions, created_unix_nano, salt };
            prop_assert_eq!(decode(meta.encode().as_bytes()).unwrap(), meta);
        }

        #[test]
        fn damage_is_an_error(at: u16, bit in 0u32..8, cut: bool) {
            let mut bytes = Meta { partitions: 3, created_unix_nano: 1, salt: 2 }.encode().into_bytes();
            // The newline at the end carries nothing.
            let at = usize::from(at) % (bytes.len() - 1);
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            // A digit's case in a hexadecimal number is no damage.
            let harmless = decode(&bytes).is_ok_and(|meta| meta.encode().eq_ignore_ascii_case(&String::from_utf8_lossy(&bytes)));
            prop_assert!(harmless || decode(&bytes).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn another_version_is_named() {
        let text = "vivace ingest log\nversion 2\nwhatever comes then";
        let error = decode(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains("log.meta has format version 2; this program reads version 1"),
            "{error}"
        );
    }
}
