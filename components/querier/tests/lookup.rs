//! Lookups over the blocks that Tempo wrote, kept in memory, in the simulator.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_block::BlockMeta;
use vivace_block::keys::{self, BlockObject};
use vivace_model::TraceId;
use vivace_querier::{Blocks, Caches, Error, Lookup, Querier, StoreError};
use vivace_shards::sim::{Ended, Sim};

const TENANT: &str = "single-tenant";
const CACHE_BYTES: u64 = 64 << 20;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance")
}

/// A bucket in memory.
#[derive(Default)]
struct Memory {
    objects: RefCell<BTreeMap<String, Bytes>>,
    metas: RefCell<Vec<Arc<BlockMeta>>>,
    reads: Cell<u64>,
}

impl Memory {
    /// The one block of a format.
    fn with(formats: &[&str]) -> Result<Rc<Self>, BoxError> {
        let memory = Self::default();
        for format in formats {
            let folder = shared().join("blocks").join(format).join(TENANT);
            for block in std::fs::read_dir(folder)? {
                for file in std::fs::read_dir(block?.path())? {
                    let path = file?.path();
                    let bytes = Bytes::from(std::fs::read(&path)?);
                    let names: Vec<_> = path.iter().rev().take(3).collect();
                    let key = names.iter().rev().map(|part| part.to_string_lossy());
                    let key = key.collect::<Vec<_>>().join("/");
                    if key.ends_with("/meta.json") {
                        let meta = BlockMeta::from_json(&bytes)?;
                        memory.metas.borrow_mut().push(Arc::new(meta));
                    }
                    memory.objects.borrow_mut().insert(key, bytes);
                }
            }
        }
        Ok(Rc::new(memory))
    }

    fn change(&self, object: BlockObject, change: impl FnOnce(Option<Bytes>) -> Option<Bytes>) {
        let id = self.metas.borrow()[0].block_id;
        let key = keys::block_object(TENANT, id, object);
        let mut objects = self.objects.borrow_mut();
        let old = objects.remove(&key);
        if let Some(new) = change(old) {
            objects.insert(key, new);
        }
    }
}

impl Blocks for Memory {
    fn of_tenant(&self, tenant: &str) -> Result<Arc<[Arc<BlockMeta>]>, String> {
        let metas = self.metas.borrow();
        Ok(metas
            .iter()
            .filter(|m| m.tenant_id == tenant)
            .cloned()
            .collect())
    }

    fn is_listed(&self, meta: &BlockMeta) -> bool {
        self.metas
            .borrow()
            .iter()
            .any(|m| m.block_id == meta.block_id)
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> LocalBoxFuture<'a, Result<Bytes, StoreError>> {
        self.reads.set(self.reads.get() + 1);
        let object = self.objects.borrow().get(key).cloned();
        async move {
            vivace_shards::yield_now().await;
            let object = object.ok_or(StoreError::NotFound)?;
            Ok(match range {
                Some(range) => object.slice(range.start as usize..range.end as usize),
                None => object,
            })
        }
        .boxed_local()
    }
}

fn trace_ids() -> Result<Vec<(TraceId, usize)>, BoxError> {
    let text = std::fs::read(shared().join("otlp/traces.json"))?;
    let counts: BTreeMap<String, usize> = serde_json::from_slice(&text)?;
    let ids = counts
        .into_iter()
        .map(|(id, spans)| Ok((TraceId::from_hex(&id)?, spans)));
    ids.collect()
}

fn simulate<F: Future<Output = Result<(), BoxError>> + 'static>(main: impl Fn() -> F + 'static) {
    match Sim::new(1).run(main) {
        Ok(Ended::Finished) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_trace_is_found_and_costs_what_it_may() {
    simulate(|| async {
        let memory = Memory::with(&["vParquet4", "vParquet5"])?;
        let querier = Querier::new(memory.clone(), Caches::new(CACHE_BYTES));
        for (n, (id, spans)) in trace_ids()?.into_iter().step_by(9).enumerate() {
            let found = querier.find_trace(TENANT, &Lookup::of(id)).await?;
            let rows: Vec<usize> = found.fragments.iter().map(|f| f.rows.len()).collect();
            assert_eq!(rows, [spans, spans], "{id}: one fragment of each block");
            // Filter, footer, rows of each block; later the rows only.
            let most = if n == 0 { 6 } else { 2 };
            assert!(found.reads <= most, "{id}: {} reads", found.reads);
            assert!(found.read_bytes > 0);
        }
        let nobody = querier
            .find_trace("other", &Lookup::of(TraceId([1; 16])))
            .await?;
        assert_eq!((nobody.fragments.len(), nobody.reads), (0, 0));
        let absent = querier
            .find_trace(TENANT, &Lookup::of(TraceId([1; 16])))
            .await?;
        assert_eq!(absent.fragments.len(), 0);
        Ok(())
    });
}

#[test]
fn blocks_are_chosen_by_id_and_time() {
    simulate(|| async {
        let memory = Memory::with(&["vParquet5"])?;
        let meta = memory.metas.borrow()[0].clone();
        let querier = Querier::new(memory, Caches::new(CACHE_BYTES));
        let id = trace_ids()?[0].0;
        let block = meta.block_id.as_u128();
        let (start, end) = (meta.start_time.timestamp(), meta.end_time.timestamp());
        for (blocks, from, to, expected) in [
            (0..=u128::MAX, 0, 0, 1),
            (block..=block, 0, 0, 1),
            (0..=block - 1, 0, 0, 0),
            (block + 1..=u128::MAX, 0, 0, 0),
            (0..=u128::MAX, start - 100, start + 100, 1),
            (0..=u128::MAX, end + 1, end + 100, 0),
            (0..=u128::MAX, start - 100, start - 1, 0),
        ] {
            let lookup = Lookup {
                trace_id: id,
                blocks: blocks.clone(),
                start_seconds: from,
                end_seconds: to,
            };
            let found = querier.find_trace(TENANT, &lookup).await?;
            assert_eq!(found.fragments.len(), expected, "{blocks:x?} {from} {to}");
        }
        Ok(())
    });
}

#[test]
fn what_cannot_be_read_is_an_error_unless_it_was_deleted() {
    simulate(|| async {
        let id = trace_ids()?[0].0;
        for object in [BlockObject::Bloom(0), BlockObject::Data] {
            let name = object.file_name();
            let memory = Memory::with(&["vParquet5"])?;
            memory.change(object, |_| None);
            let querier = Querier::new(memory.clone(), Caches::new(CACHE_BYTES));
            let error = querier
                .find_trace(TENANT, &Lookup::of(id))
                .await
                .unwrap_err();
            assert!(error.to_string().contains(&*name), "{error}");
            // The same with a block that is no longer listed.
            let metas = std::mem::take(&mut *memory.metas.borrow_mut());
            let gone = Rc::new(Gone { metas, memory });
            let querier = Querier::new(gone, Caches::new(CACHE_BYTES));
            let found = querier.find_trace(TENANT, &Lookup::of(id)).await?;
            assert_eq!(found.fragments.len(), 0);

            let memory = Memory::with(&["vParquet5"])?;
            memory.change(object, |old| {
                old.map(|bytes| bytes.slice(..bytes.len() / 2))
            });
            memory.change(object, |old| {
                // As long as before, so that the reads succeed.
                let old = old?;
                let mut bytes = old.to_vec();
                bytes.resize(old.len() * 2 + 2, 0xa5);
                Some(bytes.into())
            });
            let querier = Querier::new(memory, Caches::new(CACHE_BYTES));
            let error = querier
                .find_trace(TENANT, &Lookup::of(id))
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
            assert!(!error.is_retryable());
        }
        Ok(())
    });
}

/// Lists blocks that are deleted a moment later.
struct Gone {
    metas: Vec<Arc<BlockMeta>>,
    memory: Rc<Memory>,
}

impl Blocks for Gone {
    fn of_tenant(&self, _: &str) -> Result<Arc<[Arc<BlockMeta>]>, String> {
        Ok(self.metas.clone().into())
    }

    fn is_listed(&self, _: &BlockMeta) -> bool {
        false
    }

    fn read<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> LocalBoxFuture<'a, Result<Bytes, StoreError>> {
        self.memory.read(key, range)
    }
}

#[test]
fn the_caches_stay_within_their_bytes() {
    simulate(|| async {
        let memory = Memory::with(&["vParquet5"])?;
        // The same block under many names.
        let meta = memory.metas.borrow()[0].clone();
        for n in 1..60_u128 {
            let copy = BlockMeta {
                block_id: uuid::Uuid::from_u128(n),
                ..(*meta).clone()
            };
            for object in [BlockObject::Bloom(0), BlockObject::Data] {
                let from = keys::block_object(TENANT, meta.block_id, object);
                let bytes = memory.objects.borrow()[&from].clone();
                let to = keys::block_object(TENANT, copy.block_id, object);
                memory.objects.borrow_mut().insert(to, bytes);
            }
            memory.metas.borrow_mut().push(Arc::new(copy));
        }
        let caches = Caches::new(2 << 20);
        let querier = Querier::new(memory.clone(), Arc::clone(&caches));
        for (id, _) in trace_ids()?.into_iter().take(3) {
            let found = querier.find_trace(TENANT, &Lookup::of(id)).await?;
            assert_eq!(found.fragments.len(), 60);
            assert!(caches.used() <= caches.bytes(), "{}", caches.used());
        }
        Ok(())
    });
}
