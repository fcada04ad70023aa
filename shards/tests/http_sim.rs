//! HTTP and gRPC over simulated sockets: the same code, on a seeded clock and network.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vivace_shards::grpc::client::{CallOptions, Client as GrpcClient};
use vivace_shards::grpc::{self, Call, Code};
use vivace_shards::http::client::{Client, Version};
use vivace_shards::http::response::text;
use vivace_shards::http::{Methods, RequestContext, Router, ServerOptions, serve};
use vivace_shards::net::{ListenOptions, TcpListener, TcpStream};
use vivace_shards::sim::{Ended, NetworkOptions, Sim};
use vivace_shards::time::{Instant, sleep};
use vivace_shards::{BoxError, shard_id, shutdown};

const ADDRESS: &str = "10.0.0.1:3200";

fn routes() -> Router {
    let server = grpc::Server::new()
        .unary("/test.Echo/Echo", async |call: Call| Ok(call.message))
        .unary("/test.Echo/Never", async |_: Call| {
            sleep(Duration::from_secs(3600)).await;
            Ok(Bytes::new())
        });
    Router::new()
        .route(
            Methods::Any,
            "/echo",
            "echo",
            async |mut context: RequestContext| match context.body.collect(1 << 20).await {
                Ok(body) => text(StatusCode::OK, body),
                Err(error) => text(error.status(), error.to_string()),
            },
        )
        .mount_grpc(server)
}

async fn server(signal: shutdown::Signal) -> Result<(), BoxError> {
    let address: SocketAddr = ADDRESS.parse()?;
    let listener = TcpListener::bind(address, ListenOptions::default())?;
    serve(
        listener,
        Rc::new(routes()),
        ServerOptions::default(),
        signal,
    )
    .await?;
    Ok(())
}

fn post(body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/echo".parse().expect("a path");
    request
}

async fn client() -> Result<(), BoxError> {
    let address: SocketAddr = ADDRESS.parse()?;
    sleep(Duration::from_millis(10)).await;
    for version in [Version::Http1, Version::Http2] {
        let client = Client::connect(address, version).await?;
        for size in [0usize, 1, 5_000, 300_000] {
            let body = Bytes::from(vec![b'x'; size]);
            let answer = client.send(post(body.clone())).await?;
            assert_eq!((answer.status(), answer.body()), (StatusCode::OK, &body));
        }
    }
    let client = GrpcClient::new(Client::connect(address, Version::Http2).await?);
    let message = Bytes::from(vec![b'y'; 100_000]);
    let answer = client
        .unary("/test.Echo/Echo", message.clone(), &CallOptions::default())
        .await?;
    assert_eq!(answer.0, message);
    let before = Instant::now();
    let options = CallOptions {
        timeout: Some(Duration::from_secs(60)),
        ..CallOptions::default()
    };
    let refused = client
        .unary("/test.Echo/Never", Bytes::new(), &options)
        .await;
    assert_eq!(
        refused.map_err(|status| status.code),
        Err(Code::DeadlineExceeded)
    );
    assert!(before.elapsed() >= Duration::from_secs(60));
    // An idle connection is closed after its two minutes, a half-sent head after ten seconds.
    for (start, at_least, at_most) in [("", 10, 11), ("GET /echo HTTP/1.1\r\nX: ", 10, 11)] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(start.as_bytes()).await?;
        let before = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        let waited = before.elapsed().as_secs_f64();
        assert!(
            waited >= f64::from(at_least) - 0.1 && waited <= f64::from(at_most),
            "{waited}"
        );
    }
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        .await?;
    let before = Instant::now();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    let waited = before.elapsed().as_secs();
    assert!(
        rest.starts_with(b"HTTP/1.1 200") && (119..=121).contains(&waited),
        "{waited}"
    );
    Ok(())
}

fn world(seed: u64) -> u64 {
    let sim = Sim::new(seed).shards(2).network(NetworkOptions::default());
    let signal = shutdown::Signal::new();
    let ended = sim
        .run(move || {
            let signal = signal.clone();
            async move {
                if shard_id() == 0 {
                    server(signal).await
                } else {
                    let result = client().await;
                    signal.trigger("client is done");
                    result
                }
            }
        })
        .expect("the world runs");
    assert_eq!(ended, Ended::Finished);
    sim.digest()
}

#[test]
fn requests_deadlines_and_timeouts_in_simulated_time() {
    for seed in 0..20 {
        world(seed);
    }
    assert_eq!(world(7), world(7));
}
