//! `grpc.health.v1.Health`: Check and Watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tokio::sync::watch;

use super::call::Call;
use super::proto::{HealthCheckRequest, HealthCheckResponse};
use super::server::Server;
use super::status::{Code, Status};
use super::stream::Sender;

/// The service's name.
pub const SERVICE: &str = "grpc.health.v1.Health";

/// What a service says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Serving {
    /// Not known yet.
    Unknown = 0,
    /// It answers.
    Serving = 1,
    /// It does not.
    NotServing = 2,
    /// The name is not known (in a Watch only).
    ServiceUnknown = 3,
}

type States = Arc<BTreeMap<String, Serving>>;

/// The states of a process's services. Clones share them, across shards.
#[derive(Clone, Debug)]
pub struct Health {
    states: Arc<watch::Sender<States>>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Only the whole server (the empty name), not serving yet.
    pub fn new() -> Self {
        let states = BTreeMap::from([(String::new(), Serving::NotServing)]);
        Self {
            states: Arc::new(watch::Sender::new(Arc::new(states))),
        }
    }

    /// Sets the state of a service, of the whole server for the empty name.
    pub fn set(&self, service: &str, serving: Serving) {
        self.states.send_if_modified(|states| {
            let changed = states.get(service) != Some(&serving);
            if changed {
                Arc::make_mut(states).insert(service.to_owned(), serving);
            }
            changed
        });
    }

    /// Sets every known service.
    pub fn set_all(&self, serving: Serving) {
        self.states.send_modify(|states| {
            for state in Arc::make_mut(states).values_mut() {
                *state = serving;
            }
        });
    }

    /// The state of a service, if it is known.
    pub fn get(&self, service: &str) -> Option<Serving> {
        self.states.borrow().get(service).copied()
    }
}

fn requested(call: &Call) -> Result<String, Status> {
    HealthCheckRequest::decode(call.message.clone())
        .map(|request| request.service)
        .map_err(|error| {
            Status::new(
                Code::Internal,
                format!("grpc: error unmarshalling request: {error}"),
            )
        })
}

fn answer(serving: Serving) -> Bytes {
    let response = HealthCheckResponse {
        status: i32::from(serving as u8),
    };
    response.encode_to_vec().into()
}

async fn watch(
    health: Health,
    call: Call,
    sender: Sender,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Status> {
    let service = requested(&call)?;
    let mut states = health.states.subscribe();
    let mut last = None;
    loop {
        let now = states.borrow_and_update().get(&service).copied();
        let now = now.unwrap_or(Serving::ServiceUnknown);
        if last != Some(now) {
            sender.send(answer(now)).await?;
            last = Some(now);
        }
        let changed = std::pin::pin!(states.changed());
        let stopped = std::pin::pin!(stopping.wait_for(|stopping| *stopping));
        match futures_util::future::select(changed, stopped).await {
            futures_util::future::Either::Left((Ok(()), _)) => {}
            _ => break,
        }
    }
    if last != Some(Serving::NotServing) {
        sender.send(answer(Serving::NotServing)).await?;
    }
    Err(Status::new(Code::Unavailable, "server is stopping"))
}

pub(super) fn add(server: Server, health: Health, stopping: watch::Receiver<bool>) -> Server {
    let watched = health.clone();
    server
        .unary(&format!("/{SERVICE}/Check"), async move |call: Call| {
            let service = requested(&call)?;
            match health.get(&service) {
                Some(serving) => Ok(answer(serving)),
                None => Err(Status::new(Code::NotFound, "unknown service")),
            }
        })
        .server_streaming(&format!("/{SERVICE}/Watch"), async move |call, sender| {
            watch(watched.clone(), call, sender, stopping.clone()).await
        })
}
