//! One connection that is kept, HTTP/1.1, a request at a time: so that latencies are not those of connecting.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Error;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Bytes of an answer, of its head, and of one line of that.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
const HEAD_LINES_MAX: usize = 100;
const LINE_BYTES_MAX: u64 = 16 << 10;

/// Connects when it is needed.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    prefix: String,
    stream: Option<BufReader<TcpStream>>,
}

/// How long a body is.
#[derive(Debug, PartialEq)]
enum Length {
    Known(u64),
    Chunked,
    UntilClosed,
}

impl Connection {
    /// To `http://host:port`, with perhaps a path prefix.
    pub fn new(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut addresses = host.to_socket_addrs().map_err(Error::io(url))?;
        let address = addresses.next();
        Ok(Self {
            address: address.ok_or_else(|| Error::Failed(format!("{url}: no address")))?,
            prefix: prefix.trim_end_matches('/').to_owned(),
            stream: None,
        })
    }

    /// Status and body.
    pub fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>), Error> {
        self.request("GET", path, "", &[])
    }

    /// Status and body of the answer to a body of this type.
    pub fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Error> {
        self.request("POST", path, &format!("Content-Type: {kind}\r\n"), body)
    }

    fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), Error> {
        let (prefix, address) = (&self.prefix, self.address);
        let what = format!("{method} http://{address}{prefix}{path}");
        let mut head = format!(
            "{method} {prefix}{path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        head.extend_from_slice(body);
        let answer = self.exchange(&head);
        if answer.is_err() {
            self.stream = None;
        }
        answer.map_err(Error::io(what))
    }

    fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, ANSWER_MAX)?;
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(request)?;
        let (status, length, keep) = read_head(&mut stream)?;
        let body = read_body(&mut stream, &length)?;
        if keep && length != Length::UntilClosed {
            self.stream = Some(stream);
        }
        Ok((status, body))
    }
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}

fn read_line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.take(LINE_BYTES_MAX).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(broken("the answer ends within its head"));
    }
    Ok(line.trim_end().to_owned())
}

/// Status, length of the body, and whether the connection stays.
fn read_head(from: &mut impl BufRead) -> std::io::Result<(u16, Length, bool)> {
    let first = read_line(from)?;
    let status = first.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status: u16 = status.ok_or_else(|| broken("no HTTP answer"))?;
    let (mut length, mut keep) = (Length::UntilClosed, first.starts_with("HTTP/1.1"));
    for _ in 0..HEAD_LINES_MAX {
        let line = read_line(from)?.to_ascii_lowercase();
        if line.is_empty() {
            if status == 204 {
                length = Length::Known(0);
            }
            return Ok((status, length, keep));
        }
        match line.split_once(':') {
            Some(("content-length", value)) => {
                let bytes = value.trim().parse();
                length = Length::Known(bytes.map_err(|_| broken("no length of the body"))?);
            }
            Some(("transfer-encoding", value)) if value.trim() == "chunked" => {
                length = Length::Chunked;
            }
            Some(("connection", value)) if value.trim() == "close" => keep = false,
            _ => {}
        }
    }
    Err(broken("too many headers"))
}

fn read_body(from: &mut impl BufRead, length: &Length) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match length {
        Length::Known(bytes) => read_exactly(from, *bytes, &mut body)?,
        Length::UntilClosed => drop(from.take(ANSWER_BYTES_MAX).read_to_end(&mut body)?),
        Length::Chunked => loop {
            let line = read_line(from)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let bytes = u64::from_str_radix(digits, 16).map_err(|_| broken("no chunk"))?;
            read_exactly(from, bytes, &mut body)?;
            // The line break behind a chunk; trailers are not asked for.
            read_line(from)?;
            if bytes == 0 {
                break;
            }
        },
    }
    Ok(body)
}

fn read_exactly(from: &mut impl BufRead, bytes: u64, to: &mut Vec<u8>) -> std::io::Result<()> {
    if to.len() as u64 + bytes > ANSWER_BYTES_MAX {
        return Err(broken("the answer is too large"));
    }
    if from.take(bytes).read_to_end(to)? as u64 != bytes {
        return Err(broken("the answer ends within its body"));
    }
    Ok(())
}

/// For a query string or a part of a path.
pub fn escape(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(mut bytes: &[u8]) -> std::io::Result<(u16, Vec<u8>, bool)> {
        let (status, length, keep) = read_head(&mut bytes)?;
        Ok((status, read_body(&mut bytes, &length)?, keep))
    }

    #[test]
    fn bodies_have_a_length_or_chunks_or_an_end() -> std::io::Result<()> {
        let plain = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd")?;
        assert_eq!(plain, (200, b"abc".to_vec(), true));
        let chunked = b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na;x\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(answer(chunked)?, (400, b"abc0123456789".to_vec(), true));
        let closed = answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall")?;
        assert_eq!(closed, (200, b"all".to_vec(), false));
        Ok(())
    }

    #[test]
    fn broken_answers_are_errors() {
        for bytes in [
            &b""[..],
            b"x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        ] {
            assert!(answer(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(escape("{ .a=\"ö\" }"), "%7B%20.a%3D%22%C3%B6%22%20%7D");
        assert_eq!(escape("resource.service-name_~"), "resource.service-name_~");
    }
}
