//! Other encodings: the same fields in another order, unknown fields between them, messages in pieces, values given
//! twice. Whatever comes out, prost says what it means.

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;

/// Fields of a message: key, and the bytes after it.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Vec<u8>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let before = bytes;
        let len = match key & 7 {
            0 => {
                varint(&mut bytes)?;
                before.len() - bytes.len()
            }
            1 => 8,
            2 => {
                let len = varint(&mut bytes)? as usize;
                before.len() - bytes.len() + len
            }
            5 => 4,
            _ => return None,
        };
        if len > before.len() || key >> 3 == 0 || key >> 3 > 2000 {
            return None;
        }
        fields.push((key, before[..len].to_vec()));
        bytes = &before[len..];
    }
    Some(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

pub fn put_varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

pub fn put_message(field: u64, message: &[u8], into: &mut Vec<u8>) {
    put_varint(field << 3 | 2, into);
    put_varint(message.len() as u64, into);
    into.extend_from_slice(message);
}

pub struct Rewriter<'a> {
    pub rng: &'a mut TestRng,
}

impl Rewriter<'_> {
    fn below(&mut self, limit: usize) -> usize {
        (self.rng.next_u64() % limit.max(1) as u64) as usize
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// Anything that parses as a message is treated as one, also where it is text.
    pub fn message(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(mut fields) = fields(bytes) else {
            return bytes.to_vec();
        };
        let mut extra = Vec::new();
        for (key, value) in &mut fields {
            if *key & 7 != 2 {
                if self.chance(8) {
                    extra.push((*key, value.clone()));
                }
                continue;
            }
            let mut rest = &value[..];
            let Some(_) = varint(&mut rest) else { continue };
            let mut inner = self.message(rest);
            if self.chance(6) {
                let cut = self.cut(&inner);
                let (first, second) = inner.split_at(cut);
                let mut piece = Vec::new();
                put_varint(second.len() as u64, &mut piece);
                piece.extend_from_slice(second);
                extra.push((*key, piece));
                inner = first.to_vec();
            }
            value.clear();
            put_varint(inner.len() as u64, value);
            value.extend_from_slice(&inner);
        }
        fields.append(&mut extra);
        if self.chance(4) {
            fields.push(self.unknown());
        }
        for last in (1..fields.len()).rev() {
            if self.chance(3) {
                let other = self.below(last + 1);
                fields.swap(last, other);
            }
        }
        let mut bytes = Vec::new();
        for (key, value) in fields {
            put_varint(key, &mut bytes);
            bytes.extend_from_slice(&value);
        }
        bytes
    }

    /// A border between two fields.
    fn cut(&mut self, message: &[u8]) -> usize {
        let Some(fields) = fields(message) else {
            return 0;
        };
        let keep = self.below(fields.len() + 1);
        fields[..keep]
            .iter()
            .map(|(key, value)| {
                let mut bytes = Vec::new();
                put_varint(*key, &mut bytes);
                bytes.len() + value.len()
            })
            .sum()
    }

    fn unknown(&mut self) -> (u64, Vec<u8>) {
        let field = [17, 100, 1000, 1999][self.below(4)];
        match self.below(4) {
            0 => (field << 3, vec![0x80, 1]),
            1 => (field << 3 | 1, vec![7; 8]),
            2 => (field << 3 | 2, vec![3, 1, 2, 3]),
            _ => (field << 3 | 5, vec![9; 4]),
        }
    }
}
