//! The schema in the words of the `parquet` crate.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};
use vivace_block::schema::{self, Annotation, Logical, Node, Schema};

/// The root, named `Trace`.
pub(crate) fn root(schema: &Schema) -> Result<Type> {
    let fields = all(&schema.nodes)?;
    Type::group_type_builder("Trace")
        .with_fields(fields)
        .build()
}

fn all(nodes: &[Node]) -> Result<Vec<TypePtr>> {
    nodes.iter().map(|node| one(node).map(Arc::new)).collect()
}

fn one(node: &Node) -> Result<Type> {
    match node {
        Node::Group {
            name,
            repetition: repeated,
            annotation,
            children,
        } => {
            let (logical, converted) = match annotation {
                Annotation::None => (None, ConvertedType::NONE),
                Annotation::List => (Some(LogicalType::List), ConvertedType::LIST),
                Annotation::Map => (Some(LogicalType::Map), ConvertedType::MAP),
            };
            Type::group_type_builder(name)
                .with_repetition(repetition(*repeated))
                .with_logical_type(logical)
                .with_converted_type(converted)
                .with_fields(all(children)?)
                .build()
        }
        Node::Leaf(leaf) => {
            let (logical, converted) = logical(leaf.logical);
            Type::primitive_type_builder(&leaf.name, physical(leaf.physical))
                .with_repetition(repetition(leaf.repetition))
                .with_logical_type(logical)
                .with_converted_type(converted)
                .build()
        }
    }
}

fn repetition(repetition: schema::Repetition) -> Repetition {
    match repetition {
        schema::Repetition::Required => Repetition::REQUIRED,
        schema::Repetition::Optional => Repetition::OPTIONAL,
        schema::Repetition::Repeated => Repetition::REPEATED,
    }
}

fn physical(physical: schema::Physical) -> Physical {
    match physical {
        schema::Physical::Boolean => Physical::BOOLEAN,
        schema::Physical::Int32 => Physical::INT32,
        schema::Physical::Int64 => Physical::INT64,
        schema::Physical::Double => Physical::DOUBLE,
        schema::Physical::ByteArray => Physical::BYTE_ARRAY,
    }
}

fn logical(logical: Logical) -> (Option<LogicalType>, ConvertedType) {
    let integer = |bits: u8, is_signed| Some(LogicalType::integer(bits.cast_signed(), is_signed));
    match logical {
        Logical::None => (None, ConvertedType::NONE),
        Logical::String => (Some(LogicalType::String), ConvertedType::UTF8),
        Logical::Signed(bits) => {
            let converted = match bits {
                32 => ConvertedType::INT_32,
                _ => ConvertedType::INT_64,
            };
            (integer(bits, true), converted)
        }
        Logical::Unsigned(bits) => {
            let converted = match bits {
                32 => ConvertedType::UINT_32,
                _ => ConvertedType::UINT_64,
            };
            (integer(bits, false), converted)
        }
    }
}
