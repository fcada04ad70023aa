//! Nothing starves beside a task that is always busy: timers tick, messages from other threads
//! arrive, sockets answer. On io_uring (where the system allows it) and on epoll.
//!
//! Timed on a machine that others use too, so each case has several tries, and the cases run one
//! after the other.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vivace_shards::net::{ListenOptions, TcpListener, TcpStream};
use vivace_shards::runtime::{self, Config, DriverChoice};
use vivace_shards::time::{Instant, sleep};
use vivace_shards::{Class, breathe, driver_name, mailbox, spawn, yield_now};

const TRIES: usize = 8;
const MIN_TICKS: u64 = 85;
const MAX_MESSAGE_DELAY: Duration = Duration::from_millis(5);
const MIN_PINGS: u64 = 100;

#[derive(Clone, Debug, Default)]
struct Seen {
    driver: &'static str,
    ticks: u64,
    message_delay: Duration,
    pings: u64,
    laps: u64,
}

impl Seen {
    fn is_lively(&self) -> bool {
        self.ticks >= MIN_TICKS
            && self.message_delay <= MAX_MESSAGE_DELAY
            && self.pings >= MIN_PINGS
            && self.laps > 0
    }
}

#[derive(Clone, Copy)]
enum Busy {
    /// Computes, and breathes every 200 us as the rules ask.
    Computing,
    /// Does nothing but give way and come back: the case that starves driver loops.
    Yielding,
}

/// One second beside a busy background task.
async fn second(busy: Busy) -> Seen {
    let laps = Rc::new(Cell::new(0));
    let counter = laps.clone();
    let _busy = spawn(Class::Background, async move {
        loop {
            counter.set(counter.get() + 1);
            match busy {
                Busy::Computing => {
                    let until = Instant::now() + Duration::from_micros(200);
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    breathe().await;
                }
                Busy::Yielding => yield_now().await,
            }
        }
    });

    let pings = Rc::new(Cell::new(0));
    let counter = pings.clone();
    let _ping_pong = spawn(Class::Ingest, async move {
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = TcpListener::bind(any, ListenOptions::default()).unwrap();
        let address = listener.local_addr().unwrap();
        let _echo = spawn(Class::Ingest, async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).await.is_ok() {
                stream.write_all(&byte).await.unwrap();
            }
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut byte = [7];
        loop {
            stream.write_all(&byte).await.unwrap();
            stream.read_exact(&mut byte).await.unwrap();
            counter.set(counter.get() + 1);
        }
    });

    let (tx, rx) = mailbox::bounded(1);
    let messenger = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        tx.try_send(std::time::Instant::now()).unwrap();
    });
    let delay = spawn(Class::Query, async move {
        let sent = rx.recv().await.unwrap();
        sent.elapsed()
    });

    let end = Instant::now() + Duration::from_secs(1);
    let mut ticks = 0;
    while Instant::now() < end {
        sleep(Duration::from_millis(10)).await;
        ticks += 1;
    }
    messenger.join().unwrap();
    Seen {
        driver: driver_name(),
        ticks,
        message_delay: delay.await,
        pings: pings.get(),
        laps: laps.get(),
    }
}

fn run_second(driver: DriverChoice, busy: Busy) -> Result<Seen, runtime::Error> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let out = seen.clone();
    let config = Config {
        shards: 1,
        pin: false,
        driver,
        ..Config::default()
    };
    runtime::run(config, move || {
        let out = out.clone();
        async move {
            *out.lock().unwrap() = second(busy).await;
            Ok(())
        }
    })?;
    let seen = seen.lock().unwrap().clone();
    Ok(seen)
}

fn check(driver: DriverChoice, name: &str) {
    for busy in [Busy::Computing, Busy::Yielding] {
        let mut all = Vec::new();
        for _ in 0..TRIES {
            let seen = match run_second(driver, busy) {
                Ok(seen) => seen,
                Err(runtime::Error::Start { source, .. }) if driver == DriverChoice::Uring => {
                    eprintln!("io_uring is refused here ({source}): nothing to test");
                    return;
                }
                Err(error) => panic!("{error}"),
            };
            assert_eq!(seen.driver, name);
            eprintln!("{seen:?}");
            if seen.is_lively() {
                all.clear();
                break;
            }
            all.push(seen);
        }
        assert!(all.is_empty(), "starved in every try: {all:#?}");
    }
}

#[test]
fn nothing_starves_on_epoll_and_on_io_uring() {
    check(DriverChoice::Epoll, "epoll");
    check(DriverChoice::Uring, "io_uring");
}
