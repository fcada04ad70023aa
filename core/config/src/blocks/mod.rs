//! The blocks of the configuration, one file each. A key is declared once: name, type, default, meaning.

pub mod backend_work;
pub mod block_builder;
pub mod cache;
pub mod distributor;
pub mod forwarders;
pub mod generator;
pub mod grpc_client;
pub mod ingest;
pub mod ingest_log;
pub mod live_store;
pub mod memberlist;
pub mod object_stores;
pub mod overrides;
pub mod process;
pub mod querier;
pub mod query_frontend;
pub mod receivers;
pub mod remote_write;
pub mod ring;
pub mod root;
pub mod server;
pub mod storage;
pub mod tenant_limits;
pub mod tls;
