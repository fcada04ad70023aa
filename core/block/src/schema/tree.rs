//! The tree of a schema and its leaves.

use super::column::{AttributeLeaf, AttributeOwner, Column};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Physical {
    Boolean,
    Int32,
    Int64,
    Double,
    ByteArray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logical {
    None,
    String,
    Signed(u8),
    Unsigned(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    Required,
    Optional,
    Repeated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotation {
    None,
    List,
    Map,
}

/// What Tempo encodes a leaf with. A dictionary is a must where it stands (readers decide from it alone); for the others
/// any encoding of Parquet that Tempo reads will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Dictionary,
    Delta,
    DeltaLength,
    Plain,
}

/// What Tempo compresses a leaf with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    Snappy,
    Zstd,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Group {
        name: &'static str,
        repetition: Repetition,
        annotation: Annotation,
        children: Vec<Node>,
    },
    Leaf(LeafNode),
}

#[derive(Clone, Debug, PartialEq)]
pub struct LeafNode {
    pub name: String,
    pub column: Column,
    pub repetition: Repetition,
    pub physical: Physical,
    pub logical: Logical,
    pub encoding: Encoding,
    pub codec: Codec,
    /// Whether chunk and page bounds are left out (blobs).
    pub unbounded: bool,
}

/// A leaf with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Names from below the root on, with dots between.
    pub path: String,
    pub column: Column,
    pub repetition: Repetition,
    pub physical: Physical,
    pub logical: Logical,
    pub encoding: Encoding,
    pub codec: Codec,
    pub unbounded: bool,
    /// Repeated levels above and including the leaf.
    pub max_rep: u8,
    /// Repeated and optional levels above and including the leaf.
    pub max_def: u8,
}

pub(super) fn leaves(nodes: &[Node]) -> Vec<Leaf> {
    let mut out = Vec::new();
    walk(nodes, "", 0, 0, &mut out);
    out
}

fn walk(nodes: &[Node], prefix: &str, rep: u8, def: u8, out: &mut Vec<Leaf>) {
    let join = |name: &str| match prefix {
        "" => name.to_owned(),
        _ => format!("{prefix}.{name}"),
    };
    let deeper = |repetition: Repetition| {
        let repeated = u8::from(repetition == Repetition::Repeated);
        let defined = u8::from(repetition != Repetition::Required);
        (rep + repeated, def + defined)
    };
    for node in nodes {
        match node {
            Node::Group {
                name,
                repetition,
                children,
                ..
            } => {
                let (rep, def) = deeper(*repetition);
                walk(children, &join(name), rep, def, out);
            }
            Node::Leaf(leaf) => {
                let (max_rep, max_def) = deeper(leaf.repetition);
                out.push(Leaf {
                    path: join(&leaf.name),
                    column: leaf.column,
                    repetition: leaf.repetition,
                    physical: leaf.physical,
                    logical: leaf.logical,
                    encoding: leaf.encoding,
                    codec: leaf.codec,
                    unbounded: leaf.unbounded,
                    max_rep,
                    max_def,
                });
            }
        }
    }
}

/// A required group without annotation.
pub(super) fn group(name: &'static str, children: Vec<Node>) -> Node {
    Node::Group {
        name,
        repetition: Repetition::Required,
        annotation: Annotation::None,
        children,
    }
}

/// A bare repeated group, version 5's lists.
pub(super) fn repeated(name: &'static str, children: Vec<Node>) -> Node {
    Node::Group {
        name,
        repetition: Repetition::Repeated,
        annotation: Annotation::None,
        children,
    }
}

/// A list of three levels, version 4's.
pub(super) fn list(name: &'static str, children: Vec<Node>) -> Node {
    list_of(name, group("element", children))
}

pub(super) fn list_of(name: &'static str, element: Node) -> Node {
    Node::Group {
        name,
        repetition: Repetition::Required,
        annotation: Annotation::List,
        children: vec![repeated("list", vec![element])],
    }
}

pub(super) fn leaf(
    name: &str,
    column: Column,
    physical: Physical,
    logical: Logical,
    encoding: Encoding,
    codec: Codec,
) -> LeafNode {
    LeafNode {
        name: name.to_owned(),
        column,
        repetition: Repetition::Required,
        physical,
        logical,
        encoding,
        codec,
        unbounded: false,
    }
}

/// Text with a dictionary.
pub(super) fn text(name: &str, column: Column, codec: Codec) -> Node {
    Node::Leaf(leaf(
        name,
        column,
        Physical::ByteArray,
        Logical::String,
        Encoding::Dictionary,
        codec,
    ))
}

/// Text without a dictionary, compressed.
pub(super) fn long_text(name: &str, column: Column) -> Node {
    Node::Leaf(leaf(
        name,
        column,
        Physical::ByteArray,
        Logical::String,
        Encoding::DeltaLength,
        Codec::Snappy,
    ))
}

/// An id.
pub(super) fn bytes(name: &str, column: Column) -> Node {
    Node::Leaf(leaf(
        name,
        column,
        Physical::ByteArray,
        Logical::None,
        Encoding::DeltaLength,
        Codec::None,
    ))
}

/// A number, delta encoded, not compressed.
pub(super) fn number(name: &str, column: Column, logical: Logical) -> Node {
    Node::Leaf(leaf(
        name,
        column,
        physical_of(logical),
        logical,
        Encoding::Delta,
        Codec::None,
    ))
}

/// A number that is nearly always 0, compressed.
pub(super) fn count(name: &str, column: Column, encoding: Encoding) -> Node {
    Node::Leaf(leaf(
        name,
        column,
        Physical::Int32,
        Logical::Signed(32),
        encoding,
        Codec::Snappy,
    ))
}

fn physical_of(logical: Logical) -> Physical {
    match logical {
        Logical::Signed(32) | Logical::Unsigned(32) => Physical::Int32,
        _ => Physical::Int64,
    }
}

/// The four value leaves of a generic attribute: name, meaning, type.
const VALUES: [(&str, AttributeLeaf, Physical, Logical, Encoding); 4] = [
    (
        "Value",
        AttributeLeaf::String,
        Physical::ByteArray,
        Logical::String,
        Encoding::Dictionary,
    ),
    (
        "ValueInt",
        AttributeLeaf::Int,
        Physical::Int64,
        Logical::Signed(64),
        Encoding::Plain,
    ),
    (
        "ValueDouble",
        AttributeLeaf::Double,
        Physical::Double,
        Logical::None,
        Encoding::Plain,
    ),
    (
        "ValueBool",
        AttributeLeaf::Bool,
        Physical::Boolean,
        Logical::None,
        Encoding::Plain,
    ),
];

/// The leaves of a generic attribute. `value` makes the node of a value leaf from its name and a required leaf.
pub(super) fn attribute(
    owner: AttributeOwner,
    value: impl Fn(&'static str, LeafNode) -> Node,
) -> Vec<Node> {
    let column = |leaf| Column::Attribute(owner, leaf);
    let mut nodes = vec![
        text("Key", column(AttributeLeaf::Key), Codec::Snappy),
        Node::Leaf(leaf(
            "IsArray",
            column(AttributeLeaf::IsArray),
            Physical::Boolean,
            Logical::None,
            Encoding::Plain,
            Codec::Snappy,
        )),
    ];
    for (name, kind, physical, logical, encoding) in VALUES {
        let node = leaf(
            name,
            column(kind),
            physical,
            logical,
            encoding,
            Codec::Snappy,
        );
        nodes.push(value(name, node));
    }
    nodes.push(optional(long_text(
        "ValueUnsupported",
        column(AttributeLeaf::Unsupported),
    )));
    nodes
}

pub(super) fn optional(node: Node) -> Node {
    with_repetition(node, Repetition::Optional)
}

pub(super) fn with_repetition(node: Node, repetition: Repetition) -> Node {
    match node {
        Node::Leaf(leaf) => Node::Leaf(LeafNode { repetition, ..leaf }),
        group => group,
    }
}
