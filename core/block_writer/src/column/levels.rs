//! Levels of the leaves that hang at one place of the tree.

use crate::encode;

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
    scratch: Vec<u8>,
}

#[derive(Default)]
struct Encoded {
    /// Both levels of the required leaves.
    own: Vec<u8>,
    /// Repetition for leaves one level below, when no value repeats.
    rep_below: Vec<u8>,
    /// Definition for leaves one level below that are all absent.
    def_absent: Vec<u8>,
}

impl Levels {
    pub(crate) fn new(max_rep: u8, max_def: u8) -> Self {
        Self {
            max_rep,
            max_def,
            rep: Vec::new(),
            def: Vec::new(),
            encoded: Encoded::default(),
            scratch: Vec::new(),
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
        self.encoded.own.clear();
        self.encoded.rep_below.clear();
        self.encoded.def_absent.clear();
    }

    /// Appends the levels of the required leaves.
    pub(crate) fn append(&mut self, out: &mut Vec<u8>) {
        if self.max_rep == 0 {
            return;
        }
        if self.encoded.own.is_empty() {
            encode::levels(&self.rep, self.max_rep, &mut self.encoded.own);
            encode::levels(&self.def, self.max_def, &mut self.encoded.own);
        }
        out.extend_from_slice(&self.encoded.own);
    }

    /// Appends the levels of a leaf that has a value where `shapes` says `shape`: one level below, `repeated` or
    /// optional. `more` has the slots with more than one value, in order, and how many more. Returns the number of
    /// slots of the leaf.
    pub(crate) fn append_below(
        &mut self,
        below: Below<'_>,
        present: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let max_rep = self.max_rep + u8::from(below.repeated);
        let more: Vec<_> = below
            .more
            .iter()
            .filter(|(slot, _)| below.shapes[*slot as usize] == below.shape)
            .collect();
        if !more.is_empty() {
            return self.append_repeated(below, &more, max_rep, out);
        }
        if max_rep > 0 {
            if self.encoded.rep_below.is_empty() {
                encode::levels(&self.rep, self.max_rep + 1, &mut self.encoded.rep_below);
            }
            let same_width =
                encode::width_of(max_rep.into()) == encode::width_of((self.max_rep + 1).into());
            if same_width {
                out.extend_from_slice(&self.encoded.rep_below);
            } else {
                encode::levels(&self.rep, max_rep, out);
            }
        }
        if present == 0 {
            if self.encoded.def_absent.is_empty() {
                encode::levels(&self.def, self.max_def + 1, &mut self.encoded.def_absent);
            }
            out.extend_from_slice(&self.encoded.def_absent);
        } else {
            self.scratch.clear();
            let slots = self.def.iter().zip(below.shapes);
            self.scratch
                .extend(slots.map(|(def, shape)| def + u8::from(*shape == below.shape)));
            encode::levels(&self.scratch, self.max_def + 1, out);
        }
        self.rep.len()
    }

    fn append_repeated(
        &self,
        below: Below<'_>,
        more: &[&(u32, u32)],
        max_rep: u8,
        out: &mut Vec<u8>,
    ) -> usize {
        let (mut rep, mut def) = (Vec::new(), Vec::new());
        let mut more = more.iter().peekable();
        for slot in 0..self.rep.len() {
            let has = below.shapes[slot] == below.shape;
            rep.push(self.rep[slot]);
            def.push(self.def[slot] + u8::from(has));
            if let Some((_, count)) = more.next_if(|(place, _)| *place as usize == slot) {
                let len = rep.len() + *count as usize;
                rep.resize(len, max_rep);
                def.resize(len, self.max_def + 1);
            }
        }
        encode::levels(&rep, max_rep, out);
        encode::levels(&def, self.max_def + 1, out);
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
