//! The shape of a trace: who called whom, when, for how long, and what failed.

use super::words::{EDGES, SERVICES};
use super::{TRACE_NANOS_MOST, Window};
use crate::data::Random;

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    HttpServer,
    HttpClient,
    RpcServer,
    RpcClient,
    Database,
    Cache,
    Producer,
    Consumer,
    Work,
}

impl Role {
    /// The kind in OTLP.
    pub(super) fn kind(self) -> i32 {
        match self {
            Self::Work => 1,
            Self::HttpServer | Self::RpcServer => 2,
            Self::HttpClient | Self::RpcClient | Self::Database | Self::Cache => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
        }
    }

    /// What the other end of a call is.
    fn other_end(self) -> Option<Self> {
        match self {
            Self::HttpClient => Some(Self::HttpServer),
            Self::RpcClient => Some(Self::RpcServer),
            Self::Producer => Some(Self::Consumer),
            _ => None,
        }
    }

    /// Whether such a span can have any number of children.
    fn does_work(self) -> bool {
        matches!(
            self,
            Self::HttpServer | Self::RpcServer | Self::Consumer | Self::Work
        )
    }
}

/// A span to be.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub role: Role,
    pub service: usize,
    /// Index of its parent.
    pub parent: Option<usize>,
    /// Unix nanoseconds.
    pub start: u64,
    /// Nanoseconds.
    pub length: u64,
    pub failed: bool,
    /// The other end has a span.
    answered: bool,
}

/// A trace to be; parents stand before their children.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

/// Spans that fail by themselves, of a million.
const FAILURES: u64 = 16_000;
/// Failures that a caller does not catch, of a thousand.
const PASSED_ON: u64 = 450;
/// Looks for a parent before it is the root.
const LOOKS: usize = 6;
const MILLI: f64 = 1e6;

impl Tree {
    /// A trace that begins in the window, of at most `most` spans.
    pub(super) fn grow(random: &mut Random, most: usize, window: Window) -> Self {
        let size = size(random).min(most).max(1);
        let mut nodes = Vec::with_capacity(size);
        nodes.push(root(random, window));
        while nodes.len() < size {
            let parent = choose_parent(random, &nodes);
            let child = child(random, parent, &nodes[parent]);
            nodes[parent].answered = true;
            nodes.push(child);
        }
        for at in (0..nodes.len()).rev() {
            nodes[at].failed |= random.below(1_000_000) < FAILURES;
            if let (true, Some(parent)) = (nodes[at].failed, nodes[at].parent)
                && random.chance(PASSED_ON)
            {
                nodes[parent].failed = true;
            }
        }
        Self { nodes }
    }
}

/// Most traces are small, some are not.
fn size(random: &mut Random) -> usize {
    let (low, high) = match random.below(100) {
        0..15 => (1, 4),
        15..75 => (4, 20),
        75..95 => (20, 45),
        _ => (45, 61),
    };
    (low + random.below(high - low)) as usize
}

fn root(random: &mut Random, window: Window) -> Node {
    let (role, service) = match random.below(100) {
        0..78 => (
            Role::HttpServer,
            EDGES[random.below(EDGES.len() as u64) as usize],
        ),
        78..90 => (Role::Consumer, random.below(SERVICES.len() as u64) as usize),
        _ => (Role::Work, random.below(SERVICES.len() as u64) as usize),
    };
    let width = window.to.saturating_sub(window.from).max(1);
    // Between 2 ms and 2 s, each magnitude as often; few are far slower.
    let millis = 2.0 * 1000_f64.powf(random.unit());
    let slow = if random.chance(20) { 10.0 } else { 1.0 };
    Node {
        role,
        service,
        parent: None,
        start: window.from + random.below(width),
        length: ((millis * slow * MILLI) as u64).min(TRACE_NANOS_MOST - 1),
        failed: false,
        answered: false,
    }
}

/// Newer spans more often, so that trees become deep.
fn choose_parent(random: &mut Random, nodes: &[Node]) -> usize {
    let last = nodes.len() - 1;
    for _ in 0..LOOKS {
        let at = last - random.skewed(nodes.len() as u64) as usize;
        let node = &nodes[at];
        let free = node.role.other_end().is_some() && !node.answered;
        if node.role.does_work() || free {
            return at;
        }
    }
    0
}

fn child(random: &mut Random, at: usize, parent: &Node) -> Node {
    let (role, service) = match parent.role.other_end() {
        Some(role) => (role, other_service(random, parent.service)),
        None => (called(random), parent.service),
    };
    let before = (parent.length as f64 * 0.5 * random.unit()) as u64;
    let left = (parent.length - before) as f64;
    Node {
        role,
        service,
        parent: Some(at),
        start: parent.start + before,
        length: ((left * (0.1 + 0.85 * random.unit())) as u64).max(1),
        failed: false,
        answered: false,
    }
}

fn other_service(random: &mut Random, not: usize) -> usize {
    let other = random.below(SERVICES.len() as u64 - 1) as usize;
    other + usize::from(other >= not)
}

fn called(random: &mut Random) -> Role {
    match random.below(100) {
        0..24 => Role::HttpClient,
        24..40 => Role::RpcClient,
        40..62 => Role::Database,
        62..74 => Role::Cache,
        74..82 => Role::Producer,
        _ => Role::Work,
    }
}
