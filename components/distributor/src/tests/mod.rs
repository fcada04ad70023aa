//! Tests of the whole distributor over loopback sockets.

mod grpc;
mod http;
mod support;
