//! `memberlist` (configuration.md §11): parsed for clusters; a single process needs no gossip.

use super::tls::SwitchedTls;
use crate::block::{block, choice};
use crate::types::{Csv, Duration, millis, mins, secs};

choice! {
    /// What a member does for gossip across zones.
    pub enum ZoneRole {
        Member = "member",
        Bridge = "bridge",
    }
}

block! {
    /// Gossip that stays in a zone.
    pub struct ZoneAwareRouting {
        /// Prefer members of the same zone.
        enabled: bool;
        /// Zone of this process.
        instance_availability_zone: String;
        /// Whether this process passes messages between zones.
        role: ZoneRole;
    }
}

block! {
    /// Measures how long messages take through the cluster.
    pub struct PropagationDelayTracker {
        /// Measure.
        enabled: bool;
        /// Pause between two measurements.
        beacon_interval: Duration = mins(1);
        /// For how long a measurement is kept.
        beacon_lifetime: Duration = mins(10);
    }
}

block! {
    /// Gossip between processes.
    pub struct Memberlist {
        /// Name in the cluster; empty = the host's name.
        node_name: String;
        /// Add random digits to the name.
        randomize_node_name: bool = true;
        /// Longest time to connect a stream.
        stream_timeout: Duration = secs(2);
        /// How often a message is passed on, times the logarithm of the members.
        retransmit_factor: u32 = 2;
        /// Pause between two full exchanges.
        pull_push_interval: Duration = secs(30);
        /// Pause between two rounds of gossip.
        gossip_interval: Duration = secs(1);
        /// Members that a round goes to.
        gossip_nodes: u32 = 2;
        /// For how long dead members are still told.
        gossip_to_dead_nodes_time: Duration = secs(30);
        /// When the name of a dead member may be taken.
        dead_node_reclaim_time: Duration;
        /// Compress messages.
        compression_enabled: bool;
        /// How messages are compressed.
        compression_algorithm: String = "lzw".into();
        /// Least pause between two notices of one key.
        notify_interval: Duration;
        /// Address that is announced; empty = the one that is listened on.
        advertise_addr: String;
        /// Port that is announced.
        advertise_port: u16 = 7946;
        /// Name of the cluster.
        cluster_label: String;
        /// Accept messages with other names.
        cluster_label_verification_disabled: bool;
        /// Members to join through; may be repeated; with "dns+" every address of the name.
        join_members: Csv;
        /// First pause between two tries to join.
        min_join_backoff: Duration = secs(1);
        /// Longest pause between two tries to join.
        max_join_backoff: Duration = mins(1);
        /// Most tries to join.
        max_join_retries: u32 = 10;
        /// Give up when the first, quick join fails.
        abort_if_cluster_fast_join_fails: bool;
        /// Give up when no member can be joined.
        abort_if_cluster_join_fails: bool;
        /// Pause between two joins of a running process; 0 = never again.
        rejoin_interval: Duration;
        /// Members to join again through; empty = `join_members`.
        rejoin_seed_nodes: Csv;
        /// For how long those who left are remembered.
        left_ingesters_timeout: Duration = mins(5);
        /// For how long deleted entries are remembered.
        obsolete_entries_timeout: Duration = secs(30);
        /// Longest time to leave.
        leave_timeout: Duration = secs(20);
        /// Longest time to pass on our last changes.
        broadcast_timeout_for_local_updates_on_shutdown: Duration = secs(10);
        /// Bytes of messages kept for the debug page.
        message_history_buffer_bytes: u64;
        /// Changes that a watcher may lag behind.
        watch_prefix_buffer_size: u32 = 128;
        /// Addresses to listen on; empty = all.
        bind_addr: Csv;
        /// Port to listen on.
        bind_port: u16 = 7946;
        /// Longest time to connect for a packet.
        packet_dial_timeout: Duration = secs(2);
        /// Longest time to write a packet.
        packet_write_timeout: Duration = secs(5);
        /// Most packets written at once.
        max_concurrent_writes: u32 = 3;
        /// Longest wait for one of them.
        acquire_writer_timeout: Duration = millis(250);
        [inline] tls: SwitchedTls;
        zone_aware_routing: ZoneAwareRouting;
        propagation_delay_tracker: PropagationDelayTracker;
    }
}
