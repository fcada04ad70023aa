//! Resources and scopes.

use vivace_model::{BatchFull, Owner, ResourceId, ScopeId};

use super::rejected::Reason;
use super::values::Sink;
use super::wire::{Range, Reader, Result};

/// What became of a resource or scope.
pub(super) type Stored<Id> = std::result::Result<Id, Reason>;

impl Sink {
    /// Stores a resource that came in these pieces; forgets it when it can't be kept.
    pub(super) fn resource(
        &mut self,
        request: &[u8],
        payloads: &[Range],
        schema_url: Range,
    ) -> Result<Stored<ResourceId>> {
        self.refused = None;
        let mut dropped = 0;
        let mut entity_refs = Vec::new();
        for &payload in payloads {
            let mut fields = Reader::range(request, payload);
            while let Some(key) = fields.key()? {
                match key {
                    0x0a => {
                        let message = fields.message()?;
                        self.attribute(Owner::Resource, message)?;
                    }
                    0x10 => dropped = fields.varint()? as u32,
                    0x1a => self.entity_ref(fields.message()?, &mut entity_refs)?,
                    _ => fields.skip(key, 3)?,
                }
            }
        }
        let schema_url = self.string(schema_url.of(request));
        let stored = self.stored(|sink| sink.builder.resource(dropped, schema_url, &entity_refs));
        Ok(stored)
    }

    /// As `resource`, for a scope.
    pub(super) fn scope(
        &mut self,
        request: &[u8],
        payloads: &[Range],
        schema_url: Range,
    ) -> Result<Stored<ScopeId>> {
        self.refused = None;
        let (mut name, mut version, mut dropped) = (&[][..], &[][..], 0);
        for &payload in payloads {
            let mut fields = Reader::range(request, payload);
            while let Some(key) = fields.key()? {
                match key {
                    0x0a => name = fields.payload()?,
                    0x12 => version = fields.payload()?,
                    0x1a => {
                        let message = fields.message()?;
                        self.attribute(Owner::Scope, message)?;
                    }
                    0x20 => dropped = fields.varint()? as u32,
                    _ => fields.skip(key, 4)?,
                }
            }
        }
        let (name, version) = (self.string(name), self.string(version));
        let schema_url = self.string(schema_url.of(request));
        Ok(self.stored(|sink| sink.builder.scope(name, version, dropped, schema_url)))
    }

    fn stored<Id>(
        &mut self,
        store: impl FnOnce(&mut Self) -> std::result::Result<Id, BatchFull>,
    ) -> Stored<Id> {
        let stored = match self.refused.take() {
            Some(reason) => Err(reason),
            None => store(self).map_err(|BatchFull| Reason::TooLarge),
        };
        if stored.is_err() {
            self.builder.abort();
        }
        stored
    }

    /// Appends an EntityRef, field 3 of a Resource, as it is; with its texts repaired where they are not UTF-8.
    fn entity_ref(&mut self, message: Reader<'_>, into: &mut Vec<u8>) -> Result {
        let mut repaired = Vec::new();
        let (mut fields, mut broken_texts) = (message, 0);
        while let Some(key) = fields.key()? {
            match key {
                0x0a | 0x12 | 0x1a | 0x22 => {
                    let payload = fields.payload()?;
                    let text = String::from_utf8_lossy(payload);
                    broken_texts += u64::from(matches!(text, std::borrow::Cow::Owned(_)));
                    put_payload(key as u8, text.as_bytes(), &mut repaired);
                }
                _ => fields.skip(key, 4)?,
            }
        }
        self.counts.repaired_utf8 += broken_texts;
        put_payload(0x1a, &repaired, into);
        Ok(())
    }
}

fn put_payload(key: u8, payload: &[u8], into: &mut Vec<u8>) {
    into.push(key);
    let mut len = payload.len();
    while len >= 0x80 {
        into.push(len as u8 | 0x80);
        len >>= 7;
    }
    into.push(len as u8);
    into.extend_from_slice(payload);
}
