//! gRPC clients between components (configuration.md §5.3, §12).

use super::tls::SwitchedTls;
use crate::block::{block, choice};
use crate::types::{Duration, KIB, MIB, Size, millis, secs};

choice! {
    /// How messages are compressed.
    pub enum GrpcCompression {
        Snappy = "snappy",
        Gzip = "gzip",
        None = "",
    }
}

block! {
    /// Pauses between tries.
    pub struct Backoff {
        /// First pause.
        min_period: Duration = millis(100);
        /// Longest pause.
        max_period: Duration = secs(10);
        /// Most tries; 0 = no end.
        max_retries: u32 = 10;
    }
}

block! {
    /// Which cluster the server must belong to.
    pub struct ClientClusterValidation {
        /// Name of the cluster.
        label: String;
        /// Further names, with commas.
        additional_labels: String;
    }
}

block! {
    /// One gRPC client.
    pub struct GrpcClient {
        /// Largest message received, in bytes.
        max_recv_msg_size: usize = 100 * MIB as usize;
        /// Largest message sent, in bytes.
        max_send_msg_size: usize = 100 * MIB as usize;
        /// How messages are compressed.
        grpc_compression: GrpcCompression;
        /// Requests a second; 0 = no limit.
        rate_limit: f64;
        /// Requests at once under `rate_limit`.
        rate_limit_burst: u32;
        /// Try again when the limit is hit.
        backoff_on_ratelimits: bool;
        backoff_config: Backoff;
        /// First window of a stream.
        initial_stream_window_size: Size = Size(64 * KIB - 1);
        /// First window of a connection.
        initial_connection_window_size: Size = Size(64 * KIB - 1);
        [inline] tls: SwitchedTls;
        /// Longest time to connect.
        connect_timeout: Duration = secs(5);
        /// First pause between two connects.
        connect_backoff_base_delay: Duration = secs(1);
        /// Longest pause between two connects.
        connect_backoff_max_delay: Duration = secs(5);
        cluster_validation: ClientClusterValidation;
    }
}

block! {
    /// A pool of clients.
    pub struct Pool {
        /// Pause between two looks for clients that are gone.
        checkinterval: Duration = secs(15);
        /// Ask clients for their health.
        healthcheckenabled: bool = true;
        /// Longest time of such a question.
        healthchecktimeout: Duration = secs(1);
        /// Most such questions at once; 0 = no limit.
        maxconcurrenthealthchecks: u32;
    }
}

block! {
    /// Clients of the live-stores (and, accepted without effect, of the generators).
    pub struct PooledClient {
        pool_config: Pool;
        /// Longest time of a request.
        remote_timeout: Duration = secs(5);
        grpc_client_config: GrpcClient;
    }
}

block! {
    /// The client of the backend scheduler.
    pub struct SchedulerClient {
        grpc_client_config: GrpcClient;
    }
}
