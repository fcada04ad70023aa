//! Real shards, on each driver that the system allows.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vivace_shards::net::{ListenOptions, TcpListener, TcpStream};
use vivace_shards::runtime::{self, Config, DriverChoice};
use vivace_shards::time::{Instant, sleep, timeout};
use vivace_shards::{
    BoxError, Class, breathe, lull, mailbox, metrics, shard_count, shard_id, shutdown, side, spawn,
    yield_now,
};

fn config(shards: usize, driver: DriverChoice) -> Config {
    Config {
        shards,
        pin: false,
        driver,
        ..Config::default()
    }
}

/// Runs the test on epoll, and on io_uring if the system allows it.
fn on_each_driver<F, Fut>(shards: usize, main: F)
where
    F: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + 'static,
{
    for driver in [DriverChoice::Epoll, DriverChoice::Auto] {
        runtime::run(config(shards, driver), main.clone()).unwrap();
    }
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[test]
fn messages_cross_shards_and_answers_come_back() {
    // Each round trip lets both shards fall asleep, so a lost wake would hang the test.
    let (tx, rx) = mailbox::bounded::<(u64, mailbox::Reply<u64>)>(4);
    let rx = Arc::new(Mutex::new(Some(rx)));
    runtime::run(config(3, DriverChoice::Auto), move || {
        let (tx, rx) = (tx.clone(), rx.clone());
        async move {
            assert_eq!(shard_count(), 3);
            if shard_id() == 0 {
                let rx = rx.lock().unwrap().take().ok_or("taken")?;
                for _ in 0..20_000 {
                    let (n, reply) = rx.recv().await.ok_or("closed")?;
                    reply.send(n * 2).map_err(|_| "nobody waits")?;
                }
                return Ok(());
            }
            for n in 0..10_000 {
                let (reply, promise) = mailbox::oneshot();
                tx.send((n, reply)).await?;
                assert_eq!(promise.await?, n * 2);
            }
            Ok(())
        }
    })
    .unwrap();
}

#[test]
fn a_lull_comes_once_the_class_has_nothing_to_do() {
    on_each_driver(1, || async {
        let busy = spawn(Class::Ingest, async {
            // Longer than a slice: the driver has its turn in between.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(5) {
                yield_now().await;
            }
        });
        let other = spawn(Class::Background, async {
            loop {
                yield_now().await;
            }
        });
        timeout(
            Duration::from_secs(30),
            lull(Class::Ingest, Duration::from_secs(60)),
        )
        .await?;
        assert!(busy.is_finished());
        drop(other);
        // With nothing else to do there is always one; with work that does not end there is a limit.
        lull(Class::Ingest, Duration::from_secs(60)).await;
        let endless = spawn(Class::Ingest, async {
            loop {
                yield_now().await;
            }
        });
        lull(Class::Ingest, Duration::from_millis(2)).await;
        drop(endless);
        Ok(())
    });
}

#[test]
fn events_come_before_long_work_which_is_done_one_after_the_other() {
    on_each_driver(1, || async {
        // Which of them had each turn.
        let turns = Rc::new(RefCell::new(Vec::new()));
        let work: Vec<_> = (0..5)
            .map(|number| {
                let turns = turns.clone();
                spawn(Class::Ingest, async move {
                    for _ in 0..12 {
                        turns.borrow_mut().push(number);
                        let begun = Instant::now();
                        // Longer than a breath.
                        while begun.elapsed() < Duration::from_micros(250) {
                            std::hint::spin_loop();
                        }
                        breathe().await;
                    }
                })
            })
            .collect();
        let (event, woken) = mailbox::oneshot::<()>();
        let told = spawn(Class::Ingest, {
            let turns = turns.clone();
            async move { woken.await.map(|()| turns.borrow().len()) }
        });
        sleep(Duration::from_millis(3)).await;
        let before = turns.borrow().len();
        event.send(()).map_err(|()| "nobody waits")?;
        assert_eq!(told.await?, before);
        for task in work {
            task.await;
        }
        let turns = turns.borrow();
        assert_eq!(turns.len(), 5 * 12);
        let switches = turns.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // Each had its first turn when it was new, and then all others.
        assert!(switches <= 10, "{turns:?}");
        Ok(())
    });
}

#[test]
fn connections_are_spread_evenly_over_the_listeners_of_an_address() {
    on_each_driver(1, || async {
        const EACH: usize = 25;
        let reuse = ListenOptions {
            reuse_port: true,
            ..ListenOptions::default()
        };
        let first = TcpListener::bind(local(), reuse)?;
        let address = first.local_addr()?;
        let listeners = [first, TcpListener::bind(address, reuse)?];
        let count = |listener: TcpListener| {
            spawn(Class::Ingest, async move {
                let mut open = Vec::new();
                loop {
                    // A cancelled accept must lose no connection.
                    match timeout(Duration::from_millis(300), listener.accept()).await {
                        Ok(accepted) => open.push(accepted.unwrap()),
                        Err(_) => return (listener, open),
                    }
                }
            })
        };
        let mut clients = Vec::new();
        for _ in 0..2 * EACH {
            clients.push(TcpStream::connect(address).await?);
        }
        let [a, b] = listeners.map(count);
        let ((first, a), (second, b)) = (a.await, b.await);
        assert_eq!(a.len() + b.len(), 2 * EACH);
        assert!(
            a.len().abs_diff(b.len()) <= 1,
            "{} and {}",
            a.len(),
            b.len()
        );

        // All connections of one end: the next ones are its own, until both have the same again.
        drop(a);
        for _ in 0..EACH {
            clients.push(TcpStream::connect(address).await?);
        }
        let (more_a, more_b) = (count(first), count(second));
        let ((first, more_a), (_, more_b)) = (more_a.await, more_b.await);
        assert!(more_b.len() <= 1, "{}", more_b.len());
        assert_eq!(more_a.len() + more_b.len(), EACH);

        // A listener that is gone gets none, however few it had.
        drop((b, more_b));
        for _ in 0..EACH {
            clients.push(TcpStream::connect(address).await?);
        }
        let (_, last) = count(first).await;
        assert_eq!(last.len(), EACH);
        Ok(())
    });
}

#[test]
fn every_shard_accepts_on_one_port_and_a_dropped_listener_frees_it() {
    on_each_driver(1, || async {
        let reuse = ListenOptions {
            reuse_port: true,
            ..ListenOptions::default()
        };
        let first = TcpListener::bind(local(), reuse)?;
        let address = first.local_addr()?;
        let second = TcpListener::bind(address, reuse)?;
        assert!(TcpListener::bind(address, ListenOptions::default()).is_err());
        let accept = |listener: TcpListener| {
            spawn(Class::Ingest, async move {
                let mut count = 0;
                // A cancelled accept must lose no connection.
                while let Ok(accepted) = timeout(Duration::from_millis(300), async {
                    loop {
                        let once = timeout(Duration::from_millis(1), listener.accept()).await;
                        if let Ok(accepted) = once {
                            return accepted;
                        }
                    }
                })
                .await
                {
                    let (mut stream, _) = accepted.unwrap();
                    stream.write_all(b"hello").await.unwrap();
                    count += 1;
                }
                count
            })
        };
        let (first, second) = (accept(first), accept(second));
        for _ in 0..40 {
            let mut stream = TcpStream::connect(address).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            assert_eq!(text, "hello");
        }
        let (first, second) = (first.await, second.await);
        assert_eq!(first + second, 40);
        // Both are dropped now; nobody listens any more.
        sleep(Duration::from_millis(5)).await;
        assert!(TcpStream::connect(address).await.is_err());
        TcpListener::bind(address, ListenOptions::default())?;
        Ok(())
    });
}

#[test]
fn large_transfers_arrive_whole_both_ways() {
    on_each_driver(1, || async {
        let listener = TcpListener::bind(local(), ListenOptions::default())?;
        let address = listener.local_addr()?;
        let server = spawn(Class::Ingest, async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut rx, mut tx) = tokio::io::split(stream);
            let copied = tokio::io::copy(&mut rx, &mut tx).await.unwrap();
            tx.shutdown().await.unwrap();
            copied
        });
        let stream = TcpStream::connect(address).await?;
        let sent: Vec<u8> = (0..5_000_000u32).map(|i| (i % 253) as u8).collect();
        let (mut rx, mut tx) = tokio::io::split(stream);
        let bytes = sent.clone();
        let writer = spawn(Class::Query, async move {
            tx.write_all(&bytes).await.unwrap();
            tx.shutdown().await.unwrap();
        });
        let mut back = Vec::new();
        rx.read_to_end(&mut back).await?;
        writer.await;
        assert_eq!(server.await, 5_000_000);
        assert!(back == sent);
        Ok(())
    });
}

#[test]
fn an_error_on_one_shard_stops_the_others_and_is_returned() {
    let error = runtime::run(config(2, DriverChoice::Auto), || async {
        if shard_id() == 1 {
            return Err("out of luck".into());
        }
        shutdown::signal().wait().await;
        Ok(())
    })
    .unwrap_err();
    assert!(
        matches!(error, runtime::Error::Main { shard: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("out of luck"));
}

#[test]
fn a_panicking_task_poisons_the_run_which_still_ends_in_order() {
    static FLUSHED: AtomicUsize = AtomicUsize::new(0);
    let error = runtime::run(config(2, DriverChoice::Auto), || async {
        if shard_id() == 0 {
            assert_eq!(runtime::poisoned(), None);
            spawn(Class::Background, async { panic!("lost my marbles") }).detach();
        }
        shutdown::signal().wait().await;
        assert!(
            runtime::poisoned()
                .ok_or("not poisoned")?
                .contains("lost my marbles")
        );
        FLUSHED.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
    .unwrap_err();
    assert!(
        matches!(error, runtime::Error::Panicked { shard: 0, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("lost my marbles"), "{error}");
    assert_eq!(FLUSHED.load(Ordering::SeqCst), 2);
}

#[test]
fn what_still_runs_at_the_end_is_dropped_on_its_own_shard() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Guard(usize);
    impl Drop for Guard {
        fn drop(&mut self) {
            assert_eq!(self.0, shard_id());
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    runtime::run(config(2, DriverChoice::Auto), || async {
        let listener = TcpListener::bind(local(), ListenOptions::default())?;
        let address = listener.local_addr()?;
        let guard = Guard(shard_id());
        spawn(Class::Ingest, async move {
            let _guard = guard;
            let _connection = listener.accept().await;
            std::future::pending::<()>().await;
        })
        .detach();
        let guard = Guard(shard_id());
        let mut stream = TcpStream::connect(address).await?;
        spawn(Class::Query, async move {
            let _guard = guard;
            let _ = stream.read_u8().await;
        })
        .detach();
        let guard = Guard(shard_id());
        spawn(Class::Background, async move {
            let _guard = guard;
            loop {
                breathe().await;
                vivace_shards::yield_now().await;
            }
        })
        .detach();
        sleep(Duration::from_millis(20)).await;
        Ok(())
    })
    .unwrap();
    assert_eq!(DROPPED.load(Ordering::SeqCst), 6);
}

#[test]
fn side_work_is_awaited_from_a_shard_and_its_panics_stay_there() {
    runtime::run(config(1, DriverChoice::Auto), || async {
        let here = std::thread::current().id();
        let there = side::spawn(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            std::thread::current().id()
        })
        .await?;
        assert_ne!(here, there);
        assert_eq!(side::blocking(|| 6 * 7).await?, 42);
        let panicked = side::blocking(|| panic!("over there")).await;
        assert_eq!(
            panicked,
            Err(side::Error::Panicked("over there".to_owned()))
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stall_is_counted_with_its_class_and_place() {
    runtime::run(config(1, DriverChoice::Auto), || async {
        spawn(Class::Background, async {
            std::thread::sleep(Duration::from_millis(4));
        })
        .await;
        let text = metrics::render();
        let counted = text.lines().any(|line| {
            line.starts_with("vivace_shard_stalls_total{class=\"background\"")
                && line.contains("tests/runtime.rs")
        });
        assert!(counted, "{text}");
        for name in [
            "vivace_shard_slices_total{shard=\"0\"}",
            "vivace_shard_slice_duration_seconds_bucket{shard=\"0\",class=\"ingest\"",
            "vivace_shard_tasks_spawned_total{class=\"background\",shard=\"0\"}",
            "vivace_shard_driver{driver=",
            "vivace_shard_tasks{shard=\"0\"}",
        ] {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn breathing_is_enough_for_others_to_run() {
    runtime::run(config(1, DriverChoice::Auto), || async {
        let turns = std::rc::Rc::new(Cell::new(0));
        let counter = turns.clone();
        let other = spawn(Class::Query, async move {
            loop {
                counter.set(counter.get() + 1);
                sleep(Duration::from_millis(1)).await;
            }
        });
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(200) {
            breathe().await;
        }
        drop(other);
        assert!(turns.get() > 20, "{}", turns.get());
        Ok(())
    })
    .unwrap();
}

#[test]
fn impossible_settings_are_refused() {
    let error = runtime::run(config(100_000, DriverChoice::Auto), || async { Ok(()) });
    assert!(matches!(error, Err(runtime::Error::Config(_))));
}

/// CPUs that the calling thread may run on, as the kernel writes them.
fn allowed() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_pinned_shard_has_one_cpu_and_side_threads_are_not_bound_to_it() {
    let whole = allowed();
    let pinned = Config {
        shards: 1,
        ..Config::default()
    };
    runtime::run(pinned, move || {
        let whole = whole.clone();
        async move {
            let mine = allowed();
            assert!(mine.parse::<usize>().is_ok(), "{mine}");
            let beside = side::blocking(allowed).await?;
            assert!(beside != mine || whole == mine, "{beside}");
            Ok(())
        }
    })
    .unwrap();
}

#[test]
fn a_shard_that_does_not_come_back_is_seen_from_outside() {
    runtime::run(config(1, DriverChoice::Auto), || async {
        spawn(Class::Background, async {
            let start = std::time::Instant::now();
            let seen = || {
                metrics::render().lines().any(|line| {
                    line.starts_with("vivace_shard_stuck_total")
                        && line.contains("tests/runtime.rs")
                })
            };
            while !seen() {
                assert!(start.elapsed() < Duration::from_secs(20));
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .await;
        Ok(())
    })
    .unwrap();
}
