//! The bytes of a simulated file: pages that copies share until one of them is written to, so that a preallocated segment costs
//! nothing and a crash copies no data.

use std::collections::BTreeMap;
use std::rc::Rc;

const PAGE: u64 = 4096;

#[derive(Clone, Default)]
pub(super) struct Content {
    /// Pages that are not here are zeros.
    pages: BTreeMap<u64, Rc<[u8; PAGE as usize]>>,
    len: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            // Both are less than PAGE.
            let within = (at % PAGE) as usize;
            let count = rest.len().min(PAGE as usize - within);
            let (now, later) = rest.split_at(count);
            let zeros = || Rc::new([0; PAGE as usize]);
            let page = self.pages.entry(at / PAGE).or_insert_with(zeros);
            Rc::make_mut(page)[within..within + count].copy_from_slice(now);
            at += count as u64;
            rest = later;
        }
        self.len = self.len.max(at);
    }

    /// Up to `len` bytes from `offset` on; fewer where the file ends.
    pub(super) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let end = self.len.min(offset.saturating_add(len as u64));
        let mut out = Vec::new();
        let mut at = offset;
        while at < end {
            let within = (at % PAGE) as usize;
            let count = (end - at).min(PAGE - at % PAGE) as usize;
            match self.pages.get(&(at / PAGE)) {
                Some(page) => out.extend_from_slice(&page[within..within + count]),
                None => out.resize(out.len() + count, 0),
            }
            at += count as u64;
        }
        out
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            if let Some(page) = self.pages.get_mut(&(len / PAGE)) {
                Rc::make_mut(page)[(len % PAGE) as usize..].fill(0);
            }
        }
        self.len = len;
    }

    /// Extends the file if it is shorter.
    pub(super) fn grow_to(&mut self, len: u64) {
        self.len = self.len.max(len);
    }
}
