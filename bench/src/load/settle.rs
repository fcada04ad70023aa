//! Waiting until everything acknowledged is in blocks.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use vivace_shards::time::{self, Instant};

use super::limits::SETTLE_LOOK;
use super::query::Query;
use super::samples::{Samples, Stored};
use super::send::quote;

/// What came of waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// From the last acknowledgement to the first look that found everything in blocks.
    pub seconds: f64,
    /// When the load had ended.
    pub before: Stored,
    /// When everything was in blocks.
    pub after: Stored,
    /// Why the wait ended without that.
    pub failed: Option<String>,
}

impl Settled {
    /// Lines for a person.
    pub fn text(&self) -> String {
        let (before, after) = (&self.before, &self.after);
        let end = match &self.failed {
            None => format!(
                "all in blocks {:.1} s after the last acknowledgement",
                self.seconds
            ),
            Some(why) => format!("NOT in blocks after {:.1} s: {why}", self.seconds),
        };
        format!(
            "blocks        {end}; {:.0} blocks, {:.0} spans\n\
             log           {:.1} MiB on disk before, {:.1} MiB in {:.0} segments after\n",
            after.blocks,
            after.spans_in_blocks,
            before.log_disk_bytes / 1_048_576.0,
            after.log_disk_bytes / 1_048_576.0,
            after.log_segments,
        )
    }
}

/// Looks at the server's metrics until everything is in blocks, for at most `limit` after `since`.
pub async fn settle(mut query: Query, since: Instant, limit: Duration) -> Settled {
    let mut settled = Settled {
        seconds: 0.0,
        before: Stored::default(),
        after: Stored::default(),
        failed: None,
    };
    let mut first = true;
    loop {
        let left = limit.saturating_sub(since.elapsed());
        let looked = time::timeout(left, look(&mut query)).await;
        settled.seconds = since.elapsed().as_secs_f64();
        let looked = match looked {
            Ok(looked) => looked,
            Err(_) => Err(format!("not everything is in blocks after {limit:?}")),
        };
        let samples = match looked {
            Ok(samples) => samples,
            Err(text) => {
                settled.failed = Some(text);
                return settled;
            }
        };
        settled.after = samples.stored();
        if first {
            settled.before = settled.after;
            first = false;
        }
        match samples.all_in_blocks() {
            Some(true) => return settled,
            Some(false) => time::sleep(SETTLE_LOOK).await,
            None => {
                settled.failed = Some("the server's metrics do not say what is in blocks".into());
                return settled;
            }
        }
    }
}

async fn look(query: &mut Query) -> Result<Samples, String> {
    let (status, body) = query.get("/metrics").await?;
    match status {
        StatusCode::OK => Ok(Samples::parse(&String::from_utf8_lossy(&body))),
        status => Err(format!("/metrics: {}", quote(status.as_str(), &body))),
    }
}
