//! Simulated listening sockets.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::stream::SimStream;
use crate::sim::Process;

/// What the network knows of a listener.
pub(crate) struct Listening {
    process: usize,
    address: SocketAddr,
    reuse_port: bool,
    backlog: usize,
    closed: Cell<bool>,
    queue: RefCell<VecDeque<SimStream>>,
    waiting: RefCell<Option<Waker>>,
}

impl Listening {
    pub(super) fn new(
        process: usize,
        address: SocketAddr,
        reuse_port: bool,
        backlog: usize,
    ) -> Self {
        Listening {
            process,
            address,
            reuse_port,
            backlog,
            closed: Cell::new(false),
            queue: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    pub(super) fn process(&self) -> usize {
        self.process
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn reuse_port(&self) -> bool {
        self.reuse_port
    }

    /// A connection arrives. False if it is refused.
    pub(super) fn offer(&self, stream: SimStream) -> bool {
        if self.closed.get() || self.queue.borrow().len() >= self.backlog {
            return false;
        }
        self.queue.borrow_mut().push_back(stream);
        let waiting = self.waiting.borrow_mut().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
        true
    }

    pub(super) fn close(&self) {
        self.closed.set(true);
        let queue = std::mem::take(&mut *self.queue.borrow_mut());
        drop(queue);
    }
}

/// A simulated listening socket; closes when dropped.
pub(crate) struct SimListener {
    listening: Rc<Listening>,
    process: Rc<Process>,
}

impl SimListener {
    pub(crate) fn bind(
        process: Rc<Process>,
        address: SocketAddr,
        reuse_port: bool,
        backlog: u32,
    ) -> io::Result<SimListener> {
        let world = process.world().ok_or(io::ErrorKind::NetworkDown)?;
        // `as` is exact on the 64-bit systems that we run on.
        let backlog = (backlog as usize).max(1);
        let listening = world
            .network
            .listen(process.index(), address, reuse_port, backlog)?;
        Ok(SimListener { listening, process })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.listening.address
    }

    pub(crate) async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        poll_fn(|cx| {
            if let Some(stream) = self.listening.queue.borrow_mut().pop_front() {
                let peer = stream.peer_addr();
                return Poll::Ready(Ok((stream, peer)));
            }
            *self.listening.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        self.listening.close();
        if let Some(world) = self.process.world() {
            world.network.unlisten(&self.listening);
        }
    }
}
