//! The simulated world: replay, crashes, budgets, network.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vivace_shards::net::{ListenOptions, TcpListener, TcpStream};
use vivace_shards::sim::{self, Durable, Ended, NetworkOptions, Sim, What};
use vivace_shards::time::{Instant, interval, sleep, timeout};
use vivace_shards::{
    BoxError, Class, breathe, driver_name, mailbox, rand, shard_count, shard_id, shutdown, side,
    spawn, yield_now,
};

/// A world with some of everything in it; returns what it saw.
fn busy_world(seed: u64) -> (Vec<String>, u64, Instant) {
    let sim = Sim::new(seed).shards(3);
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let (tx, rx) = mailbox::bounded::<(usize, u64)>(2);
    let rx = Rc::new(rx);
    let log = seen.clone();
    let ended = sim
        .run(move || {
            let (tx, rx, log) = (tx.clone(), rx.clone(), log.clone());
            async move {
                assert_eq!((driver_name(), shard_count()), ("sim", 3));
                let note = move |text: String| log.borrow_mut().push(text);
                if shard_id() == 0 {
                    for _ in 0..40 {
                        let (from, value) = rx.recv().await.ok_or("closed too early")?;
                        note(format!("{from}:{value}"));
                    }
                    return Ok(());
                }
                let mut tasks = Vec::new();
                for class in [Class::Ingest, Class::Background] {
                    let tx = tx.clone();
                    tasks.push(spawn(class, async move {
                        for _ in 0..10 {
                            sleep(Duration::from_micros(rand::below(50))).await;
                            breathe().await;
                            tx.send((shard_id(), rand::below(1000))).await.unwrap();
                        }
                    }));
                }
                for task in tasks {
                    task.await;
                }
                Ok(())
            }
        })
        .unwrap();
    assert_eq!(ended, Ended::Finished);
    let seen = seen.borrow().clone();
    (seen, sim.digest(), sim.now())
}

#[test]
fn a_seed_replays_and_another_differs() {
    let first = busy_world(1);
    assert_eq!(first.0.len(), 40);
    assert_eq!(first, busy_world(1));
    assert_ne!(first.0, busy_world(2).0);
    assert_ne!(first.1, busy_world(3).1);
}

#[test]
fn time_jumps_over_waits() {
    let real = std::time::Instant::now();
    let sim = Sim::new(5);
    sim.run(|| async {
        let start = Instant::now();
        sleep(Duration::from_secs(3600)).await;
        let passed = start.elapsed();
        assert!(passed >= Duration::from_secs(3600) && passed < Duration::from_secs(3601));
        let mut ticks = interval(Duration::from_secs(1));
        for _ in 0..10 {
            ticks.tick().await;
        }
        assert!(start.elapsed() >= Duration::from_secs(3609));
        assert!(
            timeout(Duration::from_secs(1), std::future::pending::<()>())
                .await
                .is_err()
        );
        Ok(())
    })
    .unwrap();
    assert!(real.elapsed() < Duration::from_secs(10));
}

/// Counts what was written and what was synced; a crash takes the count back to what was synced.
#[derive(Default)]
struct Counter {
    written: Cell<u64>,
    synced: Cell<u64>,
    crashes: Cell<u64>,
}

impl Durable for Counter {
    fn on_crash(&self, _rng: &mut dyn FnMut(u64) -> u64) {
        self.written.set(self.synced.get());
        self.crashes.set(self.crashes.get() + 1);
    }
}

struct SyncsWhenDropped(Rc<Counter>, Rc<Cell<u64>>);

impl Drop for SyncsWhenDropped {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
        // What a destructor writes after the crash is not synced by anyone.
        self.0.written.set(1000);
    }
}

#[test]
fn a_crash_at_an_io_step_keeps_only_what_was_synced() {
    for k in 1..=12 {
        let sim = Sim::new(k).shards(2);
        let dropped = Rc::new(Cell::new(0));
        let drops = dropped.clone();
        sim.crash_at_io(Sim::MAIN, k);
        let ended = sim
            .run(move || {
                let drops = drops.clone();
                async move {
                    let counter = sim::durable(Counter::default).unwrap();
                    let _held = SyncsWhenDropped(counter.clone(), drops);
                    loop {
                        if sim::io_step().await {
                            sim::crash_now().await;
                        }
                        counter.written.set(counter.written.get() + 1);
                        if sim::io_step().await {
                            sim::crash_now().await;
                        }
                        counter.synced.set(counter.written.get());
                    }
                }
            })
            .unwrap();
        assert_eq!(ended, Ended::Crashed);
        assert_eq!(sim.io_steps(Sim::MAIN), k);
        assert_eq!(dropped.get(), 2, "every task of every shard is dropped");
        let counter = sim.durable(Sim::MAIN, Counter::default);
        assert_eq!(counter.crashes.get(), 1);
        assert!(counter.synced.get() <= k);
        // The same world goes on with a new main on the same durable state.
        let ended = sim.run(|| async {
            assert_eq!(sim::durable(Counter::default).unwrap().crashes.get(), 1);
            Ok(())
        });
        assert_eq!(ended.unwrap(), Ended::Finished);
    }
}

#[test]
fn spinning_fails_and_names_the_seed_and_the_place() {
    let sim = Sim::new(77).poll_budget(5_000);
    let failure = sim
        .run(|| async {
            loop {
                yield_now().await;
            }
        })
        .unwrap_err();
    assert!(matches!(failure.what, What::Spinning { .. }));
    assert!(failure.to_string().starts_with("seed 77: "), "{failure}");
}

#[test]
fn waiting_for_nothing_and_for_too_long_fail() {
    let sim = Sim::new(1);
    let failure = sim
        .run(std::future::pending::<Result<(), BoxError>>)
        .unwrap_err();
    assert!(matches!(failure.what, What::Stuck), "{failure}");

    let sim = Sim::new(1).time_budget(Duration::from_secs(60));
    let failure = sim
        .run(|| async {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        })
        .unwrap_err();
    assert!(matches!(failure.what, What::TooLong), "{failure}");
}

#[test]
fn errors_and_panics_end_the_process_and_say_why() {
    let sim = Sim::new(3);
    let failure = sim.run(|| async { Err("no disk".into()) }).unwrap_err();
    assert!(failure.to_string().contains("no disk"), "{failure}");

    let sim = Sim::new(4).shards(2);
    let failure = sim
        .run(|| async {
            if shard_id() == 1 {
                spawn(Class::Query, async { panic!("lost my marbles") }).detach();
            }
            shutdown::signal().wait().await;
            Ok(())
        })
        .unwrap_err();
    assert!(failure.to_string().contains("lost my marbles"), "{failure}");
}

#[test]
fn side_work_runs_inside_the_simulation() {
    Sim::new(9)
        .run(|| async {
            assert_eq!(side::spawn(async { 6 * 7 }).await?, 42);
            assert_eq!(side::blocking(|| "done").await?, "done");
            Ok(())
        })
        .unwrap();
}

const SERVER: &str = "10.0.0.1:80";

async fn echo_server() -> Result<(), BoxError> {
    let listener = TcpListener::bind(SERVER.parse()?, ListenOptions::default())?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        spawn(Class::Ingest, async move {
            let (mut rx, mut tx) = tokio::io::split(&mut stream);
            let mut buf = [0; 1000];
            while let Ok(n @ 1..) = rx.read(&mut buf).await {
                if tx.write_all(&buf[..n]).await.is_err() {
                    break;
                }
            }
            let _ = tx.shutdown().await;
        })
        .detach();
    }
}

#[test]
fn bytes_cross_the_network_in_order_whatever_the_seed() {
    for seed in 0..20 {
        let sim = Sim::new(seed).network(NetworkOptions {
            window: 700,
            ..NetworkOptions::default()
        });
        let server = sim.add_process("server", 1);
        sim.start(server, echo_server);
        sim.run_for(Duration::from_millis(1)).unwrap();
        sim.run(|| async {
            let stream = TcpStream::connect(SERVER.parse()?).await?;
            assert_eq!(stream.peer_addr()?.to_string(), SERVER);
            let sent: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
            let (mut rx, mut tx) = tokio::io::split(stream);
            let bytes = sent.clone();
            let writer = spawn(Class::Query, async move {
                tx.write_all(&bytes).await.unwrap();
                tx.shutdown().await.unwrap();
            });
            let mut back = Vec::new();
            rx.read_to_end(&mut back).await?;
            writer.await;
            assert!(back == sent);
            Ok(())
        })
        .unwrap();
        assert!(sim.polls() > 0);
    }
}

#[test]
fn nobody_there_a_cut_and_a_crash_look_as_they_should() {
    let sim = Sim::new(11);
    sim.run(|| async {
        let error = TcpStream::connect(SERVER.parse()?)
            .await
            .err()
            .ok_or("connected")?;
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        Ok(())
    })
    .unwrap();

    let server = sim.add_process("server", 1);
    sim.start(server, echo_server);
    sim.run_for(Duration::from_millis(1)).unwrap();
    let pongs = Rc::new(Cell::new(0));
    let broken = Rc::new(Cell::new(false));
    let (count, flag) = (pongs.clone(), broken.clone());
    sim.start(Sim::MAIN, move || {
        let (count, flag) = (count.clone(), flag.clone());
        async move {
            let mut stream = TcpStream::connect(SERVER.parse()?).await?;
            loop {
                let mut byte = [1];
                if stream.write_all(&byte).await.is_err()
                    || stream.read_exact(&mut byte).await.is_err()
                {
                    flag.set(true);
                    return Ok(());
                }
                count.set(count.get() + 1);
                sleep(Duration::from_millis(10)).await;
            }
        }
    });
    sim.run_for(Duration::from_secs(1)).unwrap();
    let before = pongs.get();
    assert!(before > 50, "{before}");

    sim.cut(Sim::MAIN, server);
    sim.run_for(Duration::from_secs(10)).unwrap();
    assert!(pongs.get() <= before + 1);
    sim.heal(Sim::MAIN, server);
    sim.run_for(Duration::from_secs(1)).unwrap();
    assert!(pongs.get() > before + 50);

    sim.crash(server);
    assert_eq!(sim.run_until_ended(Sim::MAIN).unwrap(), Ended::Finished);
    assert!(broken.get());
    // The address is free again.
    sim.start(server, echo_server);
    sim.run_for(Duration::from_millis(1)).unwrap();
    sim.run(|| async {
        TcpStream::connect(SERVER.parse()?).await?;
        Ok(())
    })
    .unwrap();
}
