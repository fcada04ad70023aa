//! The methods: jobs run for a while, what is new is sent, and so on until the whole answer is there.

use bytes::Bytes;
use prost::Message as _;
use vivace_protocol::tempopb::{
    MetadataMetrics, PartialStatus, QueryInstantResponse, QueryRangeResponse, SearchMetrics,
    SearchResponse, SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsResponse,
    SearchTagsV2Response, SearchTagsV2Scope, TraceSearchMetadata,
};
use vivace_query_metrics::Outcome;
use vivace_shards::breathe;
use vivace_shards::grpc::Sender;
use vivace_shards::memory::{Kind, charge};
use vivace_shards::time::Instant;

use super::packets::{split, split_by};
use super::series::{Sent, only_grows};
use super::wire;
use crate::answers::{known, with_intrinsics};
use crate::api::Api;
use crate::convert;
use crate::error::QueryError;
use crate::execute::TagsOf;
use crate::jobs::TagsFound;
use crate::limits::STREAM_PERIOD;
use crate::metrics::Op;
use crate::params::{RawMetrics, RawSearch, RawTags, What};
use crate::run::Progress;

/// Bytes of the members that are not lists, more than they ever take.
const STATUS_BYTES: usize = 512;

fn next_time() -> Option<Instant> {
    Some(Instant::now() + STREAM_PERIOD)
}

async fn send(to: &Sender, packets: Vec<Bytes>) -> Result<(), QueryError> {
    for packet in packets {
        to.send(packet).await?;
    }
    Ok(())
}

impl Api {
    fn packet_bytes(&self) -> usize {
        let queries = self.deps.queries.as_ref();
        queries.map_or(crate::limits::STREAM_PACKET_BYTES, |queries| {
            queries.config.packet_bytes
        })
    }

    pub(super) async fn stream_search(
        &self,
        tenants: &[String],
        raw: RawSearch,
        to: &Sender,
    ) -> Result<(), QueryError> {
        let plan = self.plan_search(tenants, raw)?;
        let running = self.metrics.begin(&tenants.join("|"), Op::Search);
        let mut run = self.search(tenants, &plan).await?;
        let mut told = 0;
        while !run.advance(next_time()).await? {
            let news = run.news().await?;
            let progress = run.progress();
            if news.is_empty() && progress.completed_jobs == told {
                continue;
            }
            told = progress.completed_jobs;
            let traces = self.traces(tenants, &news, plan.legacy).await;
            let packets = self.search_packets(traces, &progress);
            run.during(send(to, packets)).await?;
        }
        let progress = run.progress();
        let _charge = run.charge_answer()?;
        let traces = self.traces(tenants, &run.answer(), plan.legacy).await;
        drop(run);
        send(to, self.search_packets(traces, &progress)).await?;
        let objective = self.queries()?.config.search.objective;
        running.complete(progress.cost.inspected_bytes, objective);
        Ok(())
    }

    fn search_packets(&self, traces: Vec<TraceSearchMetadata>, progress: &Progress) -> Vec<Bytes> {
        let metrics: SearchMetrics = convert::search_metrics(progress);
        let fixed = metrics.encoded_len() + STATUS_BYTES;
        let pieces = split(traces, fixed, self.packet_bytes()).into_iter();
        let messages = pieces.map(|traces| {
            wire(&SearchResponse {
                traces,
                metrics: Some(metrics.clone()),
            })
        });
        messages.collect()
    }

    pub(super) async fn stream_tags(
        &self,
        tenants: &[String],
        raw: RawTags,
        of: TagsOf,
        to: &Sender,
    ) -> Result<(), QueryError> {
        let plan = self.plan_tags(tenants, &raw, of)?;
        let running = self.metrics.begin(&tenants.join("|"), Op::Metadata);
        let mut run = self.tags(tenants, &plan).await?;
        while !run.advance(next_time()).await? {
            let news = run.news();
            if news == TagsFound::default() {
                continue;
            }
            let packets = self.tag_packets(of, &news, false, &run.progress());
            run.during(send(to, packets)).await?;
        }
        let progress = run.progress();
        let found = known(&plan, run.answer());
        drop(run);
        let intrinsics = with_intrinsics(&plan) && matches!(plan.what, What::Names(_));
        send(to, self.tag_packets(of, &found, intrinsics, &progress)).await?;
        let objective = self.queries()?.config.search.metadata_objective;
        running.complete(progress.cost.inspected_bytes, objective);
        Ok(())
    }

    fn tag_packets(
        &self,
        of: TagsOf,
        found: &TagsFound,
        intrinsics: bool,
        progress: &Progress,
    ) -> Vec<Bytes> {
        let figures: MetadataMetrics = convert::metadata_metrics(progress);
        let fixed = figures.encoded_len() + STATUS_BYTES;
        let max = self.packet_bytes();
        let metrics = Some(figures);
        let texts = |texts: Vec<String>| split_by(texts, fixed, max, String::len).into_iter();
        match of {
            TagsOf::Names { v1: true } => texts(convert::names(&found.names, intrinsics))
                .map(|tag_names| {
                    wire(&SearchTagsResponse {
                        tag_names,
                        metrics: metrics.clone(),
                    })
                })
                .collect(),
            TagsOf::Names { v1: false } => {
                let scopes = convert::scopes(&found.names, intrinsics);
                // A scope may be larger than a message: it is cut by its names first.
                let parts = scopes.into_iter().flat_map(|scope| {
                    let name = scope.name;
                    texts(scope.tags).map(move |tags| SearchTagsV2Scope {
                        name: name.clone(),
                        tags,
                    })
                });
                split(parts.collect(), fixed, max)
                    .into_iter()
                    .map(|scopes| {
                        wire(&SearchTagsV2Response {
                            scopes,
                            metrics: metrics.clone(),
                        })
                    })
                    .collect()
            }
            TagsOf::Values { v1: true } => texts(convert::values(&found.values))
                .map(|tag_values| {
                    wire(&SearchTagValuesResponse {
                        tag_values,
                        metrics: metrics.clone(),
                    })
                })
                .collect(),
            TagsOf::Values { v1: false } => split(convert::typed_values(&found.values), fixed, max)
                .into_iter()
                .map(|tag_values| {
                    wire(&SearchTagValuesV2Response {
                        tag_values,
                        metrics: metrics.clone(),
                    })
                })
                .collect(),
        }
    }

    pub(super) async fn stream_range(
        &self,
        tenants: &[String],
        raw: RawMetrics,
        to: &Sender,
    ) -> Result<(), QueryError> {
        self.stream_metrics(tenants, &raw, to, async |outcome, progress, sent| {
            let mut whole = convert::range(outcome, progress).await;
            if let Some(sent) = sent {
                whole.series = sent.news(whole.series).await;
                whole.status = PartialStatus::Complete as i32;
                whole.message.clear();
            }
            self.range_packets(whole).await
        })
        .await
    }

    pub(super) async fn stream_instant(
        &self,
        tenants: &[String],
        raw: RawMetrics,
        to: &Sender,
    ) -> Result<(), QueryError> {
        self.stream_metrics(tenants, &raw, to, async |outcome, progress, sent| {
            let mut whole = convert::instant(outcome, progress);
            if let Some(sent) = sent {
                whole.series = sent.instant_news(whole.series);
                whole.status = PartialStatus::Complete as i32;
                whole.message.clear();
            }
            self.instant_packets(whole)
        })
        .await
    }

    /// `packets` makes messages of the series that are not in `Sent`, or of all.
    async fn stream_metrics(
        &self,
        tenants: &[String],
        raw: &RawMetrics,
        to: &Sender,
        packets: impl AsyncFn(&Outcome, &Progress, Option<&mut Sent>) -> Vec<Bytes>,
    ) -> Result<(), QueryError> {
        let call = self.plan_metrics(tenants, raw)?;
        let running = self.metrics.begin(&tenants.join("|"), Op::Metrics);
        let mut run = self.metrics(tenants, &call).await?;
        let grows = only_grows(&call.query, call.request.max_series);
        let mut sent = Sent::default();
        let mut told = 0;
        while !run.advance(next_time()).await? {
            let progress = run.progress();
            if progress.completed_jobs == told {
                continue;
            }
            told = progress.completed_jobs;
            // Held until the next message.
            let (outcome, _charge) = match grows {
                true => run.outcome().await?,
                false => (Outcome::default(), charge(0, Kind::Query)),
            };
            let packets = packets(&outcome, &progress, Some(&mut sent)).await;
            run.during(send(to, packets)).await?;
        }
        let progress = run.progress();
        let (outcome, _charge) = run.outcome().await?;
        drop(run);
        send(to, packets(&outcome, &progress, None).await).await?;
        let objective = self.queries()?.config.metrics.objective;
        running.complete(progress.cost.inspected_bytes, objective);
        Ok(())
    }

    async fn range_packets(&self, whole: QueryRangeResponse) -> Vec<Bytes> {
        let fixed = whole.message.len() + STATUS_BYTES;
        let mut packets = Vec::new();
        for series in split(whole.series, fixed, self.packet_bytes()) {
            packets.push(wire(&QueryRangeResponse {
                series,
                metrics: whole.metrics.clone(),
                status: whole.status,
                message: whole.message.clone(),
            }));
            breathe().await;
        }
        packets
    }

    fn instant_packets(&self, whole: QueryInstantResponse) -> Vec<Bytes> {
        let fixed = whole.message.len() + STATUS_BYTES;
        let pieces = split(whole.series, fixed, self.packet_bytes()).into_iter();
        let messages = pieces.map(|series| {
            wire(&QueryInstantResponse {
                series,
                metrics: whole.metrics.clone(),
                status: whole.status,
                message: whole.message.clone(),
            })
        });
        messages.collect()
    }
}
