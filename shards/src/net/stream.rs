//! Connected sockets.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use monoio::io::IntoPollIo;
use monoio::net::tcp::stream_poll::TcpStreamPoll;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::balance::Open;
use crate::sim::{self, SimStream};

/// A TCP connection.
pub struct TcpStream {
    inner: Inner,
    /// One that was accepted counts for its listener.
    _open: Option<Open>,
}

enum Inner {
    Real(TcpStreamPoll),
    Sim(SimStream),
}

/// Calls the same method on whichever stream there is.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Inner::Real($inner) => $call,
            Inner::Sim($inner) => $call,
        }
    };
}

impl TcpStream {
    /// Connects to `address`. Bound it with [`crate::time::timeout`]: the kernel's own patience is
    /// minutes.
    pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        if let Some(process) = sim::current_process() {
            return Ok(Self::from_sim(sim::connect(&process, address).await?));
        }
        let stream = monoio::net::TcpStream::connect_addr(address).await?;
        Ok(TcpStream {
            inner: Inner::Real(stream.into_poll_io()?),
            _open: None,
        })
    }

    pub(super) fn from_std(
        stream: std::net::TcpStream,
        open: Option<Open>,
    ) -> io::Result<TcpStream> {
        let stream = monoio::net::TcpStream::from_std(stream)?;
        Ok(TcpStream {
            inner: Inner::Real(stream.into_poll_io()?),
            _open: open,
        })
    }

    pub(super) fn from_sim(stream: SimStream) -> TcpStream {
        TcpStream {
            inner: Inner::Sim(stream),
            _open: None,
        }
    }

    /// Whether small writes are sent at once (TCP_NODELAY).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.inner {
            Inner::Real(stream) => stream.set_nodelay(nodelay),
            Inner::Sim(_) => Ok(()),
        }
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Inner::Real(stream) => stream.peer_addr(),
            Inner::Sim(stream) => Ok(stream.peer_addr()),
        }
    }

    /// Our own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Inner::Real(stream) => stream.local_addr(),
            Inner::Sim(stream) => Ok(stream.local_addr()),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(&mut self.inner, s => Pin::new(s).poll_read(cx, buf))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.inner, s => Pin::new(s).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(&mut self.inner, s => Pin::new(s).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        either!(&self.inner, s => s.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.inner, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.inner, s => Pin::new(s).poll_shutdown(cx))
    }
}
