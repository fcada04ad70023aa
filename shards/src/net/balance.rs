//! Spreading the connections of one address over the listeners that share it.
//!
//! The kernel chooses among listeners with SO_REUSEPORT by a hash of the client's address. That evens out for thousands of connections;
//! collectors have a few each, and keep them, so that one shard could have most of the load for days. Whoever accepts a connection
//! while another listener has fewer hands it over.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::limits::HANDED_OVER;

/// An accepted connection and its client.
pub(super) type Accepted = (TcpStream, SocketAddr);

/// The listeners of this process that share their address, by address.
static GROUPS: LazyLock<Mutex<HashMap<SocketAddr, Vec<Arc<Member>>>>> =
    LazyLock::new(Mutex::default);

fn groups() -> MutexGuard<'static, HashMap<SocketAddr, Vec<Arc<Member>>>> {
    // Nothing that holds the lock can panic half-way.
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the others know of a listener.
struct Member {
    /// Its open connections, with those that it is about to take.
    open: AtomicUsize,
    sender: flume::Sender<Accepted>,
}

/// A listener among those of its address. It leaves when this is dropped.
pub(super) struct Balance {
    address: SocketAddr,
    me: Arc<Member>,
    handed_over: flume::Receiver<Accepted>,
}

/// Counts a connection for as long as it lives.
pub(super) struct Open(Arc<Member>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Balance {
    pub(super) fn join(address: SocketAddr) -> Self {
        let (sender, handed_over) = flume::bounded(HANDED_OVER);
        let me = Arc::new(Member {
            open: AtomicUsize::new(0),
            sender,
        });
        groups().entry(address).or_default().push(Arc::clone(&me));
        Self {
            address,
            me,
            handed_over,
        }
    }

    /// A connection that this listener has accepted: its own from now on, or gone to a listener that has fewer.
    pub(super) fn place(&self, accepted: Accepted) -> Option<(Accepted, Open)> {
        let mine = self.me.open.fetch_add(1, Ordering::Relaxed) + 1;
        let kept = match self.with_fewer(mine) {
            None => accepted,
            Some(other) => {
                // Counted before it is there, so that a burst does not go to one listener as a whole.
                other.open.fetch_add(1, Ordering::Relaxed);
                match other.sender.try_send(accepted) {
                    Ok(()) => {
                        self.me.open.fetch_sub(1, Ordering::Relaxed);
                        return None;
                    }
                    Err(refused) => {
                        other.open.fetch_sub(1, Ordering::Relaxed);
                        refused.into_inner()
                    }
                }
            }
        };
        Some((kept, Open(Arc::clone(&self.me))))
    }

    /// The listener with the fewest connections, if handing one of `mine` over leaves it with no more than that.
    fn with_fewer(&self, mine: usize) -> Option<Arc<Member>> {
        let groups = groups();
        let members = groups.get(&self.address)?.iter();
        let open = |member: &Arc<Member>| member.open.load(Ordering::Relaxed);
        let least = members.min_by_key(|member| open(member))?;
        (open(least) + 1 < mine).then(|| Arc::clone(least))
    }

    /// One that another listener has handed over, when there is one.
    pub(super) async fn handed_over(&self) -> (Accepted, Open) {
        match self.handed_over.recv_async().await {
            Ok(accepted) => (accepted, Open(Arc::clone(&self.me))),
            // `me` holds a sender.
            Err(flume::RecvError::Disconnected) => std::future::pending().await,
        }
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        let mut groups = groups();
        if let Some(members) = groups.get_mut(&self.address) {
            members.retain(|member| !Arc::ptr_eq(member, &self.me));
            if members.is_empty() {
                groups.remove(&self.address);
            }
        }
    }
}
