//! Simulated connections: two pipes, one for each direction.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::world::World;

/// One in so many reads and writes moves fewer bytes than it could.
const PARTIAL_ONE_IN: u64 = 8;

/// One direction of a connection.
pub(crate) struct Pipe {
    world: Weak<World>,
    from: usize,
    to: usize,
    state: RefCell<PipeState>,
}

#[derive(Default)]
struct PipeState {
    /// Arrived and not yet read.
    arrived: VecDeque<u8>,
    /// Sent and not yet arrived.
    in_flight: usize,
    /// When the last thing sent arrives: nothing overtakes it.
    last_arrival: u64,
    /// The writer has closed its side.
    write_closed: bool,
    /// The end of the stream has arrived.
    ended: bool,
    /// The reader is gone; what arrives makes the writer fail.
    read_closed: bool,
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    pub(super) fn new(world: Weak<World>, from: usize, to: usize) -> Rc<Pipe> {
        Rc::new(Pipe {
            world,
            from,
            to,
            state: RefCell::default(),
        })
    }

    pub(super) fn touches(&self, process: usize) -> bool {
        self.from == process || self.to == process
    }

    /// Breaks the connection for both ends of this direction.
    pub(super) fn reset(&self) {
        self.state.borrow_mut().reset = true;
        self.wake(true, true);
    }

    fn wake(&self, reader: bool, writer: bool) {
        let (reader, writer) = {
            let mut state = self.state.borrow_mut();
            let reader = if reader { state.reader.take() } else { None };
            let writer = if writer { state.writer.take() } else { None };
            (reader, writer)
        };
        // Outside of the borrow: a wake may run foreign code.
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }

    /// Sends a piece, or with None the end of the stream.
    fn send(self: &Rc<Self>, world: &Rc<World>, piece: Option<Vec<u8>>) {
        let latency = world.network.latency(world);
        let delay = {
            let mut state = self.state.borrow_mut();
            let now = world.now();
            // `as` is exact: latencies are far below u64::MAX nanoseconds.
            let arrival = (now + latency.as_nanos() as u64).max(state.last_arrival);
            state.last_arrival = arrival;
            state.in_flight += piece.as_ref().map_or(0, Vec::len);
            Duration::from_nanos(arrival - now)
        };
        let pipe = Rc::clone(self);
        let arrive = Box::new(move |_: &Rc<World>| pipe.arrive(piece));
        world
            .network
            .send(world, (self.from, self.to), delay, arrive);
    }

    fn arrive(&self, piece: Option<Vec<u8>>) {
        {
            let mut state = self.state.borrow_mut();
            match piece {
                Some(bytes) => {
                    state.in_flight -= bytes.len();
                    if state.read_closed {
                        state.reset = true;
                    } else {
                        state.arrived.extend(bytes);
                    }
                }
                None => state.ended = true,
            }
        }
        let reset = self.state.borrow().reset;
        self.wake(true, reset);
    }

    fn close_write(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if state.write_closed || state.reset {
            return;
        }
        state.write_closed = true;
        drop(state);
        if let Some(world) = self.world.upgrade() {
            self.send(&world, None);
        }
    }

    fn close_read(&self) {
        let mut state = self.state.borrow_mut();
        state.read_closed = true;
        let unread = !state.arrived.is_empty();
        state.arrived.clear();
        state.reset |= unread;
        drop(state);
        self.wake(false, true);
    }
}

/// A simulated connection; closes when dropped.
pub(crate) struct SimStream {
    read: Rc<Pipe>,
    write: Rc<Pipe>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl SimStream {
    pub(super) fn new(
        read: Rc<Pipe>,
        write: Rc<Pipe>,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> SimStream {
        SimStream {
            read,
            write,
            local,
            peer,
        }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.write.close_write();
        self.read.close_read();
    }
}

/// `n`, or by seed a smaller part of it that is not empty.
fn part(world: &World, n: usize) -> usize {
    if n > 1 && world.rng.below(PARTIAL_ONE_IN) == 0 {
        // `as` is exact: n is a buffer's length.
        1 + world.rng.below(n as u64 - 1) as usize
    } else {
        n
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(world) = self.read.world.upgrade() else {
            return Poll::Ready(Err(io::ErrorKind::NetworkDown.into()));
        };
        let mut state = self.read.state.borrow_mut();
        if state.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if state.arrived.is_empty() {
            if state.ended || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = part(&world, state.arrived.len().min(buf.remaining()));
        let (front, back) = state.arrived.as_slices();
        let from_front = n.min(front.len());
        buf.put_slice(&front[..from_front]);
        buf.put_slice(&back[..n - from_front]);
        state.arrived.drain(..n);
        drop(state);
        self.read.wake(false, true);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(world) = self.write.world.upgrade() else {
            return Poll::Ready(Err(io::ErrorKind::NetworkDown.into()));
        };
        if world.rng.chance(world.network.resets_per_million()) {
            self.write.reset();
            self.read.reset();
        }
        let n = {
            let mut state = self.write.state.borrow_mut();
            if state.reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if state.write_closed || state.read_closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let used = state.in_flight + state.arrived.len();
            let room = world.network.window().saturating_sub(used);
            if room == 0 && !bytes.is_empty() {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            part(&world, room.min(bytes.len()))
        };
        if n > 0 {
            self.write.send(&world, Some(bytes[..n].to_vec()));
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.close_write();
        Poll::Ready(Ok(()))
    }
}
