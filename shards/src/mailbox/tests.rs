use std::time::Duration;

use super::*;
use crate::sim::Sim;
use crate::time::{sleep, timeout};
use crate::{Class, spawn};

#[test]
fn a_full_mailbox_refuses_and_a_closed_one_gives_back() {
    let (tx, rx) = bounded(2);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    let full = tx.try_send(3).unwrap_err();
    assert_eq!((full.is_retryable(), full.into_inner()), (true, 3));
    assert_eq!((tx.len(), tx.capacity(), rx.len()), (2, 2, 2));
    assert_eq!(rx.try_recv(), Some(1));
    tx.try_send(3).unwrap();
    drop(rx);
    assert!(tx.is_closed());
    let closed = tx.try_send(4).unwrap_err();
    assert_eq!((closed.is_retryable(), closed.into_inner()), (false, 4));
}

#[test]
fn what_was_sent_is_received_after_the_senders_are_gone() {
    let (tx, rx) = bounded(10);
    for i in 0..5 {
        tx.try_send(i).unwrap();
    }
    drop(tx);
    Sim::new(1)
        .run(move || {
            let rx = rx.inner.clone();
            async move {
                let rx = Receiver { inner: rx };
                for i in 0..5 {
                    assert_eq!(rx.recv().await, Some(i));
                }
                assert_eq!(rx.recv().await, None);
                Ok(())
            }
        })
        .unwrap();
}

#[test]
fn a_sender_waits_for_room_and_a_dropped_send_sends_nothing() {
    for seed in 0..20 {
        Sim::new(seed)
            .run(|| async {
                let (tx, rx) = bounded(1);
                tx.send(1).await?;
                let late = timeout(Duration::from_millis(1), tx.send(2)).await;
                assert!(late.is_err());
                let sender = spawn(Class::Query, {
                    let tx = tx.clone();
                    async move { tx.send(3).await }
                });
                sleep(Duration::from_millis(1)).await;
                assert!(!sender.is_finished());
                assert_eq!(rx.recv().await, Some(1));
                assert_eq!(rx.recv().await, Some(3));
                sender.await?;
                assert_eq!(rx.try_recv(), None);
                drop(rx);
                assert_eq!(tx.send(4).await, Err(Closed(4)));
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_promise_gets_the_answer_or_learns_that_none_will_come() {
    Sim::new(1)
        .run(|| async {
            let (reply, promise) = oneshot();
            spawn(Class::Query, async move {
                sleep(Duration::from_millis(1)).await;
                reply.send(7).unwrap();
            })
            .detach();
            assert_eq!(promise.await, Ok(7));
            let (reply, promise) = oneshot::<u8>();
            drop(reply);
            assert_eq!(promise.await, Err(Dropped));
            let (reply, promise) = oneshot();
            drop(promise);
            assert!(reply.is_closed());
            assert_eq!(reply.send(1), Err(1));
            Ok(())
        })
        .unwrap();
}

#[test]
fn work_for_an_answer_ends_with_whoever_waits_for_it() {
    Sim::new(1)
        .run(|| async {
            let (mut reply, promise) = oneshot::<u8>();
            assert_eq!(reply.work(async { 7 }).await, Some(7));
            let held = std::rc::Rc::new(());
            let in_work = held.clone();
            let task = spawn(Class::Query, async move {
                let forever = async move {
                    let _held = in_work;
                    std::future::pending::<()>().await;
                };
                reply.work(forever).await
            });
            sleep(Duration::from_millis(1)).await;
            assert_eq!(std::rc::Rc::strong_count(&held), 2);
            drop(promise);
            assert_eq!(task.await, None);
            assert_eq!(std::rc::Rc::strong_count(&held), 1);
            Ok(())
        })
        .unwrap();
}

#[test]
fn named_mailboxes_export_their_depth() {
    let (tx, rx) = named("test_depth", 2);
    let (other, _other_rx) = named::<u8>("test_depth", 3);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    other.try_send(3).unwrap();
    assert!(tx.try_send(4).is_err());
    let text = crate::metrics::render();
    assert!(
        text.contains("vivace_mailbox_depth{mailbox=\"test_depth\"} 3"),
        "{text}"
    );
    assert!(
        text.contains("vivace_mailbox_capacity{mailbox=\"test_depth\"} 5"),
        "{text}"
    );
    assert!(
        text.contains("vivace_mailbox_full_total{mailbox=\"test_depth\"} 1"),
        "{text}"
    );
    drop((tx, rx));
    let text = crate::metrics::render();
    assert!(
        text.contains("vivace_mailbox_depth{mailbox=\"test_depth\"} 1"),
        "{text}"
    );
}
