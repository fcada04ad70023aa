//! Counting the spans of an OTLP request without looking into them: what a refused request is counted with.

/// Length-delimited fields with one number in a message; the walk ends quietly where the bytes make no sense.
struct Fields<'a> {
    bytes: &'a [u8],
    wanted: u64,
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], len: u64) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
    *bytes = rest;
    Some(head)
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let key = varint(&mut self.bytes)?;
            let field = match key & 7 {
                0 => {
                    varint(&mut self.bytes)?;
                    continue;
                }
                1 => take(&mut self.bytes, 8)?,
                5 => take(&mut self.bytes, 4)?,
                2 => {
                    let len = varint(&mut self.bytes)?;
                    take(&mut self.bytes, len)?
                }
                _ => return None,
            };
            if key == self.wanted << 3 | 2 {
                return Some(field);
            }
        }
    }
}

fn fields(bytes: &[u8], wanted: u64) -> Fields<'_> {
    Fields { bytes, wanted }
}

/// Spans of an `ExportTraceServiceRequest`, as far as its bytes can be read.
pub fn count_spans(request: &[u8]) -> u64 {
    let scopes = fields(request, 1).flat_map(|resource| fields(resource, 2));
    scopes.map(|scope| fields(scope, 2).count() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vivace_protocol::tempopb::otlp::{
        ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span,
    };

    proptest! {
        #[test]
        fn counts_what_a_decoder_sees(counts in proptest::collection::vec(proptest::collection::vec(0usize..9, 0..4), 0..4)) {
            use prost::Message;
            let span = Span { name: "x".repeat(200), trace_id: vec![1; 16], ..Span::default() };
            let scope = |count: &usize| ScopeSpans { spans: vec![span.clone(); *count], schema_url: "u".into(), ..ScopeSpans::default() };
            let resource = |scopes: &Vec<usize>| ResourceSpans { scope_spans: scopes.iter().map(scope).collect(), ..ResourceSpans::default() };
            let request = ExportTraceServiceRequest { resource_spans: counts.iter().map(resource).collect() };
            let bytes = request.encode_to_vec();
            prop_assert_eq!(count_spans(&bytes), counts.iter().flatten().sum::<usize>() as u64);
        }

        #[test]
        fn takes_any_bytes(bytes: Vec<u8>) {
            count_spans(&bytes);
        }
    }
}
