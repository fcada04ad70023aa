//! Cutting an answer into messages that are not too large.

use prost::Message;

/// Key and length of a list's element.
const ELEMENT_BYTES: usize = 6;

/// Divides `items` so that each piece has at most `max` bytes with `fixed` bytes beside the items; an item that is larger alone gets a
/// piece of its own. There is always one piece.
pub fn split<T: Message>(items: Vec<T>, fixed: usize, max: usize) -> Vec<Vec<T>> {
    split_by(items, fixed, max, |item| item.encoded_len())
}

/// `split` for items that are not messages.
pub fn split_by<T>(
    items: Vec<T>,
    fixed: usize,
    max: usize,
    bytes: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut pieces: Vec<Vec<T>> = Vec::new();
    let mut piece = Vec::new();
    let mut used = fixed;
    for item in items {
        let size = bytes(&item) + ELEMENT_BYTES;
        if !piece.is_empty() && used + size > max {
            pieces.push(std::mem::take(&mut piece));
            used = fixed;
        }
        used += size;
        piece.push(item);
    }
    if !piece.is_empty() || pieces.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::split_by;

    #[test]
    fn pieces_are_as_large_as_may_be() {
        let pieces = |sizes: &[usize], max| split_by(sizes.to_vec(), 10, max, |size| *size);
        assert_eq!(pieces(&[], 100), [[0usize; 0]]);
        assert_eq!(pieces(&[20, 20, 20], 100), [vec![20, 20, 20]]);
        assert_eq!(pieces(&[20, 20, 20], 87), [vec![20, 20], vec![20]]);
        assert_eq!(pieces(&[500, 1, 500], 100), [[500], [1], [500]]);
    }
}
