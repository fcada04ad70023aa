//! Keys of objects in a bucket (block-format.md §1.1, §1.2), below the prefix that may be configured.

use std::borrow::Cow;

use thiserror::Error;
use uuid::Uuid;

use crate::limits::MAX_TENANT_BYTES;

pub const META: &str = "meta.json";
pub const COMPACTED_META: &str = "meta.compacted.json";
pub const DATA: &str = "data.parquet";
pub const INDEX: &str = "index";
/// An empty object: the block must not be compacted yet.
pub const NO_COMPACT: &str = "nocompact.flg";
/// Followed by the number of the shard.
pub const BLOOM_PREFIX: &str = "bloom-";
pub const TENANT_INDEX_PROTOBUF: &str = "index.pb.zst";
pub const TENANT_INDEX_JSON: &str = "index.json.gz";
/// Of the usage reporter, beside the folders of tenants.
pub const CLUSTER_SEED: &str = "tempo_cluster_seed.json";
/// Of the scheduler, beside the folders of tenants.
pub const WORK: &str = "work.json";

/// An object of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockObject {
    /// Makes the block visible.
    Meta,
    /// Instead of [`BlockObject::Meta`] once the block has been compacted or is too old.
    CompactedMeta,
    Data,
    Bloom(u32),
    Index,
    NoCompact,
}

impl BlockObject {
    /// The last part of the key.
    pub fn file_name(self) -> Cow<'static, str> {
        match self {
            Self::Meta => META.into(),
            Self::CompactedMeta => COMPACTED_META.into(),
            Self::Data => DATA.into(),
            Self::Bloom(shard) => format!("{BLOOM_PREFIX}{shard}").into(),
            Self::Index => INDEX.into(),
            Self::NoCompact => NO_COMPACT.into(),
        }
    }

    /// The reverse of `file_name`; none: no object of a block.
    pub fn parse(file_name: &str) -> Option<Self> {
        Some(match file_name {
            META => Self::Meta,
            COMPACTED_META => Self::CompactedMeta,
            DATA => Self::Data,
            INDEX => Self::Index,
            NO_COMPACT => Self::NoCompact,
            _ => {
                let object = Self::Bloom(file_name.strip_prefix(BLOOM_PREFIX)?.parse().ok()?);
                // Neither `bloom-01` nor `bloom-+1` is one.
                return (object.file_name() == file_name).then_some(object);
            }
        })
    }
}

/// `<tenant>/<block>/<object>`
pub fn block_object(tenant: &str, block: Uuid, object: BlockObject) -> String {
    format!("{tenant}/{block}/{}", object.file_name())
}

/// `<tenant>/<block>/`
pub fn block_folder(tenant: &str, block: Uuid) -> String {
    format!("{tenant}/{block}/")
}

/// `<tenant>/`
pub fn tenant_folder(tenant: &str) -> String {
    format!("{tenant}/")
}

/// `<tenant>/index.pb.zst`
pub fn tenant_index_protobuf(tenant: &str) -> String {
    format!("{tenant}/{TENANT_INDEX_PROTOBUF}")
}

/// `<tenant>/index.json.gz`
pub fn tenant_index_json(tenant: &str) -> String {
    format!("{tenant}/{TENANT_INDEX_JSON}")
}

/// The block and the object that a listed key names; none for keys of other tenants, in folders that are no block ids,
/// and of files no block has.
pub fn parse_block_object(tenant: &str, key: &str) -> Option<(Uuid, BlockObject)> {
    let key = key.strip_prefix(tenant)?.strip_prefix('/')?;
    let (folder, file_name) = key.split_once('/')?;
    Some((parse_block_id(folder)?, BlockObject::parse(file_name)?))
}

/// The name of a block's folder: a UUID in lower case with hyphens, and in no other form, since the key is made from
/// the id again.
pub fn parse_block_id(folder: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(folder).ok()?;
    let mut text = Uuid::encode_buffer();
    (id.hyphenated().encode_lower(&mut text) == folder).then_some(id)
}

/// Whether a name listed at the top of a bucket is a tenant's folder. That a tenant may have that name is another
/// matter: [`check_tenant`].
pub fn is_tenant_folder(name: &str) -> bool {
    !matches!(name, "" | CLUSTER_SEED | WORK)
}

/// Why a name is no tenant's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TenantNameError {
    #[error("tenant name is empty")]
    Empty,
    #[error("tenant name of {0} bytes: at most {MAX_TENANT_BYTES} are possible")]
    TooLong(usize),
    #[error("tenant name {0:?} would be another folder")]
    Folder(String),
    #[error("tenant name {tenant:?} has the character {character:?}")]
    Character { tenant: String, character: char },
}

impl TenantNameError {
    /// The same name stays wrong.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Whether a tenant may have this name: it becomes a folder.
pub fn check_tenant(tenant: &str) -> Result<(), TenantNameError> {
    if tenant.is_empty() {
        return Err(TenantNameError::Empty);
    }
    if tenant.len() > MAX_TENANT_BYTES {
        return Err(TenantNameError::TooLong(tenant.len()));
    }
    if matches!(tenant, "." | "..") {
        return Err(TenantNameError::Folder(tenant.to_owned()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c);
    match tenant.chars().find(|&character| !allowed(character)) {
        None => Ok(()),
        Some(character) => Err(TenantNameError::Character {
            tenant: tenant.to_owned(),
            character,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: &str = "b27b0e53-66a0-4505-afd6-434ae3cd4a10";

    fn block() -> Uuid {
        Uuid::parse_str(BLOCK).unwrap()
    }

    #[test]
    fn keys_of_a_block() {
        for (object, name) in [
            (BlockObject::Meta, "meta.json"),
            (BlockObject::CompactedMeta, "meta.compacted.json"),
            (BlockObject::Data, "data.parquet"),
            (BlockObject::Bloom(0), "bloom-0"),
            (BlockObject::Bloom(999), "bloom-999"),
            (BlockObject::Index, "index"),
            (BlockObject::NoCompact, "nocompact.flg"),
        ] {
            let key = format!("team-1/{BLOCK}/{name}");
            assert_eq!(block_object("team-1", block(), object), key);
            assert_eq!(parse_block_object("team-1", &key), Some((block(), object)));
            assert!(key.starts_with(&block_folder("team-1", block())));
            assert!(key.starts_with(&tenant_folder("team-1")));
        }
        assert_eq!(tenant_index_protobuf("a"), "a/index.pb.zst");
        assert_eq!(tenant_index_json("a"), "a/index.json.gz");
    }

    #[test]
    fn other_keys_are_passed_over() {
        let upper = BLOCK.to_uppercase();
        let simple = BLOCK.replace('-', "");
        for key in [
            "a/index.pb.zst".to_owned(),
            "a/".to_owned(),
            "a".to_owned(),
            "ab".to_owned(),
            format!("b/{BLOCK}/meta.json"),
            format!("aa/{BLOCK}/meta.json"),
            format!("a/{upper}/meta.json"),
            format!("a/{simple}/meta.json"),
            format!("a/{{{BLOCK}}}/meta.json"),
            format!("a/{BLOCK}"),
            format!("a/{BLOCK}/"),
            format!("a/{BLOCK}/data"),
            format!("a/{BLOCK}/meta.json/x"),
            format!("a/{BLOCK}/bloom-"),
            format!("a/{BLOCK}/bloom-01"),
            format!("a/{BLOCK}/bloom-+1"),
            format!("a/{BLOCK}/bloom-4294967296"),
        ] {
            assert_eq!(parse_block_object("a", &key), None, "{key}");
        }
    }

    #[test]
    fn folders_of_tenants() {
        assert!(is_tenant_folder("single-tenant"));
        assert!(is_tenant_folder("overrides"));
        for name in ["", "tempo_cluster_seed.json", "work.json"] {
            assert!(!is_tenant_folder(name));
        }
    }

    #[test]
    fn names_of_tenants() {
        let longest = "x".repeat(150);
        for tenant in ["a", "Az09!-_.*'()", "...", ".a", &longest] {
            assert_eq!(check_tenant(tenant), Ok(()));
        }
        let message = |tenant: &str| check_tenant(tenant).unwrap_err().to_string();
        assert_eq!(message(""), "tenant name is empty");
        assert_eq!(message(".."), "tenant name \"..\" would be another folder");
        assert_eq!(message("."), "tenant name \".\" would be another folder");
        assert_eq!(message("a/b"), "tenant name \"a/b\" has the character '/'");
        assert_eq!(message("é"), "tenant name \"é\" has the character 'é'");
        assert_eq!(
            message(&"x".repeat(151)),
            "tenant name of 151 bytes: at most 150 are possible"
        );
    }

    proptest! {
        #[test]
        fn only_keys_that_are_made_are_parsed(key in "a?/?[0-9a-f-]{0,36}/?(meta.json|bloom-[0-9]{0,11}|index)?") {
            if let Some((block, object)) = parse_block_object("a", &key) {
                prop_assert_eq!(block_object("a", block, object), key);
            }
        }

        #[test]
        fn bloom_shards_of_any_number(shard in any::<u32>(), id in any::<u128>()) {
            let (block, object) = (Uuid::from_u128(id), BlockObject::Bloom(shard));
            let key = block_object("a", block, object);
            prop_assert_eq!(parse_block_object("a", &key), Some((block, object)));
        }
    }
}
