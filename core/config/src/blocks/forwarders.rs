//! `distributor.forwarders`: copies of what is received, to other OTLP receivers.

use crate::block::{block, choice};

choice! {
    /// How a forwarder sends.
    pub enum ForwarderBackend {
        OtlpGrpc = "otlpgrpc",
    }
}

block! {
    /// TLS of a forwarder.
    pub struct ForwarderTls {
        /// Speak plain text.
        insecure: bool;
        /// Certificates that the server's must descend from.
        cert_file: String;
    }
}

block! {
    /// Where a forwarder sends to.
    pub struct ForwarderOtlp {
        /// Hosts and ports; each gets everything.
        endpoints: Vec<String>;
        tls: ForwarderTls;
    }
}

block! {
    /// What is left out, as OTTL conditions.
    pub struct ForwarderTraceFilter {
        /// Conditions on spans.
        span: Vec<String>;
        /// Conditions on span events.
        spanevent: Vec<String>;
    }
}

block! {
    /// What is left out.
    pub struct ForwarderFilter {
        traces: ForwarderTraceFilter;
    }
}

block! {
    /// One forwarder; tenants choose it by name.
    pub struct Forwarder {
        /// Its name.
        name: String;
        /// How it sends.
        backend: ForwarderBackend;
        otlpgrpc: ForwarderOtlp;
        filter: ForwarderFilter;
    }
}
