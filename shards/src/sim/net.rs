//! The simulated network: byte pipes with latency, partial reads and writes, cuts and resets.
//!
//! All processes share one address space. What is sent arrives in order, later; a cut holds it
//! back; a reset or the crash of one end breaks the connection.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::NetworkOptions;
use super::durable::between;
use super::listener::Listening;
use super::stream::{Pipe, SimStream};
use super::world::{Event, World};
use crate::context;
use crate::mailbox::oneshot;
use crate::sim::Process;

/// Ports given to those who do not ask for one.
const EPHEMERAL: std::ops::Range<u16> = 20_000..60_000;

#[derive(Default)]
pub(crate) struct Network {
    options: RefCell<NetworkOptions>,
    listeners: RefCell<BTreeMap<SocketAddr, Vec<Rc<Listening>>>>,
    pipes: RefCell<Vec<Weak<Pipe>>>,
    cuts: RefCell<BTreeSet<(usize, usize)>>,
    held: RefCell<BTreeMap<(usize, usize), Vec<Event>>>,
    port: Cell<u16>,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Network {
    pub(super) fn set_options(&self, options: NetworkOptions) {
        *self.options.borrow_mut() = options;
    }

    pub(super) fn window(&self) -> usize {
        self.options.borrow().window.max(1)
    }

    pub(super) fn resets_per_million(&self) -> u32 {
        self.options.borrow().resets_per_million
    }

    pub(super) fn latency(&self, world: &World) -> Duration {
        between(&world.rng, &self.options.borrow().latency)
    }

    pub(super) fn cut(&self, a: usize, b: usize) {
        self.cuts.borrow_mut().insert(pair(a, b));
    }

    /// Ends a cut; returns what it has held back, in order.
    pub(super) fn heal(&self, a: usize, b: usize) -> Vec<Event> {
        self.cuts.borrow_mut().remove(&pair(a, b));
        self.held
            .borrow_mut()
            .remove(&pair(a, b))
            .unwrap_or_default()
    }

    /// Lets `event` happen after `delay`, or once a cut between the two ends has healed.
    pub(super) fn send(
        &self,
        world: &Rc<World>,
        (from, to): (usize, usize),
        delay: Duration,
        event: Event,
    ) {
        world.after(
            delay,
            Box::new(move |world| {
                let between = pair(from, to);
                if world.network.cuts.borrow().contains(&between) {
                    world
                        .network
                        .held
                        .borrow_mut()
                        .entry(between)
                        .or_default()
                        .push(event);
                } else {
                    event(world);
                }
            }),
        );
    }

    /// A process has ended: its connections break and its listeners vanish.
    pub(super) fn reset_process(&self, _world: &Rc<World>, process: usize) {
        let mut gone = Vec::new();
        self.listeners.borrow_mut().retain(|_, all| {
            let (theirs, others) = all.drain(..).partition(|l| l.process() == process);
            *all = others;
            gone.push(theirs);
            !all.is_empty()
        });
        drop::<Vec<Vec<Rc<Listening>>>>(gone);
        let pipes: Vec<_> = self
            .pipes
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        pipes
            .iter()
            .filter(|pipe| pipe.touches(process))
            .for_each(|pipe| pipe.reset());
        self.pipes
            .borrow_mut()
            .retain(|pipe| pipe.strong_count() > 0);
    }

    pub(super) fn clear(&self) {
        let listeners = std::mem::take(&mut *self.listeners.borrow_mut());
        let held = std::mem::take(&mut *self.held.borrow_mut());
        drop(listeners);
        drop(held);
    }

    fn free_port(&self, ip: IpAddr) -> io::Result<u16> {
        for _ in EPHEMERAL {
            let next = self
                .port
                .get()
                .checked_add(1)
                .filter(|p| EPHEMERAL.contains(p));
            let port = next.unwrap_or(EPHEMERAL.start);
            self.port.set(port);
            if !self
                .listeners
                .borrow()
                .contains_key(&SocketAddr::new(ip, port))
            {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    pub(super) fn listen(
        &self,
        process: usize,
        mut address: SocketAddr,
        reuse_port: bool,
        backlog: usize,
    ) -> io::Result<Rc<Listening>> {
        if address.port() == 0 {
            address.set_port(self.free_port(address.ip())?);
        }
        let mut listeners = self.listeners.borrow_mut();
        let there = listeners.entry(address).or_default();
        let shared = |l: &Rc<Listening>| reuse_port && l.reuse_port() && l.process() == process;
        if !there.iter().all(shared) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let listening = Rc::new(Listening::new(process, address, reuse_port, backlog));
        there.push(Rc::clone(&listening));
        Ok(listening)
    }

    pub(super) fn unlisten(&self, listening: &Rc<Listening>) {
        let removed = {
            let mut listeners = self.listeners.borrow_mut();
            let Some(there) = listeners.get_mut(&listening.address()) else {
                return;
            };
            let at = there.iter().position(|l| Rc::ptr_eq(l, listening));
            let removed = at.map(|at| there.remove(at));
            if there.is_empty() {
                listeners.remove(&listening.address());
            }
            removed
        };
        drop(removed);
    }

    /// The listener that gets a connection to `address`; of several, one by seed.
    fn find(&self, world: &World, address: SocketAddr) -> Option<Rc<Listening>> {
        let listeners = self.listeners.borrow();
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let there = listeners
            .get(&address)
            .or_else(|| listeners.get(&SocketAddr::new(any, address.port())))?;
        // `as` is exact: the number of listeners is small.
        there
            .get(world.rng.below(there.len() as u64) as usize)
            .cloned()
    }

    fn pipe(&self, world: &Rc<World>, from: usize, to: usize) -> Rc<Pipe> {
        let pipe = Pipe::new(Rc::downgrade(world), from, to);
        let mut pipes = self.pipes.borrow_mut();
        if pipes.len() >= 64 && pipes.len().is_power_of_two() {
            pipes.retain(|pipe| pipe.strong_count() > 0);
        }
        pipes.push(Rc::downgrade(&pipe));
        pipe
    }
}

/// Connects the current simulated process to `address`.
pub(crate) async fn connect(process: &Rc<Process>, address: SocketAddr) -> io::Result<SimStream> {
    let Some(world) = process.world() else {
        return Err(io::ErrorKind::NetworkDown.into());
    };
    let network = &world.network;
    let from = process.index();
    let Some(listening) = network.find(&world, address) else {
        crate::time::sleep(network.latency(&world)).await;
        return Err(io::ErrorKind::ConnectionRefused.into());
    };
    let to = listening.process();
    let ours = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), network.free_port(address.ip())?);
    let (there, back) = (
        network.pipe(&world, from, to),
        network.pipe(&world, to, from),
    );
    let client = SimStream::new(Rc::clone(&back), Rc::clone(&there), ours, address);
    let server = SimStream::new(there, back, address, ours);

    let (reply, promise) = oneshot();
    let arrive: Event = Box::new(move |world| {
        let accepted = listening.offer(server);
        let answer: Event = Box::new(move |_| {
            // Nobody may be waiting any more.
            let _ = reply.send(accepted);
        });
        let delay = world.network.latency(world);
        world.network.send(world, (to, from), delay, answer);
    });
    network.send(&world, (from, to), network.latency(&world), arrive);
    drop(world);
    match promise.await {
        Ok(true) => Ok(client),
        Ok(false) | Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

/// The simulated process of the current shard, if there is one.
pub(crate) fn current_process() -> Option<Rc<Process>> {
    context::try_current()?.sim.clone()
}
