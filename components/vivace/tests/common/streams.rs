//! tonic's client for `tempopb.StreamingQuerier`, as Grafana uses it: plain text, HTTP/2 with prior knowledge.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::marker::PhantomData;
use std::time::Duration;

use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;

use crate::common::Result;

/// How long a stream may take in a test.
const STREAM_MAX: Duration = Duration::from_secs(60);

/// What Go's gRPC clients take at most.
pub const LARGEST_MESSAGE: usize = 4 << 20;

/// A message with its encoded size in bytes.
#[derive(Debug, Clone)]
pub struct Sized<A> {
    pub bytes: usize,
    pub message: A,
}

struct Prost<Q, A>(PhantomData<(Q, A)>);

impl<Q, A> Codec for Prost<Q, A>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    type Encode = Q;
    type Decode = Sized<A>;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }
    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<Q: Message, A> Encoder for Prost<Q, A> {
    type Item = Q;
    type Error = tonic::Status;
    fn encode(
        &mut self,
        item: Q,
        to: &mut EncodeBuf<'_>,
    ) -> std::result::Result<(), tonic::Status> {
        item.encode(to)
            .map_err(|error| tonic::Status::internal(error.to_string()))
    }
}

impl<Q, A: Message + Default> Decoder for Prost<Q, A> {
    type Item = Sized<A>;
    type Error = tonic::Status;
    fn decode(
        &mut self,
        from: &mut DecodeBuf<'_>,
    ) -> std::result::Result<Option<Sized<A>>, tonic::Status> {
        let bytes = bytes::Buf::remaining(from);
        let message =
            A::decode(from).map_err(|error| tonic::Status::data_loss(error.to_string()))?;
        Ok(Some(Sized { bytes, message }))
    }
}

/// The messages of a stream that ended well, or its status.
pub type Streamed<A> = std::result::Result<Vec<Sized<A>>, tonic::Status>;

/// Calls `/tempopb.StreamingQuerier/<method>` and reads the stream to its end.
pub fn stream<Q, A>(
    port: u16,
    method: &str,
    tenant: Option<&str>,
    request: Q,
) -> Result<Streamed<A>>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let path = format!("/tempopb.StreamingQuerier/{method}").parse()?;
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?.timeout(STREAM_MAX);
    let mut request = tonic::Request::new(request);
    if let Some(tenant) = tenant {
        request
            .metadata_mut()
            .insert("x-scope-orgid", tenant.parse()?);
    }
    runtime.block_on(async {
        let channel = endpoint.connect().await?;
        let mut client =
            tonic::client::Grpc::new(channel).max_decoding_message_size(LARGEST_MESSAGE);
        client.ready().await?;
        let streamed = async {
            let answer = client
                .server_streaming(request, path, Prost::<Q, A>(PhantomData))
                .await?;
            let mut stream = answer.into_inner();
            let mut messages = Vec::new();
            while let Some(message) = stream.message().await? {
                messages.push(message);
            }
            Ok(messages)
        };
        Ok(streamed.await)
    })
}
