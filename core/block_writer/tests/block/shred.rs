//! Records to slots, node by node of a footer's schema.

use std::collections::BTreeMap;

use parquet::basic::{ConvertedType, Repetition};
use parquet::schema::types::Type;

use crate::file::{Slot, Val};

/// A record, without the groups that a format puts around lists.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Group(BTreeMap<&'static str, Tree>),
    List(Vec<Tree>),
    Leaf(Val),
    /// An optional leaf that is absent.
    Nothing,
}

/// Slots of all leaves, by path.
pub type Slots = BTreeMap<String, Vec<Slot>>;

/// Adds the slots of a row.
pub fn shred(root: &Type, row: &Tree, out: &mut Slots) {
    for child in root.get_fields() {
        node(
            child,
            "",
            Some(member(row, child.name())),
            At::default(),
            out,
        );
    }
}

/// Levels at a node: those of the slot, and the repetitions above.
#[derive(Clone, Copy, Default)]
struct At {
    rep: i16,
    def: i16,
    depth: i16,
}

fn member<'t>(tree: &'t Tree, name: &str) -> &'t Tree {
    match tree {
        Tree::Group(members) => members
            .get(name)
            .unwrap_or_else(|| panic!("no member {name} in {tree:?}")),
        _ => panic!("{name} is no member of {tree:?}"),
    }
}

/// `tree`: None below a list without elements.
fn node(this: &Type, prefix: &str, tree: Option<&Tree>, at: At, out: &mut Slots) {
    let path = match prefix {
        "" => this.name().to_owned(),
        _ => format!("{prefix}.{}", this.name()),
    };
    let info = this.get_basic_info();
    if info.converted_type() == ConvertedType::LIST || info.converted_type() == ConvertedType::MAP {
        // The repeated group inside takes the list; in a LIST its only child is the element.
        let list = &this.get_fields()[0];
        let path = format!("{path}.{}", list.name());
        let is_list = info.converted_type() == ConvertedType::LIST;
        repeat(tree, at, |tree, at| {
            for child in list.get_fields() {
                let tree = tree.map(|tree| {
                    if is_list {
                        tree
                    } else {
                        member(tree, child.name())
                    }
                });
                node(child, &path, tree, at, out);
            }
        });
        return;
    }
    match info.repetition() {
        Repetition::REPEATED => repeat(tree, at, |tree, at| inside(this, &path, tree, at, out)),
        Repetition::OPTIONAL => match tree {
            Some(Tree::Nothing) | None => inside(this, &path, None, at, out),
            tree => {
                let def = at.def + 1;
                inside(this, &path, tree, At { def, ..at }, out);
            }
        },
        Repetition::REQUIRED => inside(this, &path, tree, at, out),
    }
}

fn repeat(tree: Option<&Tree>, at: At, mut each: impl FnMut(Option<&Tree>, At)) {
    match tree {
        None => each(None, at),
        Some(Tree::List(list)) if list.is_empty() => each(None, at),
        Some(Tree::List(list)) => {
            let depth = at.depth + 1;
            for (index, tree) in list.iter().enumerate() {
                let rep = if index == 0 { at.rep } else { depth };
                let def = at.def + 1;
                each(Some(tree), At { rep, def, depth });
            }
        }
        Some(tree) => panic!("{tree:?} is no list"),
    }
}

fn inside(this: &Type, path: &str, tree: Option<&Tree>, at: At, out: &mut Slots) {
    if this.is_group() {
        for child in this.get_fields() {
            node(
                child,
                path,
                tree.map(|tree| member(tree, child.name())),
                at,
                out,
            );
        }
        return;
    }
    let value = tree.map(|tree| match tree {
        Tree::Leaf(value) => value.clone(),
        _ => panic!("{path} is a leaf, not {tree:?}"),
    });
    let slot = Slot {
        rep: at.rep,
        def: at.def,
        value,
    };
    out.entry(path.to_owned()).or_default().push(slot);
}
