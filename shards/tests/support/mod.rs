//! A server on a shard of its own, on a free loopback port, for as long as the value lives.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod grpc;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use vivace_shards::http::{Router, ServerOptions, serve};
use vivace_shards::net::{ListenOptions, TcpListener};
use vivace_shards::{runtime, shutdown};

pub struct TestServer {
    pub address: SocketAddr,
    signal: shutdown::Signal,
    thread: Option<JoinHandle<()>>,
}

pub fn one_shard() -> runtime::Config {
    runtime::Config {
        shards: 1,
        pin: false,
        ..runtime::Config::default()
    }
}

impl TestServer {
    pub fn start(
        options: ServerOptions,
        router: impl Fn() -> Router + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(one_shard(), options, router)
    }

    pub fn start_with(
        config: runtime::Config,
        options: ServerOptions,
        router: impl Fn() -> Router + Send + Sync + 'static,
    ) -> Self {
        let signal = shutdown::Signal::new();
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(tell);
        let shared = Arc::new((options, router, signal.clone()));
        let thread = std::thread::spawn(move || {
            runtime::run(config, move || {
                let shared = Arc::clone(&shared);
                let tell = tell.lock().expect("lock").clone();
                async move {
                    let (options, router, signal) = &*shared;
                    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                    let listener = TcpListener::bind(any, ListenOptions::default())?;
                    tell.send(listener.local_addr()?)?;
                    let router = Rc::new(router());
                    serve(listener, router, options.clone(), signal.clone()).await?;
                    Ok(())
                }
            })
            .expect("the server's shard runs");
        });
        Self {
            address: told.recv().expect("an address"),
            signal,
            thread: Some(thread),
        }
    }

    /// Begins the shutdown without waiting for it.
    pub fn trigger(&self) {
        self.signal.trigger("test");
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connect");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("timeout");
        stream
    }

    /// Sends bytes on a new connection and returns everything until the server closes.
    pub fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request);
        read_all(&mut stream)
    }
}

pub fn read_all(stream: &mut TcpStream) -> String {
    let mut out = Vec::new();
    // A reset after the answer loses nothing that has been read.
    let _ = stream.read_to_end(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads until the text has come.
pub fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut out = Vec::new();
    let mut byte = [0u8; 1];
    while !String::from_utf8_lossy(&out).contains(text) {
        match stream.read(&mut byte) {
            Ok(1) => out.push(byte[0]),
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&out)),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.signal.trigger("end of test");
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server ends well");
            }
        }
    }
}

/// Runs a client on a shard of its own.
pub fn on_a_shard<F, Fut>(client: F)
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let client = Arc::new(client);
    runtime::run(one_shard(), move || {
        let client = Arc::clone(&client);
        async move {
            client().await;
            Ok(())
        }
    })
    .expect("the client's shard runs");
}
