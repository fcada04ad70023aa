//! `ingest` (configuration.md §5.2): the Kafka back-end of the ingest log. Parsed; the back-end itself comes later.

use super::tls::SwitchedTls;
use crate::block::{block, choice};
use crate::types::{Duration, Secret, mins, secs};

choice! {
    /// How the client proves who it is.
    pub enum SaslMechanism {
        Plain = "PLAIN",
        ScramSha256 = "SCRAM-SHA-256",
        ScramSha512 = "SCRAM-SHA-512",
        OauthBearer = "OAUTHBEARER",
        AwsMskIam = "AWS_MSK_IAM",
        Unset = "",
    }
}

choice! {
    /// How records are compressed.
    pub enum ProducerCompression {
        Unset = "",
        None = "none",
        Gzip = "gzip",
        Snappy = "snappy",
        Lz4 = "lz4",
        Zstd = "zstd",
    }
}

block! {
    /// A Kafka cluster and how its topic is used.
    pub struct Kafka {
        /// Brokers, with commas.
        address: String = "localhost:9092".into();
        /// Topic of spans.
        topic: String;
        /// Name of this client.
        client_id: String;
        /// Rack of this client, for reads from a near replica.
        client_rack: String;
        /// Longest time to connect.
        dial_timeout: Duration = secs(2);
        /// Longest time until a write is acknowledged.
        write_timeout: Duration = secs(10);
        /// How the client proves who it is; used with a user name.
        sasl_mechanism: SaslMechanism;
        /// User name.
        sasl_username: String;
        /// Password.
        sasl_password: Secret;
        /// Token for OAUTHBEARER.
        sasl_oauthbearer_token: Secret;
        /// Authorisation identity for OAUTHBEARER.
        sasl_oauthbearer_zid: String;
        /// Extensions for OAUTHBEARER, `key=value` with commas.
        sasl_oauthbearer_extensions: String;
        /// File with the token.
        sasl_oauthbearer_file_path: String;
        /// Socket that gives the token.
        sasl_oauthbearer_http_socket_path: String;
        /// Longest wait for it.
        sasl_oauthbearer_http_socket_timeout: Duration = secs(10);
        /// Access key for AWS_MSK_IAM.
        sasl_msk_iam_access_key: String;
        /// Secret key for AWS_MSK_IAM.
        sasl_msk_iam_secret_key: Secret;
        /// Session token for AWS_MSK_IAM.
        sasl_msk_iam_session_token: Secret;
        /// User agent for AWS_MSK_IAM.
        sasl_msk_iam_user_agent: String;
        /// File with the keys.
        sasl_msk_iam_file_path: String;
        /// Socket that gives the keys.
        sasl_msk_iam_http_socket_path: String;
        /// Longest wait for it.
        sasl_msk_iam_http_socket_timeout: Duration = secs(10);
        [inline] tls: SwitchedTls;
        /// Consumer group; empty = that of the component.
        consumer_group: String;
        /// Pause between two commits of offsets.
        consumer_group_offset_commit_interval: Duration = secs(1);
        /// For how long the last offset is asked for again after an error.
        last_produced_offset_retry_timeout: Duration = secs(10);
        /// Make the topic if it is not there.
        auto_create_topic_enabled: bool = true;
        /// Partitions of a topic that is made.
        auto_create_topic_default_partitions: u32 = 1000;
        /// Largest record, in bytes.
        producer_max_record_size_bytes: u64 = 15_983_616;
        /// Most bytes waiting to be written.
        producer_max_buffered_bytes: u64 = 1_073_741_824;
        /// How records are compressed.
        producer_compression: ProducerCompression;
        /// Lag that a consumer aims for at start.
        target_consumer_lag_at_startup: Duration = secs(2);
        /// Most lag with which a consumer starts.
        max_consumer_lag_at_startup: Duration = secs(15);
        /// Don't send client metrics to the brokers.
        disable_kafka_telemetry: bool;
        /// Pause between two updates of the lag metric.
        consumer_group_lag_metric_update_interval: Duration = mins(1);
    }
}

block! {
    /// The ingest log as Tempo configures it.
    pub struct Ingest {
        kafka: Kafka;
    }
}
