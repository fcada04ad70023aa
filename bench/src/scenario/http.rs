//! The few requests that scenarios make themselves: one connection each, HTTP/1.0, no pipelining, no redirects.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Error;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// The body of a 200; anything else is an error. `url` is `http://address` with perhaps a path prefix.
pub fn get(url: &str, path: &str) -> Result<Vec<u8>, Error> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = host
        .parse()
        .map_err(|error| Error::Failed(format!("{url}: {error}")))?;
    let path = format!("{}{path}", prefix.trim_end_matches('/'));
    let (status, body) = request(address, "GET", &path)?;
    match status {
        200 => Ok(body),
        _ => Err(Error::Failed(format!(
            "{url}{path}: {status} {}",
            String::from_utf8_lossy(&body).trim()
        ))),
    }
}

/// Status and body of any request without a body.
pub fn request(address: SocketAddr, method: &str, path: &str) -> Result<(u16, Vec<u8>), Error> {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(Error::io(format!("{method} {address}{path}")))?;
    parse(&answer).ok_or_else(|| Error::Failed(format!("{method} {address}{path}: no HTTP answer")))
}

fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?;
    Some((status.parse().ok()?, answer.get(head + 4..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_status_and_a_body() {
        let answer = parse(b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nno\r\n\r\n");
        assert_eq!(answer, Some((404, b"no\r\n\r\n".to_vec())));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\n"), None);
        assert_eq!(parse(b"x\r\n\r\n"), None);
        assert_eq!(parse(b""), None);
    }
}
