//! Listening sockets.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::balance::{Accepted, Balance, Open};
use super::stream::TcpStream;
use crate::limits::LISTEN_BACKLOG;
use crate::sim::{self, SimListener};

/// How a listening socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// SO_REUSEPORT: every shard listens on the same address. The kernel spreads connections, and a shard that has more than another
    /// hands new ones over.
    pub reuse_port: bool,
    /// Connections the kernel queues before they are accepted.
    pub backlog: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions {
            reuse_port: false,
            backlog: LISTEN_BACKLOG,
        }
    }
}

/// A listening TCP socket. Stops listening when dropped.
pub struct TcpListener {
    inner: Inner,
}

enum Inner {
    Real(Driven),
    Sim(SimListener),
}

impl TcpListener {
    /// Opens a socket that listens on `address`. Port 0 takes a free port.
    pub fn bind(address: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
        let inner = match sim::current_process() {
            Some(process) => {
                let (reuse, backlog) = (options.reuse_port, options.backlog);
                Inner::Sim(SimListener::bind(process, address, reuse, backlog)?)
            }
            None => Inner::Real(Driven::bind(address, options)?),
        };
        Ok(TcpListener { inner })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Inner::Real(listener) => listener.socket.local_addr(),
            Inner::Sim(listener) => Ok(listener.local_addr()),
        }
    }

    /// The next connection. Dropping the future loses none.
    ///
    /// # Errors
    /// What the system says, for example when the process has no file descriptors left. Such
    /// errors may pass; the caller should wait a little and accept again.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.inner {
            Inner::Real(listener) => listener.accept().await,
            Inner::Sim(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((TcpStream::from_sim(stream), peer))
            }
        }
    }
}

/// A real listening socket, waited for through the driver.
struct Driven {
    /// Accepts; the driver holds a duplicate that it waits on.
    socket: std::net::TcpListener,
    driven: Rc<monoio::net::TcpListener>,
    /// The wait for a connection. Kept here and not in `accept`'s future, because a wait that has
    /// been handed to the kernel is better continued than cancelled and begun anew.
    readable: RefCell<Option<Readable>>,
    /// With `reuse_port`.
    balance: Option<Balance>,
}

type Readable = Pin<Box<dyn Future<Output = io::Result<()>>>>;

impl Driven {
    fn bind(address: SocketAddr, options: ListenOptions) -> io::Result<Driven> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(options.reuse_port)?;
        if address.is_ipv6() {
            // [::] takes IPv4 too, as in Go's listeners. Some kernels forbid the change.
            let _ = socket.set_only_v6(false);
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        let socket = std::net::TcpListener::from(socket);
        let address = socket.local_addr()?;
        let driven = Rc::new(monoio::net::TcpListener::from_std(socket.try_clone()?)?);
        Ok(Driven {
            socket,
            driven,
            readable: RefCell::new(None),
            balance: options.reuse_port.then(|| Balance::join(address)),
        })
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let ((stream, peer), open) = match &self.balance {
            None => (self.accept_own().await?, None),
            Some(balance) => {
                let (accepted, open) = self.accept_balanced(balance).await?;
                (accepted, Some(open))
            }
        };
        stream.set_nonblocking(true)?;
        Ok((TcpStream::from_std(stream, open)?, peer))
    }

    /// The next connection that is for this listener, whoever has accepted it.
    async fn accept_balanced(&self, balance: &Balance) -> io::Result<(Accepted, Open)> {
        let mut handed_over = pin!(balance.handed_over());
        loop {
            let mut own = pin!(self.accept_own());
            let accepted = poll_fn(|cx| {
                if let Poll::Ready(accepted) = handed_over.as_mut().poll(cx) {
                    return Poll::Ready(Ok(Some(accepted)));
                }
                let accepted = ready!(own.as_mut().poll(cx));
                Poll::Ready(accepted.map(|accepted| balance.place(accepted)))
            })
            .await?;
            if let Some(accepted) = accepted {
                return Ok(accepted);
            }
        }
    }

    /// The next connection that the kernel gives to this listener. Dropping the future loses none.
    async fn accept_own(&self) -> io::Result<Accepted> {
        loop {
            match self.socket.accept() {
                Ok(accepted) => return Ok(accepted),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                // The peer gave up before we accepted: not an error of the listener.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut waiting = self.readable.borrow_mut();
            let wait = waiting.get_or_insert_with(|| {
                let driven = Rc::clone(&self.driven);
                Box::pin(async move { driven.readable(false).await })
            });
            match wait.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(result) => {
                    *waiting = None;
                    Poll::Ready(result)
                }
            }
        })
        .await
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // The driver may hold its duplicate a little longer. This takes the socket out of the
        // listening state now, so that its address is free and no connection is lost in it.
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Both);
    }
}
