//! Names and values of tags.

use std::ops::ControlFlow;
use std::sync::Arc;

use vivace_columns::{Chunk, Level};
use vivace_engine::{Filter, FoundTags, tag_names, tag_values};
use vivace_traceql::Field;

use super::view::Unit;
use super::walk::{Cost, VisitError, Visitor};
use crate::error::Error;
use crate::lookup::Querier;

/// A search for tags of one tenant; shared by the shards that work on it.
#[derive(Debug)]
pub struct TagsJob {
    pub tenant: Arc<str>,
    pub wanted: WantedTags,
    /// Spans that pass any of them; None: all.
    pub filters: Option<Vec<Filter>>,
    /// A unit is left when it has given so many bytes of text, or so many names or values; 0: never.
    pub max_bytes: u64,
    pub limit: u32,
}

#[derive(Debug)]
pub enum WantedTags {
    /// Names of attributes of these levels.
    Names(Vec<Level>),
    /// Values of a field.
    Values(Field),
}

/// What a unit had.
#[derive(Debug, Default)]
pub struct TagsResult {
    pub found: FoundTags,
    pub cost: Cost,
}

struct Tags<'j> {
    job: &'j TagsJob,
    found: FoundTags,
}

impl Visitor for Tags<'_> {
    async fn visit<C: Chunk>(
        &mut self,
        chunk: &mut C,
    ) -> Result<ControlFlow<()>, VisitError<C::Error>> {
        let (job, pause) = (self.job, &vivace_shards::breathe);
        let filters = job.filters.as_deref();
        match &job.wanted {
            WantedTags::Names(levels) => {
                tag_names(chunk, levels, filters, &mut self.found, pause).await?;
            }
            WantedTags::Values(field) => {
                tag_values(chunk, field, filters, &mut self.found, pause).await?;
            }
        }
        let is_full = job.max_bytes > 0 && self.found.bytes() as u64 >= job.max_bytes;
        // Of names the limit is one a scope, which the front end counts.
        let is_enough = job.limit > 0 && self.found.values.len() >= job.limit as usize;
        Ok(match is_full || is_enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

impl Querier {
    /// Looks for tags in one unit.
    pub async fn tags(&self, job: &TagsJob, unit: &Unit) -> Result<TagsResult, Error> {
        let mut tags = Tags {
            job,
            found: FoundTags::default(),
        };
        let mut cost = Cost::default();
        self.walk(&job.tenant, unit, &mut tags, &mut cost).await?;
        Ok(TagsResult {
            found: tags.found,
            cost,
        })
    }
}
