//! Spans with all they carry.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::tree::{Node, Role, Tree};
use super::words::{
    AGENTS, EXCEPTIONS, METHODS, ROUTES, ROUTES_OF_SERVICE, RPC_METHODS, SERVICES, TABLES, TOPICS,
    WORK,
};
use crate::data::Random;

/// What all spans of a trace know.
struct Request<'a> {
    trace_id: [u8; 16],
    order: &'a str,
    user: u64,
    session: u64,
}

/// The spans of a tree, in its order.
pub(super) fn spans(
    random: &mut Random,
    tree: &Tree,
    trace_id: [u8; 16],
    order: &str,
) -> Vec<Span> {
    let request = Request {
        trace_id,
        order,
        user: random.skewed(80_000),
        session: random.next_u64(),
    };
    let ids: Vec<[u8; 8]> = (tree.nodes.iter())
        .map(|_| (random.next_u64() | 1).to_be_bytes())
        .collect();
    let nodes = tree.nodes.iter().zip(&ids);
    nodes
        .map(|(node, id)| {
            let parent = node.parent.map_or(&[][..], |at| &ids[at]);
            span(random, node, &request, *id, parent)
        })
        .collect()
}

fn span(
    random: &mut Random,
    node: &Node,
    request: &Request<'_>,
    id: [u8; 8],
    parent: &[u8],
) -> Span {
    let mut attributes = Vec::with_capacity(20);
    let name = match node.role {
        Role::HttpServer | Role::HttpClient => http(random, node, &mut attributes),
        Role::RpcServer | Role::RpcClient => rpc(random, node, &mut attributes),
        Role::Database => database(random, node, request, &mut attributes),
        Role::Cache => cache(random, request, &mut attributes),
        Role::Producer | Role::Consumer => queue(random, node, &mut attributes),
        Role::Work => work(random, &mut attributes),
    };
    common(random, node, request, &mut attributes);
    let failed = node.failed.then(|| random.pick_exception(node));
    let mut events = Vec::new();
    if let Some((kind, message)) = &failed {
        events.push(exception(random, node, kind, message));
    }
    if random.chance(40) {
        events.push(Event {
            time_unix_nano: node.start + node.length / 3,
            name: "retry".into(),
            attributes: vec![
                int("retry.attempt", 1 + random.below(4) as i64),
                text(
                    "retry.reason",
                    random.pick(&["timeout", "throttled", "reset"]),
                ),
            ],
            ..Default::default()
        });
    }
    Span {
        trace_id: request.trace_id.to_vec(),
        span_id: id.to_vec(),
        parent_span_id: parent.to_vec(),
        name,
        kind: node.role.kind(),
        start_time_unix_nano: node.start,
        end_time_unix_nano: node.start + node.length,
        attributes,
        events,
        links: links(random, node),
        status: Some(match failed {
            Some((_, message)) => Status { message, code: 2 },
            None => Status {
                message: String::new(),
                code: i32::from(random.chance(60)),
            },
        }),
        ..Default::default()
    }
}

fn http(random: &mut Random, node: &Node, to: &mut Vec<KeyValue>) -> String {
    // A client calls any route, a server has its own.
    let own = random.skewed(ROUTES_OF_SERVICE as u64) as usize;
    let route = ROUTES[(node.service * 5 + own) % ROUTES.len()];
    let method = random.pick(&METHODS);
    let path = route.replace("{id}", &format!("{:x}", random.skewed(2_000_000)));
    let host = format!("{}.shop.example", SERVICES[node.service]);
    let status = if node.failed {
        [500, 500, 502, 503, 504][random.below(5) as usize]
    } else {
        [200, 200, 200, 200, 200, 201, 204, 304, 400, 404][random.skewed(10) as usize]
    };
    let url = format!(
        "https://{host}{path}?page={}&token={:08x}",
        random.below(20),
        random.next_u64() as u32
    );
    let size = int("http.response.body.size", random.skewed(400_000) as i64);
    if node.service.is_multiple_of(2) {
        to.extend([
            text("http.method", method),
            int("http.status_code", status),
            text("http.url", &url),
            text("net.peer.name", &host),
            int("net.peer.port", 8080),
            text("http.user_agent", random.pick(&AGENTS)),
        ]);
    } else {
        to.extend([
            text("http.request.method", method),
            int("http.response.status_code", status),
            text("url.full", &url),
            text("url.path", &path),
            text("url.scheme", "https"),
            text("server.address", &host),
            int("server.port", 8080),
            text("user_agent.original", random.pick(&AGENTS)),
        ]);
    }
    to.push(size);
    if node.role == Role::HttpClient {
        return method.to_owned();
    }
    let [a, b, c] = [4, 256, 256].map(|n| random.below(n));
    to.push(text("client.address", &format!("10.{a}.{b}.{c}")));
    to.push(text("http.route", route));
    format!("{method} {route}")
}

fn rpc(random: &mut Random, node: &Node, to: &mut Vec<KeyValue>) -> String {
    let service = format!("shop.v1.{}", SERVICES[random.below(16) as usize]);
    let method = random.pick(&RPC_METHODS);
    let code = if node.failed {
        [2, 4, 13, 14][random.below(4) as usize]
    } else {
        0
    };
    let name = format!("{service}/{method}");
    to.extend([
        text("rpc.system", "grpc"),
        text("rpc.service", &service),
        text("rpc.method", method),
        int("rpc.grpc.status_code", code),
        text(
            "network.peer.address",
            &format!("10.8.{}.{}", random.below(8), random.below(256)),
        ),
        int("network.peer.port", 30_000 + random.below(20_000) as i64),
    ]);
    name
}

fn database(
    random: &mut Random,
    node: &Node,
    request: &Request<'_>,
    to: &mut Vec<KeyValue>,
) -> String {
    let table = TABLES[(node.service * 3 + random.skewed(5) as usize) % TABLES.len()];
    let (verb, query) = match random.below(10) {
        // Some clients send values as part of the text.
        0..3 => (
            "SELECT",
            format!(
                "SELECT * FROM {table} WHERE id = {} AND user_id = {}",
                random.skewed(5_000_000),
                request.user
            ),
        ),
        3..7 => (
            "SELECT",
            format!("SELECT id, state, updated_at FROM {table} WHERE id = $1 LIMIT $2"),
        ),
        7..9 => (
            "UPDATE",
            format!("UPDATE {table} SET state = $1, updated_at = now() WHERE id = $2"),
        ),
        _ => (
            "INSERT",
            format!("INSERT INTO {table} (id, user_id, state) VALUES ($1, $2, $3)"),
        ),
    };
    let system = ["postgresql", "postgresql", "mysql", "mongodb"][node.service % 4];
    to.extend([
        text("db.system.name", system),
        text(
            "db.namespace",
            ["shop", "billing", "warehouse"][node.service % 3],
        ),
        text("db.collection.name", table),
        text("db.operation.name", verb),
        text("db.query.text", &query),
        int("db.response.returned_rows", random.skewed(1000) as i64),
        text(
            "server.address",
            &format!("{system}-{}.db.internal", node.service % 3),
        ),
        int("server.port", 5432),
    ]);
    format!("{verb} {table}")
}

fn cache(random: &mut Random, request: &Request<'_>, to: &mut Vec<KeyValue>) -> String {
    let verb = random.pick(&["GET", "GET", "GET", "SET", "DEL", "HGETALL"]);
    let thing = random.pick(&["session", "price", "stock", "profile"]);
    let key = match random.below(2) {
        0 => format!("{thing}:{:016x}", request.session),
        _ => format!("{thing}:{}", random.skewed(300_000)),
    };
    to.extend([
        text("db.system.name", "redis"),
        text("db.operation.name", verb),
        text("db.query.text", &format!("{verb} {key}")),
        boolean("cache.hit", random.chance(830)),
        text("server.address", "redis-0.cache.internal"),
        int("server.port", 6379),
    ]);
    verb.to_owned()
}

fn queue(random: &mut Random, node: &Node, to: &mut Vec<KeyValue>) -> String {
    let topic = random.pick(&TOPICS);
    let verb = if node.role == Role::Producer {
        "publish"
    } else {
        "process"
    };
    to.extend([
        text("messaging.system", "kafka"),
        text("messaging.destination.name", topic),
        text("messaging.operation.type", verb),
        text(
            "messaging.message.id",
            &format!("{:016x}{:016x}", random.next_u64(), random.next_u64()),
        ),
        int("messaging.kafka.offset", random.below(90_000_000) as i64),
        text(
            "messaging.destination.partition.id",
            &random.below(24).to_string(),
        ),
        int(
            "messaging.batch.message_count",
            1 + random.skewed(100) as i64,
        ),
    ]);
    format!("{topic} {verb}")
}

fn work(random: &mut Random, to: &mut Vec<KeyValue>) -> String {
    let name = random.pick(&WORK);
    to.extend([
        text("code.function.name", &name.replace(' ', "_")),
        int("code.line.number", 10 + random.below(900) as i64),
        double("work.load", (random.unit() * 1000.0).round() / 1000.0),
    ]);
    if random.chance(120) {
        let values = (0..=random.below(3)).map(|_| {
            any(Value::StringValue(
                random
                    .pick(&["beta", "new-prices", "eu-only", "dark"])
                    .into(),
            ))
        });
        let values = values.collect();
        to.push(key_value(
            "feature.flags",
            Value::ArrayValue(ArrayValue { values }),
        ));
    }
    name.to_owned()
}

fn common(random: &mut Random, node: &Node, request: &Request<'_>, to: &mut Vec<KeyValue>) {
    to.extend([
        text("thread.name", &format!("worker-{}", random.below(32))),
        int("thread.id", 20 + random.below(32) as i64),
    ]);
    // The front door knows who asks; further inside it gets lost now and then.
    if node.parent.is_none() || random.chance(300) {
        to.push(text("user.id", &format!("user-{:05}", request.user)));
        to.push(text("session.id", &format!("{:016x}", request.session)));
    }
    if node.parent.is_none() {
        to.push(text("order.id", request.order));
        to.push(double(
            "cart.total",
            (random.unit().powi(2) * 50_000.0).round() / 100.0,
        ));
        to.push(int("cart.items", 1 + random.skewed(30) as i64));
    }
    if random.chance(50) {
        to.push(int("retry.count", 1 + random.below(4) as i64));
    }
}

fn links(random: &mut Random, node: &Node) -> Vec<Link> {
    let count = match (node.role, node.parent) {
        (Role::Consumer, None) => 1 + random.below(4),
        (Role::Consumer, Some(_)) => u64::from(random.chance(300)),
        _ => 0,
    };
    let links = (0..count).map(|n| Link {
        trace_id: [random.next_u64(), random.next_u64()]
            .map(u64::to_be_bytes)
            .concat(),
        span_id: (random.next_u64() | 1).to_be_bytes().to_vec(),
        attributes: vec![
            text("link.reason", if n == 0 { "message" } else { "batch" }),
            int("link.position", n as i64),
        ],
        ..Default::default()
    });
    links.collect()
}

impl Random {
    fn pick_exception(&mut self, node: &Node) -> (&'static str, String) {
        let (kind, message) = EXCEPTIONS[self.skewed(EXCEPTIONS.len() as u64) as usize];
        let service = SERVICES[node.service];
        (
            kind,
            format!("{message} {service}-{:x}", self.below(1 << 20)),
        )
    }
}

fn exception(random: &mut Random, node: &Node, kind: &str, message: &str) -> Event {
    let frames = (0..4 + random.below(8)).map(|_| {
        let (service, line) = (SERVICES[node.service], random.below(400));
        format!(
            "\n    at {service}.{}({service}.src:{line})",
            random.pick(&RPC_METHODS)
        )
    });
    let frames: String = frames.collect();
    Event {
        time_unix_nano: node.start + node.length * 9 / 10,
        name: "exception".into(),
        attributes: vec![
            text("exception.type", kind),
            text("exception.message", message),
            text(
                "exception.stacktrace",
                &format!("{kind}: {message}{frames}"),
            ),
        ],
        ..Default::default()
    }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(any(value)),
        ..Default::default()
    }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, Value::StringValue(value.into()))
}

pub(super) fn int(key: &str, value: i64) -> KeyValue {
    key_value(key, Value::IntValue(value))
}

fn double(key: &str, value: f64) -> KeyValue {
    key_value(key, Value::DoubleValue(value))
}

fn boolean(key: &str, value: bool) -> KeyValue {
    key_value(key, Value::BoolValue(value))
}
