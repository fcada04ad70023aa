//! The list as metrics, computed when they are asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use vivace_shards::metrics::computed::Computed;
use vivace_shards::metrics::register;

use super::{Blocklist, now};

/// The list whose metrics are exported.
static EXPORTED: Mutex<Weak<Blocklist>> = Mutex::new(Weak::new());

/// Exports this list from now on, instead of one exported before.
pub(crate) fn export(list: &Arc<Blocklist>) {
    static REGISTERED: Once = Once::new();
    *EXPORTED.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(list);
    REGISTERED.call_once(|| {
        // A collector is known by its descriptions: this one needs one to be told from others.
        let named = Desc::new(
            "tempodb_blocklist_length".into(),
            "Total number of blocks per tenant.".into(),
            vec!["tenant".into()],
            HashMap::new(),
        );
        let registered = named.and_then(|desc| register(Box::new(ListCollector { desc })));
        if let Err(error) = registered {
            tracing::error!(%error, "the metrics of the blocklist are not exported");
        }
    });
}

struct ListCollector {
    desc: Desc,
}

impl Collector for ListCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let list = EXPORTED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        list.map(|list| families(&list)).unwrap_or_default()
    }
}

fn families(list: &Blocklist) -> Vec<MetricFamily> {
    let tenants: Vec<_> = {
        let state = list.state();
        let each = |(name, tenant): (&String, &super::Tenant)| {
            (name.clone(), Arc::clone(&tenant.blocks), tenant.index)
        };
        state.tenants.iter().map(each).collect()
    };
    let mut length = Computed::gauge(
        "tempodb_blocklist_length",
        "Total number of blocks per tenant.",
    );
    let mut objects = Computed::gauge(
        "tempodb_backend_objects_total",
        "Total number of objects (traces) in the backend.",
    );
    let mut bytes = Computed::gauge(
        "tempodb_backend_bytes_total",
        "Total number of bytes in the backend.",
    );
    let mut builder = Computed::gauge(
        "tempodb_blocklist_tenant_index_builder",
        "A value of 1 indicates this instance of tempodb is building the tenant index.",
    );
    let mut age = Computed::gauge(
        "tempodb_blocklist_tenant_index_age_seconds",
        "Age in seconds of the last pulled tenant index.",
    );
    for (name, blocks, index) in &tenants {
        let tenant = ("tenant", name.as_str());
        length.push(&[tenant], blocks.live.len() as f64);
        let live = blocks.live.iter().map(|meta| &**meta);
        let compacted = blocks.compacted.iter().map(|block| &*block.meta);
        let mut add = |status: &str, (rows, size): (u64, u64)| {
            let labels = [tenant, ("status", status)];
            objects.push(&labels, rows as f64);
            bytes.push(&labels, size as f64);
        };
        add("live", sums(live));
        add("compacted", sums(compacted));
        if let Some(index) = index {
            builder.push(&[tenant], f64::from(u8::from(index.builder)));
            let seconds = (now() - index.created_at).as_seconds_f64();
            // The age of what others write; an own one is new by definition.
            let seconds = if index.builder { 0.0 } else { seconds };
            age.push(&[tenant], seconds.max(0.0));
        }
    }
    let all = [length, objects, bytes, builder, age];
    all.into_iter().filter_map(Computed::finish).collect()
}

fn sums<'a>(metas: impl Iterator<Item = &'a vivace_block::BlockMeta>) -> (u64, u64) {
    metas.fold((0, 0), |(rows, bytes), meta| {
        (
            u64::saturating_add(rows, meta.total_objects),
            u64::saturating_add(bytes, meta.size),
        )
    })
}
