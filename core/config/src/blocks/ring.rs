//! Rings and the stores that they are kept in (configuration.md §11).

use super::tls::SwitchedTls;
use crate::block::{block, choice};
use crate::types::{Csv, Duration, Secret, hours, mins, secs};

choice! {
    /// Where a ring is kept.
    pub enum KvStoreKind {
        Memberlist = "memberlist",
        Consul = "consul",
        Etcd = "etcd",
        InMemory = "inmemory",
        Multi = "multi",
        /// No ring.
        Unset = "",
    }
}

block! {
    /// A Consul agent.
    pub struct Consul {
        /// Host and port of the agent.
        host: String = "localhost:8500".into();
        /// Token for access.
        acl_token: Secret;
        /// Longest time of a request.
        http_client_timeout: Duration = secs(20);
        /// Read from the leader only.
        consistent_reads: bool;
        /// Watch requests a second; 0 = no limit.
        watch_rate_limit: f64 = 1.0;
        /// Watch requests at once.
        watch_burst_size: u32 = 1;
        /// Pause between two tries of a compare-and-swap.
        cas_retry_delay: Duration = secs(1);
    }
}

block! {
    /// An etcd cluster.
    pub struct Etcd {
        /// Hosts and ports.
        endpoints: Csv;
        /// Longest time to connect.
        dial_timeout: Duration = secs(10);
        /// Most tries of an operation.
        max_retries: u32 = 10;
        [inline] tls: SwitchedTls;
        /// User name.
        username: String;
        /// Password.
        password: Secret;
    }
}

block! {
    /// Two stores, one mirrored to the other, to move from one to the next.
    pub struct MultiStore {
        /// Store that is read.
        primary: String;
        /// Store that is written too.
        secondary: String;
        /// Write to the second store.
        mirror_enabled: bool;
        /// Longest time of a write to the second store.
        mirror_timeout: Duration = secs(2);
    }
}

block! {
    /// Where a ring is kept.
    pub struct KvStore {
        /// Which store.
        store: KvStoreKind;
        /// Prefix of the keys.
        prefix: String = "collectors/".into();
        consul: Consul;
        etcd: Etcd;
        multi: MultiStore;
    }
}

block! {
    /// This process as a member of a ring.
    pub struct Ring {
        kvstore: KvStore;
        /// Pause between two signs of life.
        heartbeat_period: Duration = secs(5);
        /// A member without a sign of life for this time is unhealthy.
        heartbeat_timeout: Duration = mins(1);
        /// Name of the member; empty = the host's name.
        instance_id: String;
        /// Network interfaces whose address is announced.
        instance_interface_names: Csv = Csv::of(&["eth0", "en0"]);
        /// Address that is announced, if not that of an interface.
        instance_addr: String;
        /// Port that is announced; 0 = the gRPC port.
        instance_port: u16;
        /// Announce an IPv6 address.
        enable_inet6: bool;
        /// Zone of the member.
        instance_zone: String;
    }
}

block! {
    /// The ring of backend workers.
    pub struct WorkerRing {
        [inline] ring: Ring = Ring {
            kvstore: KvStore { store: KvStoreKind::Unset, ..KvStore::default() },
            ..Ring::default()
        };
        /// Least time for which the ring must not have changed before work starts.
        wait_stability_min_duration: Duration = mins(1);
        /// Longest wait for that.
        wait_stability_max_duration: Duration = mins(5);
        /// Longest wait to be an active member.
        wait_active_instance_timeout: Duration = mins(10);
    }
}

block! {
    /// The ring of the ingest log's partitions.
    pub struct PartitionRing {
        kvstore: KvStore;
        /// Owners that a partition must have to become active.
        min_partition_owners_count: u32 = 1;
        /// For how long it must have had them.
        min_partition_owners_duration: Duration = secs(10);
        /// An inactive partition without owners is removed after this time.
        delete_inactive_partition_after: Duration = hours(13);
    }
}
