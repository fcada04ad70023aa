//! The whole HTTP server and client over simulated sockets: the same code, replayed from a seed.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use vivace_shards::http::client::{Client, Version};
use vivace_shards::http::response::text;
use vivace_shards::http::{Methods, RequestContext, Router, ServerOptions, serve};
use vivace_shards::net::{ListenOptions, TcpListener};
use vivace_shards::sim::{Ended, NetworkOptions, Sim};
use vivace_shards::{BoxError, shutdown, time};

const SERVER: &str = "10.0.0.1:3200";

async fn server() -> Result<(), BoxError> {
    let listener = TcpListener::bind(SERVER.parse()?, ListenOptions::default())?;
    let router = Router::new().route(Methods::Any, "/echo", "echo", async |context| {
        let mut context: RequestContext = context;
        match context.body.collect(1 << 20).await {
            Ok(body) => text(StatusCode::OK, body),
            Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
        }
    });
    serve(
        listener,
        Rc::new(router),
        ServerOptions::default(),
        shutdown::signal(),
    )
    .await?;
    Ok(())
}

async fn client(version: Version) -> Result<(), BoxError> {
    let client = Client::connect(SERVER.parse()?, version).await?;
    for length in [0, 1, 1000, 100_000] {
        let body = Bytes::from(vec![b'x'; length]);
        let request = Request::post("/echo").body(body.clone())?;
        let answer = time::timeout(Duration::from_secs(60), client.send(request)).await??;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body(), body);
    }
    Ok(())
}

fn world(seed: u64, version: Version) -> (u64, u64) {
    let sim = Sim::new(seed).network(NetworkOptions {
        window: 10_000,
        ..NetworkOptions::default()
    });
    let process = sim.add_process("server", 1);
    sim.start(process, server);
    sim.run_for(Duration::from_millis(1)).unwrap();
    let ended = sim.run(move || client(version)).unwrap();
    assert_eq!(ended, Ended::Finished);
    (sim.polls(), sim.digest())
}

#[test]
fn requests_are_answered_whatever_the_seed() {
    for seed in 0..10 {
        world(seed, Version::Http1);
        world(seed, Version::Http2);
    }
}

#[test]
fn a_seed_replays_with_hyper_in_it() {
    for version in [Version::Http1, Version::Http2] {
        assert_eq!(world(42, version), world(42, version));
    }
}
