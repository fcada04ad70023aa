//! Attribute values as they stand in a batch: a type and 64 bits.

/// A string of one batch or builder. Equal strings of a built batch have equal ids; 0 is the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StringId(pub u32);

/// A resource of one batch or builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u32);

/// An instrumentation scope of one batch or builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u32);

/// The kinds of OTLP's `AnyValue`, with its field numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// An `AnyValue` (or none at all) without a value.
    Empty = 0,
    String = 1,
    Bool = 2,
    Int = 3,
    Double = 4,
    Array = 5,
    KvList = 6,
    Bytes = 7,
}

impl ValueType {
    /// None for the codes 8 to 15, which no valid batch holds.
    pub fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Empty,
            1 => Self::String,
            2 => Self::Bool,
            3 => Self::Int,
            4 => Self::Double,
            5 => Self::Array,
            6 => Self::KvList,
            7 => Self::Bytes,
            _ => return None,
        })
    }

    /// Whether the value is a range of elements.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Array | Self::KvList)
    }
}

/// A value that belongs to one builder: its strings, bytes and lists are already stored there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub(crate) kind: ValueType,
    /// Lists inside each other, this one included; 0 for what is not a list.
    pub(crate) depth: u8,
    pub(crate) bits: u64,
}

impl Value {
    pub const EMPTY: Self = Self::flat(ValueType::Empty, 0);

    #[inline]
    pub(crate) const fn flat(kind: ValueType, bits: u64) -> Self {
        Self {
            kind,
            depth: 0,
            bits,
        }
    }

    #[inline]
    pub fn string(id: StringId) -> Self {
        Self::flat(ValueType::String, u64::from(id.0))
    }

    #[inline]
    pub fn bool(value: bool) -> Self {
        Self::flat(ValueType::Bool, u64::from(value))
    }

    #[inline]
    pub fn int(value: i64) -> Self {
        Self::flat(ValueType::Int, value.cast_unsigned())
    }

    #[inline]
    pub fn double(value: f64) -> Self {
        Self::flat(ValueType::Double, value.to_bits())
    }

    pub fn kind(self) -> ValueType {
        self.kind
    }
}

/// The bits of a key column for a key and the type of its value.
#[inline]
pub(crate) fn key_bits(key: StringId, kind: ValueType) -> u32 {
    key.0 << 4 | kind as u32
}

/// The bits of a blob or list: where it starts and how long it is.
#[inline]
pub(crate) fn range_bits(start: u32, len: u32) -> u64 {
    u64::from(start) | u64::from(len) << 32
}

/// The reverse of `range_bits`: start and length.
#[inline]
pub(crate) fn range_of(bits: u64) -> (usize, usize) {
    ((bits & 0xffff_ffff) as usize, (bits >> 32) as usize)
}
