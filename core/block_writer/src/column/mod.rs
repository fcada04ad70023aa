//! Leaves under construction: values of the current page, and the chunk of finished pages.

mod bounds;
mod chunk;
mod compressor;
mod dictionary;
mod integers;
mod leaf;
mod levels;
mod press;
mod sorted;
mod values;

pub(crate) use bounds::Bound;
pub(crate) use chunk::Finished;
pub(crate) use dictionary::{Numbered, Texts};
pub(crate) use integers::Integers;
pub(crate) use leaf::{Leaf, PageEnd, Presence};
pub(crate) use levels::{Levels, Shape};
pub(crate) use press::Press;
pub(crate) use values::{Booleans, ByteArrays, Doubles, Layout, Numbers, Values};
