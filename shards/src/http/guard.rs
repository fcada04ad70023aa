//! The watch over one connection: what it has read and written, since when it waits, and when that has taken too long.
//!
//! hyper sees requests, this sees bytes. Together they tell a client that thinks (fine) from one that drips a header,
//! or never takes its answer (not fine).

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::time::{self, Instant};

/// Bytes a client must take within the write timeout once it has stopped taking everything at once.
const WRITE_PROGRESS: u64 = 16 * 1024;

/// The limits in time of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the first byte of a request's head (on a new connection: from its start) to its end.
    pub(crate) header: Duration,
    /// Without any request.
    pub(crate) idle: Option<Duration>,
    /// With bytes to send that the client does not take.
    pub(crate) write: Duration,
}

/// What the watch says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Fine; look again at this time.
    Wait(Instant),
    /// Nothing to do on it for too long: say goodbye.
    Idle,
    /// The client holds it up: cut it.
    Stalled,
}

/// Shared by the socket, the requests and the driver of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    read: Cell<u64>,
    written: Cell<u64>,
    /// The first bytes of the connection, as many as are needed to know HTTP/2's preface.
    preface: Cell<([u8; 3], u8)>,
    /// Requests whose answers are not finished.
    open: Cell<u32>,
    served: Cell<u64>,
    idle_since: Cell<Instant>,
    /// When the first byte after the last request came.
    head_since: Cell<Option<Instant>>,
    /// Since when the client takes too little, and what was written by then.
    blocked: Cell<Option<(Instant, u64)>>,
}

impl Activity {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            read: Cell::new(0),
            written: Cell::new(0),
            preface: Cell::default(),
            open: Cell::new(0),
            served: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            head_since: Cell::new(None),
            blocked: Cell::new(None),
        })
    }

    /// A request's head is complete; the guard's end is the end of its answer.
    pub(crate) fn request(self: &Rc<Self>) -> OpenRequest {
        self.open.set(self.open.get() + 1);
        self.served.set(self.served.get() + 1);
        self.head_since.set(None);
        OpenRequest(Rc::clone(self))
    }

    fn is_h2(&self) -> bool {
        // No HTTP/1 method starts like this.
        self.preface.get().0 == *b"PRI"
    }

    fn on_read(&self, bytes: &[u8]) {
        self.read.set(self.read.get() + bytes.len() as u64);
        let (mut first, mut known) = self.preface.get();
        if usize::from(known) < first.len() {
            for byte in bytes {
                let Some(slot) = first.get_mut(usize::from(known)) else {
                    break;
                };
                *slot = *byte;
                known += 1;
            }
            self.preface.set((first, known));
        }
        if self.open.get() == 0 && self.head_since.get().is_none() {
            self.head_since.set(Some(Instant::now()));
        }
    }

    fn on_write(&self, wanted: usize, taken: usize) {
        let written = self.written.get() + taken as u64;
        self.written.set(written);
        if let Some((_, mark)) = self.blocked.get()
            && (taken == wanted || written - mark >= WRITE_PROGRESS)
        {
            self.blocked.set(None);
        }
    }

    fn on_write_blocked(&self) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some((Instant::now(), self.written.get())));
        }
    }

    /// What to do now, by the clock.
    pub(crate) fn verdict(&self, now: Instant, patience: &Patience) -> Verdict {
        let mut next = now + patience.write;
        if let Some((since, _)) = self.blocked.get() {
            let deadline = since + patience.write;
            if now >= deadline {
                return Verdict::Stalled;
            }
            next = next.min(deadline);
        }
        if self.open.get() > 0 {
            return Verdict::Wait(next);
        }
        let (deadline, verdict) = match self.head_since.get() {
            Some(since) if !self.is_h2() => (since + patience.header, Verdict::Stalled),
            _ if self.served.get() == 0 && !self.is_h2() => {
                (self.idle_since.get() + patience.header, Verdict::Stalled)
            }
            _ => match patience.idle {
                Some(idle) => (self.idle_since.get() + idle, Verdict::Idle),
                None => return Verdict::Wait(next),
            },
        };
        if now >= deadline {
            return verdict;
        }
        Verdict::Wait(next.min(deadline))
    }
}

/// A request in progress.
pub(crate) struct OpenRequest(Rc<Activity>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let open = self.0.open.get().saturating_sub(1);
        self.0.open.set(open);
        if open == 0 {
            self.0.idle_since.set(Instant::now());
        }
    }
}

/// After our last byte, what the client still sends is read and thrown away within these bounds: closing over unread bytes
/// would reset the connection and take the answer with it.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

enum Closing {
    No,
    /// Our side is closed; until when to listen, and how many bytes more.
    Lingering(time::Sleep, usize),
}

/// A socket (or TLS stream) that reports to an [`Activity`].
pub(crate) struct Guarded<S> {
    inner: S,
    activity: Rc<Activity>,
    closing: Closing,
}

impl<S> Guarded<S> {
    pub(crate) fn new(inner: S, activity: Rc<Activity>) -> Self {
        Self {
            inner,
            activity,
            closing: Closing::No,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Some(bytes) = buf.filled().get(before..)
            && !bytes.is_empty()
        {
            self.activity.on_read(bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Guarded<S> {
    fn wrote(&self, wanted: usize, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(Ok(taken)) => self.activity.on_write(wanted, *taken),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.on_write_blocked(),
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(buf.len(), polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(wanted, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if matches!(this.closing, Closing::No) {
            std::task::ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.closing = Closing::Lingering(time::sleep(LINGER), LINGER_BYTES);
        }
        let Closing::Lingering(until, left) = &mut this.closing else {
            return Poll::Ready(Ok(()));
        };
        let mut scratch = [0u8; 8 * 1024];
        while *left > 0 {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.inner).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    *left = left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Pin::new(until).poll(cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}
