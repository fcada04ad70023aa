//! `grpc.reflection.v1` and `v1alpha` ServerReflection over an encoded `FileDescriptorSet`.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use prost::Message;

use super::call::Call;
use super::proto::{
    ExtensionNumbers, FileDescriptors, FileOutline, MessageOutline, Named, RawFileSet,
    ReflectionAnswer, ReflectionError, ReflectionQuery, ReflectionRequest, ReflectionResponse,
    ServiceList, ServiceName,
};
use super::server::Server;
use super::status::{Code, Status};
use super::stream::{Messages, Sender};

/// The services' names: the messages of the two versions are the same.
pub const SERVICES: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];
/// Nesting of messages that is followed.
const MAX_DEPTH: usize = 32;

struct File {
    encoded: Vec<u8>,
    dependencies: Vec<String>,
}

/// Files by name, and which one defines a symbol.
pub(super) struct Descriptors {
    files: HashMap<String, File>,
    symbols: HashMap<String, String>,
}

impl Descriptors {
    pub(super) fn parse(set: &[u8]) -> Result<Self, prost::DecodeError> {
        let set = RawFileSet::decode(set)?;
        let mut out = Self {
            files: HashMap::new(),
            symbols: HashMap::new(),
        };
        for encoded in set.file {
            let outline = FileOutline::decode(encoded.as_slice())?;
            out.index(&outline);
            let file = File {
                encoded,
                dependencies: outline.dependency,
            };
            out.files.insert(outline.name, file);
        }
        Ok(out)
    }

    fn index(&mut self, outline: &FileOutline) {
        let mut symbols = Vec::new();
        for message in &outline.message_type {
            collect_message(&outline.package, message, &mut symbols, 0);
        }
        for named in &outline.enum_type {
            symbols.push(join(&outline.package, &named.name));
        }
        for service in &outline.service {
            let name = join(&outline.package, &service.name);
            symbols.extend(
                service
                    .method
                    .iter()
                    .map(|method| join(&name, &method.name)),
            );
            symbols.push(name);
        }
        for symbol in symbols {
            self.symbols.insert(symbol, outline.name.clone());
        }
    }

    /// The file and everything it needs, the file first.
    fn with_dependencies(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        self.files.get(name)?;
        let mut seen = BTreeSet::from([name]);
        let mut queue = vec![name];
        let mut out = Vec::new();
        while let Some(name) = queue.pop() {
            // A set may leave out what its maker took for known (google/protobuf).
            let Some(file) = self.files.get(name) else {
                continue;
            };
            out.push(file.encoded.clone());
            for dependency in &file.dependencies {
                if seen.insert(dependency) {
                    queue.push(dependency);
                }
            }
        }
        Some(out)
    }

    fn answer(&self, query: &ReflectionQuery, services: &BTreeSet<String>) -> ReflectionAnswer {
        let not_found = |what: String| {
            ReflectionAnswer::Error(ReflectionError {
                error_code: Code::NotFound.number(),
                error_message: what,
            })
        };
        match query {
            ReflectionQuery::FileByFilename(name) => match self.with_dependencies(name) {
                Some(files) => ReflectionAnswer::Files(FileDescriptors { files }),
                None => not_found(format!("file not found: {name}")),
            },
            ReflectionQuery::FileContainingSymbol(symbol) => {
                let file = self.symbols.get(symbol);
                match file.and_then(|name| self.with_dependencies(name)) {
                    Some(files) => ReflectionAnswer::Files(FileDescriptors { files }),
                    None => not_found(format!("symbol not found: {symbol}")),
                }
            }
            // None of the APIs served here has extensions.
            ReflectionQuery::FileContainingExtension(extension) => not_found(format!(
                "extension {} of {} not found",
                extension.extension_number, extension.containing_type
            )),
            ReflectionQuery::AllExtensionNumbersOfType(name) => {
                if self.symbols.contains_key(name) {
                    ReflectionAnswer::ExtensionNumbers(ExtensionNumbers {
                        base_type_name: name.clone(),
                        extension_number: Vec::new(),
                    })
                } else {
                    not_found(format!("type not found: {name}"))
                }
            }
            ReflectionQuery::ListServices(_) => ReflectionAnswer::Services(ServiceList {
                service: services
                    .iter()
                    .map(|name| ServiceName { name: name.clone() })
                    .collect(),
            }),
        }
    }
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

fn collect_message(scope: &str, message: &MessageOutline, out: &mut Vec<String>, depth: usize) {
    let name = join(scope, &message.name);
    if depth < MAX_DEPTH {
        for nested in &message.nested_type {
            collect_message(&name, nested, out, depth + 1);
        }
    }
    let inner = message.field.iter().chain(&message.enum_type);
    out.extend(inner.map(|named: &Named| join(&name, &named.name)));
    out.push(name);
}

async fn converse(
    descriptors: &Descriptors,
    services: &RefCell<BTreeSet<String>>,
    mut messages: Messages,
    sender: Sender,
) -> Result<(), Status> {
    while let Some(message) = messages.next().await? {
        let request = ReflectionRequest::decode(message).map_err(|error| {
            Status::new(
                Code::Internal,
                format!("grpc: error unmarshalling request: {error}"),
            )
        })?;
        let Some(query) = &request.query else {
            return Err(Status::new(
                Code::InvalidArgument,
                "invalid MessageRequest: nothing asked",
            ));
        };
        let answer = descriptors.answer(query, &services.borrow());
        let response = ReflectionResponse {
            valid_host: request.host.clone(),
            answer: Some(answer),
            original_request: Some(request),
        };
        sender.send(response.encode_to_vec().into()).await?;
    }
    Ok(())
}

pub(super) fn add(
    server: Server,
    descriptors: Rc<Descriptors>,
    services: Rc<RefCell<BTreeSet<String>>>,
) -> Server {
    let mut server = server;
    for service in SERVICES {
        let descriptors = Rc::clone(&descriptors);
        let services = Rc::clone(&services);
        server = server.streaming(
            &format!("/{service}/ServerReflectionInfo"),
            async move |_: Call, messages, sender| {
                converse(&descriptors, &services, messages, sender).await
            },
        );
    }
    server
}
