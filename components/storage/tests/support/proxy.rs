//! An HTTP proxy that does harm: it stands between a client and a store, and does to certain answers what it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Harm {
    /// The store never hears of it; the answer has this status.
    Status(u16),
    /// It reaches the store only after this time.
    Late(Duration),
    /// The store does it, but its answer never comes.
    LostAnswer,
    /// The connection is cut within the answer's body.
    Cut,
    /// The answer has half its body, and says so.
    Half,
}

struct Rule {
    method: &'static str,
    path: String,
    harm: Harm,
    times: usize,
}

type Rules = Arc<Mutex<Vec<Rule>>>;

/// A proxy; it lives as long as the test's process.
pub struct Proxy {
    pub address: SocketAddr,
    rules: Rules,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(store: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let rules = Rules::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (of_thread, lines) = (Arc::clone(&rules), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (rules, lines) = (Arc::clone(&of_thread), Arc::clone(&lines));
                // What goes wrong here, the client hears as a cut connection.
                std::thread::spawn(move || serve(client, store, &rules, &lines));
            }
        });
        Ok(Self {
            address,
            rules,
            seen,
        })
    }

    /// The next `times` requests of this method whose path contains `path` come to harm.
    pub fn harm(&self, method: &'static str, path: &str, harm: Harm, times: usize) {
        let path = path.to_owned();
        self.rules.lock().unwrap().push(Rule {
            method,
            path,
            harm,
            times,
        });
    }

    /// No more harm. Returns how often what was planned has not happened.
    pub fn calm(&self) -> usize {
        let rules = std::mem::take(&mut *self.rules.lock().unwrap());
        rules.iter().map(|rule| rule.times).sum()
    }

    /// The heads of requests seen since this was asked before.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn strike(rules: &Rules, line: &str) -> Option<Harm> {
    let mut rules = rules.lock().unwrap();
    let line = line.replace("%2F", "/");
    let (method, path) = line.split_once(' ')?;
    let rule = rules
        .iter_mut()
        .find(|rule| rule.times > 0 && rule.method == method && path.contains(&rule.path))?;
    rule.times -= 1;
    Some(rule.harm.clone())
}

/// One request on one connection.
fn serve(
    mut client: TcpStream,
    store: SocketAddr,
    rules: &Rules,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (head, mut body) = read_head(&mut client)?;
    let length = header(&head, "content-length").and_then(|value| value.parse().ok());
    let missing = length.unwrap_or(0_usize).saturating_sub(body.len());
    let begun = body.len();
    body.resize(begun + missing, 0);
    client.read_exact(&mut body[begun..])?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().unwrap().push(head.clone());
    let harm = strike(rules, &line);
    match harm {
        Some(Harm::Status(status)) => {
            let answer = format!(
                "HTTP/1.1 {status} Harm\r\nContent-Length: 4\r\nConnection: close\r\n\r\nharm"
            );
            return client.write_all(answer.as_bytes());
        }
        Some(Harm::Late(delay)) => std::thread::sleep(delay),
        _ => {}
    }
    let mut server = TcpStream::connect(store)?;
    // One store looks at its own name.
    let head = without(&head, "host");
    let (line, others) = head.split_once("\r\n").unwrap_or((&head, ""));
    let head = format!("{line}\r\nHost: {store}\r\n{others}\r\n");
    server.write_all(close_after(&head).as_bytes())?;
    server.write_all(&body)?;
    let (head, mut body) = read_head(&mut server)?;
    server.read_to_end(&mut body)?;
    let mut head = close_after(&head);
    match harm {
        Some(Harm::LostAnswer) => return client.shutdown(Shutdown::Both),
        Some(Harm::Cut) => body.truncate(body.len() / 2),
        Some(Harm::Half) => {
            body.truncate(body.len() / 2);
            head = without(&head, "content-length");
            head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        }
        _ => {}
    }
    client.write_all(head.as_bytes())?;
    client.write_all(&body)?;
    client.shutdown(Shutdown::Both)
}

/// A head as text, with its empty line, and what has come of the body.
fn read_head(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

/// The head without a header and without its empty line.
fn without(head: &str, name: &str) -> String {
    let kept = head.lines().filter(|line| {
        let key = line.split(':').next().unwrap_or_default();
        !line.is_empty() && !key.eq_ignore_ascii_case(name)
    });
    kept.map(|line| format!("{line}\r\n")).collect()
}

/// The head with `Connection: close`.
fn close_after(head: &str) -> String {
    let mut head = without(head, "connection");
    head.push_str("Connection: close\r\n\r\n");
    head
}
