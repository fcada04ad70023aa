//! Levels of the leaves that hang at one place of the tree.

use super::compressor::What;
use super::press::{Frame, Press};
use crate::EncodeError;
use crate::encode;
use crate::limits::FRAMED_BYTES;
use crate::pause::Pause;

/// What the value of an attribute is, or that there is none.
pub(crate) type Shape = u8;

/// Repetition and definition levels of the current page, one entry a slot, for all required leaves at one place. The
/// levels of optional and repeated leaves below follow from them.
pub(crate) struct Levels {
    pub(crate) max_rep: u8,
    pub(crate) max_def: u8,
    rep: Vec<u8>,
    def: Vec<u8>,
    /// As encoded for the current page, made when first asked for.
    encoded: Encoded,
    /// Levels of one leaf that no other has.
    scratch_rep: Kept,
    scratch: Kept,
    /// Definition levels of one leaf below, before they are encoded.
    below: Vec<u8>,
}

/// Levels of a page, made when first asked for and then taken by all leaves that have the same.
#[derive(Default)]
struct Encoded {
    /// Repetition in the bits that the place needs, and in those that one level below needs if they are more.
    rep: Kept,
    rep_wider: Kept,
    /// Definition of the required leaves.
    def: Kept,
    /// Definition for leaves one level below that are all absent.
    def_absent: Kept,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// The same compressed; empty for so few bytes that they better are compressed with the values.
    frame: Frame,
}

impl Kept {
    fn clear(&mut self) {
        self.bytes.clear();
        self.frame.clear();
    }

    /// Appends the levels to a page. What stands behind bytes of the body belongs to the body.
    async fn append<F: AsyncFn()>(
        &mut self,
        what: What,
        press: &mut Press,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        if self.bytes.len() < FRAMED_BYTES || !press.body.is_empty() {
            press.body.extend_from_slice(&self.bytes);
            return Ok(());
        }
        if self.frame.is_empty() {
            press
                .frame(&self.bytes, what, &mut self.frame, pause)
                .await?;
        }
        press.append(&self.frame);
        Ok(())
    }
}

impl Levels {
    pub(crate) fn new(max_rep: u8, max_def: u8) -> Self {
        Self {
            max_rep,
            max_def,
            rep: Vec::new(),
            def: Vec::new(),
            encoded: Encoded::default(),
            scratch_rep: Kept::default(),
            scratch: Kept::default(),
            below: Vec::new(),
        }
    }

    /// One slot: a value of every required leaf if `def` is the maximum.
    #[inline]
    pub(crate) fn push(&mut self, rep: u8, def: u8) {
        self.rep.push(rep);
        self.def.push(def);
    }

    pub(crate) fn len(&self) -> usize {
        self.rep.len()
    }

    pub(crate) fn clear(&mut self) {
        self.rep.clear();
        self.def.clear();
        let Encoded {
            rep,
            rep_wider,
            def,
            def_absent,
        } = &mut self.encoded;
        for kept in [rep, rep_wider, def, def_absent] {
            kept.clear();
        }
    }

    /// Appends the levels of the required leaves.
    pub(crate) async fn append<F: AsyncFn()>(
        &mut self,
        press: &mut Press,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        if self.max_rep == 0 {
            return Ok(());
        }
        self.append_rep(self.max_rep, press, pause).await?;
        let def = &mut self.encoded.def;
        if def.bytes.is_empty() {
            encode::levels(&self.def, self.max_def, &mut def.bytes);
        }
        def.append(What::Values, press, pause).await
    }

    /// Appends the repetition levels for a leaf that has no others.
    async fn append_rep<F: AsyncFn()>(
        &mut self,
        max_rep: u8,
        press: &mut Press,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        let width = |max: u8| encode::width_of(max.into());
        let kept = if width(max_rep) == width(self.max_rep) {
            &mut self.encoded.rep
        } else {
            &mut self.encoded.rep_wider
        };
        if kept.bytes.is_empty() {
            encode::levels(&self.rep, max_rep, &mut kept.bytes);
        }
        kept.append(What::Repetition, press, pause).await
    }

    /// Appends the levels of a leaf that has a value where `shapes` says `shape`: one level below, `repeated` or
    /// optional. `more` has the slots with more than one value, in order, and how many more. Returns the number of
    /// slots of the leaf.
    pub(crate) async fn append_below<F: AsyncFn()>(
        &mut self,
        below: Below<'_>,
        present: usize,
        press: &mut Press,
        pause: &mut Pause<F>,
    ) -> Result<usize, EncodeError> {
        let max_rep = self.max_rep + u8::from(below.repeated);
        let more: Vec<_> = below
            .more
            .iter()
            .filter(|(slot, _)| below.shapes[*slot as usize] == below.shape)
            .collect();
        self.scratch.clear();
        if !more.is_empty() {
            let slots = self.repeated(below, &more, max_rep);
            let own = &mut self.scratch_rep;
            own.append(What::Repetition, press, pause).await?;
            self.scratch.append(What::Values, press, pause).await?;
            return Ok(slots);
        }
        if max_rep > 0 {
            self.append_rep(max_rep, press, pause).await?;
        }
        let this = &mut self.scratch;
        if present == 0 {
            let def_absent = &mut self.encoded.def_absent;
            if def_absent.bytes.is_empty() {
                encode::levels(&self.def, self.max_def + 1, &mut def_absent.bytes);
            }
            def_absent.append(What::Values, press, pause).await?;
        } else {
            self.below.clear();
            let slots = self.def.iter().zip(below.shapes);
            self.below
                .extend(slots.map(|(def, shape)| def + u8::from(*shape == below.shape)));
            encode::levels(&self.below, self.max_def + 1, &mut this.bytes);
            this.append(What::Values, press, pause).await?;
        }
        Ok(self.rep.len())
    }

    /// Encodes the levels of a leaf with several values in some slots.
    fn repeated(&mut self, below: Below<'_>, more: &[&(u32, u32)], max_rep: u8) -> usize {
        let len = self.rep.len() + more.iter().map(|(_, count)| *count as usize).sum::<usize>();
        let (mut rep, mut def) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let mut slot = 0;
        let ends = more
            .iter()
            .map(|(place, count)| (*place as usize + 1, *count as usize));
        for (end, count) in ends.chain([(self.rep.len(), 0)]) {
            rep.extend_from_slice(&self.rep[slot..end]);
            let slots = self.def[slot..end].iter().zip(&below.shapes[slot..end]);
            def.extend(slots.map(|(def, shape)| def + u8::from(*shape == below.shape)));
            rep.resize(rep.len() + count, max_rep);
            def.resize(def.len() + count, self.max_def + 1);
            slot = end;
        }
        self.scratch_rep.clear();
        encode::levels(&rep, max_rep, &mut self.scratch_rep.bytes);
        encode::levels(&def, self.max_def + 1, &mut self.scratch.bytes);
        rep.len()
    }
}

/// Where a leaf one level below has values.
#[derive(Clone, Copy)]
pub(crate) struct Below<'b> {
    pub(crate) shapes: &'b [Shape],
    pub(crate) shape: Shape,
    /// Slots with several values, and how many more than one.
    pub(crate) more: &'b [(u32, u32)],
    pub(crate) repeated: bool,
}
