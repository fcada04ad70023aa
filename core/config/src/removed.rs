//! Messages for keys that are not known: what replaced a key that Tempo once had, or the nearest known name.

/// Keys that older versions of Tempo had, as paths, and what stands in their place.
const REMOVED: &[(&str, &str)] = &[
    (
        "ingester",
        "ingesters are gone: recent traces are held by `live_store`",
    ),
    (
        "ingester_client",
        "ingesters are gone: use `live_store_client`",
    ),
    (
        "compactor",
        "compactors are gone: use `backend_scheduler` and `backend_worker`",
    ),
    (
        "querier.query_live_store",
        "live-stores are always asked; remove the key",
    ),
    (
        "live_store.block",
        "blocks are configured in one place: `storage.trace.block`",
    ),
    (
        "live_store.block_config",
        "blocks are configured in one place: `storage.trace.block`",
    ),
    (
        "metrics_generator.block",
        "blocks are configured in one place: `storage.trace.block`",
    ),
    (
        "block_builder.block.version",
        "the block version is configured in one place: `storage.trace.block.version`",
    ),
    (
        "distributor.receivers.opencensus",
        "OpenCensus is no longer received; use `otlp`",
    ),
    (
        "distributor.extend_writes",
        "there is one write to the ingest log; remove the key",
    ),
    (
        "distributor.search_tags_deny_list",
        "tags are no longer indexed at ingest; remove the key",
    ),
    (
        "metrics_generator.processor.local_blocks",
        "recent data is queried from the live-store; remove the key (and the processor `local-blocks`)",
    ),
    (
        "metrics_generator.traces_storage",
        "recent data is queried from the live-store; remove the key",
    ),
    (
        "metrics_generator.traces_query_storage",
        "recent data is queried from the live-store; remove the key",
    ),
    (
        "query_frontend.tolerate_failed_blocks",
        "an incomplete answer is marked as partial; remove the key",
    ),
    (
        "querier.prefer_self",
        "there are no external search endpoints; remove the key",
    ),
    (
        "querier.search.external_endpoints",
        "there are no external search endpoints; remove the key",
    ),
    (
        "querier.search.prefer_self",
        "there are no external search endpoints; remove the key",
    ),
    ("search_enabled", "search is always on; remove the key"),
    (
        "metrics_generator_enabled",
        "the generator runs as part of the target; remove the key",
    ),
    (
        "storage.trace.block.encoding",
        "encoding applied to v2 blocks only; remove the key",
    ),
    (
        "storage.trace.block.index_downsample_bytes",
        "it applied to v2 blocks only; remove the key",
    ),
    (
        "storage.trace.block.index_page_size_bytes",
        "it applied to v2 blocks only; remove the key",
    ),
    (
        "storage.trace.wal.encoding",
        "it applied to v2 blocks only; remove the key",
    ),
    (
        "storage.trace.wal.search_encoding",
        "it applied to v2 blocks only; remove the key",
    ),
    (
        "storage.trace.wal.version",
        "blocks are configured in one place: `storage.trace.block.version`",
    ),
];

/// The message for a key that its block does not have.
pub fn unknown_key(path: &str, key: &str, known: &[&str]) -> String {
    let bare = path.split('/').next().unwrap_or(path);
    if let Some((_, instead)) = REMOVED
        .iter()
        .find(|(removed, _)| *removed == path || *removed == bare)
    {
        return format!("this key was removed in Tempo 3: {instead}");
    }
    match nearest(key, known) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => format!("unknown key; known here: {}", listed(known)),
    }
}

/// The message for a text that is none of the choices.
pub fn unknown_choice(text: &str, known: &[&str]) -> String {
    let names: Vec<String> = known
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("{name:?}"))
        .collect();
    let near = nearest(text, known)
        .map(|near| format!("; did you mean {near:?}?"))
        .unwrap_or_default();
    format!(
        "{:?} must be one of {}{near}",
        crate::yaml::shorten(text),
        names.join(", ")
    )
}

/// The known name that a mistyped one most likely meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    const LONGEST: usize = 200;
    const NEAR: f64 = 0.8;
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let folded = name.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&folded, &candidate.replace('-', "_")),
                *candidate,
            )
        })
        .filter(|(score, candidate)| {
            *score >= NEAR
                && strsim::damerau_levenshtein(&folded, candidate) <= 2 + candidate.len() / 4
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

fn listed(known: &[&str]) -> String {
    const MOST: usize = 12;
    if known.is_empty() {
        return "none".to_string();
    }
    let mut names = known
        .iter()
        .take(MOST)
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if known.len() > MOST {
        names.push_str(", …");
    }
    names
}
