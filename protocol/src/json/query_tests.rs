use std::collections::BTreeMap;

use super::*;
use crate::pause::finish;
use crate::tempopb::*;

fn label(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn now<T>(work: impl Future<Output = T>) -> T {
    finish(work)
}

#[test]
fn a_search_prints_as_in_the_specification() {
    let set = SpanSet {
        spans: vec![FoundSpan {
            span_id: "7ebad9031cac18c4".into(),
            name: String::new(),
            start_time_unix_nano: 1_795_335_883_175_355_314,
            duration_nanos: 200_000_000,
            attributes: vec![label("status", Value::String("error".into()))],
        }],
        matched: 1,
        attributes: vec![label(
            "by(resource.service.name)",
            Value::String("shop".into()),
        )],
    };
    let stats = ServiceStats {
        span_count: 4,
        error_count: 1,
    };
    let response = SearchResponse {
        traces: vec![
            TraceSearchMetadata {
                trace_id: "10203040506070809".into(),
                root_service_name: "shop".into(),
                root_trace_name: "GET /cart".into(),
                start_time_unix_nano: 1_795_335_883_175_355_314,
                duration_ms: 200,
                span_set: Some(set.clone()),
                span_sets: vec![set],
                service_stats: BTreeMap::from([("shop".to_owned(), stats)]),
            },
            TraceSearchMetadata {
                trace_id: "1".into(),
                root_service_name: "<root span not yet received>".into(),
                ..TraceSearchMetadata::default()
            },
        ],
        metrics: Some(SearchMetrics {
            inspected_traces: 8,
            inspected_bytes: 16570,
            completed_jobs: 2,
            total_jobs: 2,
            additional_metrics: BTreeMap::from([("cacheHits".to_owned(), 3)]),
            ..SearchMetrics::default()
        }),
    };
    let set = r#"{"spans":[{"spanID":"7ebad9031cac18c4","startTimeUnixNano":"1795335883175355314","durationNanos":"200000000","attributes":[{"key":"status","value":{"stringValue":"error"}}]}],"matched":1,"attributes":[{"key":"by(resource.service.name)","value":{"stringValue":"shop"}}]}"#;
    let want = format!(
        r#"{{"traces":[{{"traceID":"10203040506070809","rootServiceName":"shop","rootTraceName":"GET /cart","startTimeUnixNano":"1795335883175355314","durationMs":200,"spanSet":{set},"spanSets":[{set}],"serviceStats":{{"shop":{{"spanCount":4,"errorCount":1}}}}}},{{"traceID":"1","rootServiceName":"\u003croot span not yet received\u003e"}}],"metrics":{{"inspectedTraces":8,"inspectedBytes":"16570","completedJobs":2,"totalJobs":2,"additionalMetrics":{{"cacheHits":"3"}}}}}}"#
    );
    assert_eq!(now(search(&response, async || {})), want);
    assert_eq!(
        now(search(&SearchResponse::default(), async || {})),
        r#"{"traces":[],"metrics":{}}"#
    );
}

#[test]
fn series_print_as_in_the_specification() {
    let sample = |timestamp_ms, value| Sample {
        timestamp_ms,
        value,
    };
    let name = label("resource.service.name", Value::String("frontend".into()));
    let response = QueryRangeResponse {
        series: vec![TimeSeries {
            labels: vec![name.clone(), label("p", Value::Double(0.5))],
            samples: vec![
                sample(1_795_336_200_000, 0.300_000_000_000_000_04),
                sample(1_795_336_500_000, 0.0),
                sample(-5, f64::NAN),
                sample(0, f64::NEG_INFINITY),
            ],
            exemplars: vec![Exemplar {
                labels: vec![label("trace:id", Value::String("5b8e".into()))],
                value: 0.4,
                timestamp_ms: 1_795_336_101_000,
            }],
        }],
        metrics: Some(SearchMetrics {
            inspected_bytes: 13383,
            total_blocks: 1,
            total_block_bytes: 7,
            inspected_spans: 9,
            backend_reads: 2,
            backend_bytes: 4,
            ..SearchMetrics::default()
        }),
        status: PartialStatus::Partial as i32,
        message: "cut".into(),
    };
    let want = r#"{"series":[{"labels":[{"key":"resource.service.name","value":{"stringValue":"frontend"}},{"key":"p","value":{"doubleValue":0.5}}],"samples":[{"timestampMs":"1795336200000","value":0.30000000000000004},{"timestampMs":"1795336500000"},{"timestampMs":"-5","value":"NaN"},{"value":"-Infinity"}],"exemplars":[{"labels":[{"key":"trace:id","value":{"stringValue":"5b8e"}}],"value":0.4,"timestampMs":"1795336101000"}]}],"metrics":{"inspectedBytes":"13383","totalBlocks":1,"totalBlockBytes":"7","inspectedSpans":"9","backendReads":"2","backendBytes":"4"},"status":"PARTIAL","message":"cut"}"#;
    assert_eq!(now(query_range(&response, async || {})), want);
    let response = QueryInstantResponse {
        series: vec![
            InstantSeries {
                labels: vec![name],
                value: 57.0,
            },
            InstantSeries {
                labels: vec![label("n", Value::Int(5))],
                value: 0.0,
            },
        ],
        ..QueryInstantResponse::default()
    };
    let want = r#"{"series":[{"labels":[{"key":"resource.service.name","value":{"stringValue":"frontend"}}],"value":57},{"labels":[{"key":"n","value":{"intValue":"5"}}]}],"metrics":{}}"#;
    assert_eq!(now(query_instant(&response, async || {})), want);
    assert_eq!(
        now(query_range(&QueryRangeResponse::default(), async || {})),
        r#"{"series":[],"metrics":{}}"#
    );
}

#[test]
fn tags_print_as_in_the_specification() {
    let metrics = Some(MetadataMetrics {
        inspected_bytes: 51,
        total_jobs: 2,
        completed_jobs: 1,
        total_blocks: 3,
        total_block_bytes: 4,
        backend_reads: 5,
        backend_bytes: 6,
        additional_metrics: BTreeMap::new(),
    });
    let figures = r#""metrics":{"inspectedBytes":"51","totalJobs":2,"completedJobs":1,"totalBlocks":3,"totalBlockBytes":"4","backendReads":"5","backendBytes":"6"}"#;
    let names = SearchTagsResponse {
        tag_names: vec!["a".into(), String::new()],
        metrics: metrics.clone(),
    };
    assert_eq!(
        now(search_tags(&names, async || {})),
        format!(r#"{{"tagNames":["a",""],{figures}}}"#)
    );
    let scopes = SearchTagsV2Response {
        scopes: vec![SearchTagsV2Scope {
            name: "event".into(),
            tags: vec!["exception.type".into()],
        }],
        metrics: metrics.clone(),
    };
    assert_eq!(
        now(search_tags_v2(&scopes, async || {})),
        format!(r#"{{"scopes":[{{"name":"event","tags":["exception.type"]}}],{figures}}}"#)
    );
    let value = |kind: &str, text: &str| TagValue {
        r#type: kind.into(),
        value: text.into(),
    };
    let values = SearchTagValuesV2Response {
        tag_values: vec![
            value("string", "pay"),
            value("string", ""),
            value("int", "5"),
        ],
        metrics: metrics.clone(),
    };
    assert_eq!(
        now(search_tag_values_v2(&values, async || {})),
        format!(
            r#"{{"tagValues":[{{"type":"string","value":"pay"}},{{"type":"string"}},{{"type":"int","value":"5"}}],{figures}}}"#
        )
    );
    assert_eq!(
        now(search_tag_values_llm(&values, async || {})),
        r#"{"tagValues":{"int":["5"],"string":["pay",""]},"metrics":{"inspectedBytes":51}}"#
    );
    assert_eq!(
        now(search_tag_values(
            &SearchTagValuesResponse::default(),
            async || {}
        )),
        r#"{"tagValues":[],"metrics":{}}"#
    );
}
