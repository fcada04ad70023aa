//! Sorting texts that lie anywhere in memory: each is fetched once, and compared by what is kept of it nearby.

/// Words that are kept of a text.
const WORDS: usize = 4;
const WORD: usize = size_of::<u64>();

/// Something to be sorted: its number, and what it is compared by now.
#[derive(Clone, Copy)]
pub(super) struct Item {
    key: u64,
    index: u32,
}

/// Things in the order of their keys.
pub(super) struct ByKey {
    items: Vec<Item>,
}

impl ByKey {
    pub(super) fn new(keys: impl Iterator<Item = u64>) -> Self {
        let items = (0..).zip(keys).map(|(index, key)| Item { key, index });
        let mut items: Vec<_> = items.collect();
        items.sort_unstable_by_key(|item| (item.key, item.index));
        Self { items }
    }

    /// Those with equal keys.
    pub(super) fn alike(&mut self) -> impl Iterator<Item = &mut [Item]> {
        self.items.chunk_by_mut(|a, b| a.key == b.key)
    }

    /// Numbers of things as they are sorted now.
    pub(super) fn indexes(&self) -> impl Iterator<Item = u32> {
        self.items.iter().map(|item| item.index)
    }
}

/// Sorts by what `text` says of the numbers. Keys are lost.
pub(super) fn by_text<'t>(items: &mut [Item], text: impl Fn(u32) -> &'t [u8]) {
    if items.len() < 2 {
        return;
    }
    let all: Vec<u32> = items.iter().map(|item| item.index).collect();
    let beginnings: Vec<_> = all.iter().map(|index| beginning(text(*index))).collect();
    for (place, item) in (0..).zip(&mut *items) {
        item.index = place;
    }
    by_word(items, 0, &beginnings, &|place| text(all[place as usize]));
    for item in items {
        item.index = all[item.index as usize];
    }
}

/// The first words of a text, zeros behind its end.
fn beginning(text: &[u8]) -> [u64; WORDS] {
    let mut bytes = [0; WORDS * WORD];
    let len = text.len().min(bytes.len());
    bytes[..len].copy_from_slice(&text[..len]);
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|word| u64::from_be_bytes(words[word]))
}

/// Sorts texts that have equal words before `word`.
fn by_word<'t>(
    items: &mut [Item],
    mut word: usize,
    beginnings: &[[u64; WORDS]],
    text: &impl Fn(u32) -> &'t [u8],
) {
    let [first, others @ ..] = &*items else {
        return;
    };
    let first = &beginnings[first.index as usize];
    let is_same = |word: usize| {
        (others.iter()).all(|one| beginnings[one.index as usize][word] == first[word])
    };
    while word < WORDS && is_same(word) {
        word += 1;
    }
    if word == WORDS {
        items.sort_unstable_by(|a, b| text(a.index).cmp(text(b.index)));
        return;
    }
    for item in &mut *items {
        item.key = beginnings[item.index as usize][word];
    }
    items.sort_unstable_by_key(|item| item.key);
    for alike in items.chunk_by_mut(|a, b| a.key == b.key) {
        if alike.len() > 1 {
            by_word(alike, word + 1, beginnings, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_texts_compare(
            texts in prop::collection::btree_set("(https://|)(a{0,20}|b{30}|)[a\0]{0,12}", 0..60)
                .prop_map(|texts| texts.into_iter().collect::<Vec<_>>())
                .prop_shuffle(),
        ) {
            let mut by_key = ByKey::new(texts.iter().map(|text| text.starts_with('h').into()));
            for alike in by_key.alike() {
                by_text(alike, |index| texts[index as usize].as_bytes());
            }
            let mut expected: Vec<_> = (0..texts.len() as u32).collect();
            expected.sort_by_key(|index| {
                let text = &texts[*index as usize];
                (text.starts_with('h'), text)
            });
            prop_assert_eq!(by_key.indexes().collect::<Vec<_>>(), expected);
        }
    }
}
