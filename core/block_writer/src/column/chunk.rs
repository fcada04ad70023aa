//! The finished pages of a leaf in the current row group.

use bytes::Bytes;
use parquet::basic::Encoding;

use super::bounds::{Bound, Order};
use super::press::{Kind, Press};
use crate::EncodeError;
use crate::pause::Pause;

/// What the indexes say of a page.
#[derive(Clone, Debug)]
pub(crate) struct PageFacts {
    /// Header included.
    pub(crate) bytes: u32,
    pub(crate) rows: u32,
    pub(crate) slots: u32,
    pub(crate) values: u32,
    /// None: no values, or a leaf without bounds.
    pub(crate) bounds: Option<(Bound, Bound)>,
    pub(crate) nan_count: Option<i64>,
}

/// Pages as they will stand in the file.
pub(crate) struct Chunk {
    /// Position of the leaf in the schema.
    leaf: usize,
    order: Order,
    pages: Vec<Bytes>,
    facts: Vec<PageFacts>,
    uncompressed: u64,
    encoding: Encoding,
}

/// A whole chunk.
pub(crate) struct Finished {
    pub(crate) leaf: usize,
    pub(crate) order: Order,
    /// The dictionary page; without a dictionary there is none.
    pub(crate) dictionary: Option<Bytes>,
    pub(crate) pages: Vec<Bytes>,
    pub(crate) facts: Vec<PageFacts>,
    /// Headers included, as in `pages` and `dictionary`.
    pub(crate) uncompressed: u64,
    /// That of all data pages.
    pub(crate) encoding: Encoding,
}

impl Finished {
    /// Of all data pages.
    pub(crate) fn pages_len(&self) -> u64 {
        self.pages.iter().map(|page| page.len() as u64).sum()
    }
}

impl Chunk {
    pub(crate) fn new(leaf: usize, order: Order) -> Self {
        Self {
            leaf,
            order,
            pages: Vec::new(),
            facts: Vec::new(),
            uncompressed: 0,
            encoding: Encoding::PLAIN,
        }
    }

    /// Adds the page whose body is in the press. `facts.bytes` is filled in here.
    pub(crate) async fn add<F: AsyncFn()>(
        &mut self,
        mut facts: PageFacts,
        kind: Kind,
        encoding: Encoding,
        press: &mut Press,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        let page = press.page(kind, pause).await?;
        self.uncompressed += page.uncompressed;
        facts.bytes = page.bytes.len() as u32;
        self.pages.push(page.bytes);
        self.encoding = encoding;
        self.facts.push(facts);
        Ok(())
    }

    /// Takes the pages. With a dictionary its body is in the press and it has `entries`.
    pub(crate) async fn take<F: AsyncFn()>(
        &mut self,
        entries: Option<u32>,
        press: &mut Press,
        pause: &mut Pause<F>,
    ) -> Result<Finished, EncodeError> {
        let dictionary = match entries {
            Some(entries) => {
                let page = press.page(Kind::Dictionary { entries }, pause).await?;
                self.uncompressed += page.uncompressed;
                Some(page.bytes)
            }
            None => None,
        };
        Ok(Finished {
            leaf: self.leaf,
            order: self.order,
            dictionary,
            pages: std::mem::take(&mut self.pages),
            facts: std::mem::take(&mut self.facts),
            uncompressed: std::mem::take(&mut self.uncompressed),
            encoding: self.encoding,
        })
    }
}
