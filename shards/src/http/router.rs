//! Which handler answers a path, and what every answer gets on its way out.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Version};

use super::answer_log::{AnswerLog, Answered};
use super::body::Body;
use super::metrics::{RouteMetrics, StatusLabel};
use super::path::{self, Template, TemplateError};
use super::request::{Params, RequestContext};
use super::response::{self, Response, ResponseBody};
use super::run::{self, HandlerPanicked};
use super::{compression, guard::OpenRequest, rt};
use crate::{Class, grpc};

/// Answers smaller than this are not worth compressing.
const GZIP_FROM: usize = 1400;

type Handler = Rc<dyn Fn(RequestContext) -> Pin<Box<dyn Future<Output = Response>>>>;

/// The methods a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Every method; the handler is run for it as for GET.
    Any,
    /// These only; others get 405 with an empty body.
    Only(Vec<Method>),
}

impl Methods {
    /// These methods only.
    pub fn only(methods: &[Method]) -> Self {
        Self::Only(methods.to_vec())
    }

    fn allow(&self, method: &Method) -> bool {
        match self {
            Self::Any => true,
            Self::Only(methods) => methods.contains(method),
        }
    }
}

/// One path template with its handler.
pub struct Route {
    methods: Methods,
    template: Template,
    handler: Handler,
    metrics: RouteMetrics,
    class: Option<Class>,
    compress: bool,
    vary: bool,
}

impl Route {
    /// A route. `template` is literal text with `{name}` (one segment) and `{*name}` (several).
    /// Its metrics label is [`path::route_label`] of the template.
    pub fn new<H>(methods: Methods, template: &str, handler: H) -> Result<Self, TemplateError>
    where
        H: AsyncFn(RequestContext) -> Response + 'static,
    {
        Ok(Self {
            methods,
            template: Template::parse(template)?,
            handler: boxed(handler),
            metrics: RouteMetrics::new(&path::route_label(template)),
            class: None,
            compress: true,
            vary: false,
        })
    }

    /// Another metrics label.
    pub fn label(mut self, label: &str) -> Self {
        self.metrics = RouteMetrics::new(label);
        self
    }

    /// The class the handler runs in, if it is not the server's.
    pub fn class(mut self, class: Class) -> Self {
        self.class = Some(class);
        self
    }

    /// Whether answers are gzipped when the client takes gzip (they are unless told otherwise).
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Sends `Vary: Accept-Encoding` with every answer.
    pub fn vary(mut self) -> Self {
        self.vary = true;
        self
    }
}

fn boxed<H>(handler: H) -> Handler
where
    H: AsyncFn(RequestContext) -> Response + 'static,
{
    let handler = Rc::new(handler);
    Rc::new(move |context| {
        let handler = Rc::clone(&handler);
        Box::pin(async move { handler(context).await })
    })
}

/// The routes of one server.
pub struct Router {
    routes: Vec<Route>,
    /// Routes without variables, by path: indices into `routes`, in order of registration.
    literal: HashMap<String, Vec<usize>>,
    patterns: Vec<usize>,
    fallback: Option<Handler>,
    other: RouteMetrics,
    grpc: Option<Rc<grpc::Server>>,
    /// In front of every path of a route; empty, or with a slash in front and none behind.
    prefix: String,
    log: Option<Rc<dyn AnswerLog>>,
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a request came in.
pub(crate) struct Incoming {
    pub(crate) request: http::Request<Body>,
    pub(crate) peer: std::net::SocketAddr,
    pub(crate) open: OpenRequest,
    pub(crate) class: Class,
}

enum Found<'r> {
    Route(&'r Route, Params),
    WrongMethod(&'r Route),
    Nothing,
}

impl Router {
    /// A router that answers 404 to everything.
    pub fn new() -> Self {
        Self {
            routes: Vec::new(),
            literal: HashMap::new(),
            patterns: Vec::new(),
            fallback: None,
            other: RouteMetrics::new("other"),
            grpc: None,
            prefix: String::new(),
            log: None,
        }
    }

    /// Adds a route; of several that match, the first with a literal path wins, then the first.
    pub fn add_route(mut self, route: Route) -> Self {
        let index = self.routes.len();
        match route.template.as_literal() {
            Some(path) => self.literal.entry(path.to_owned()).or_default().push(index),
            None => self.patterns.push(index),
        }
        self.routes.push(route);
        self
    }

    /// Adds a route with a metrics label of its own choice.
    ///
    /// # Panics
    /// If the template is malformed: templates are program text.
    pub fn route<H>(self, methods: Methods, template: &str, label: &str, handler: H) -> Self
    where
        H: AsyncFn(RequestContext) -> Response + 'static,
    {
        match Route::new(methods, template, handler) {
            Ok(route) => self.add_route(route.label(label)),
            Err(error) => panic!("{error}"),
        }
    }

    /// Answers everything that no route matches, instead of 404.
    pub fn fallback<H>(mut self, handler: H) -> Self
    where
        H: AsyncFn(RequestContext) -> Response + 'static,
    {
        self.fallback = Some(boxed(handler));
        self
    }

    /// Puts a prefix in front of every path, as if the server stood behind a proxy that does not strip it. gRPC has none.
    pub fn prefix(mut self, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() {
            self.prefix = format!("/{prefix}");
        }
        self
    }

    /// Tells `log` of every answer that is not gRPC.
    pub fn log(mut self, log: Rc<dyn AnswerLog>) -> Self {
        self.log = Some(log);
        self
    }

    /// Sends HTTP/2 requests with a content type `application/grpc…` to this server.
    pub fn mount_grpc(mut self, server: grpc::Server) -> Self {
        self.grpc = Some(Rc::new(server));
        self
    }

    /// The gRPC server that is mounted.
    pub(crate) fn grpc(&self) -> Option<&Rc<grpc::Server>> {
        self.grpc.as_ref()
    }

    fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Some(path) = path.strip_prefix(self.prefix.as_str()) else {
            return Found::Nothing;
        };
        let mut wrong_method = None;
        for index in self.literal.get(path).into_iter().flatten() {
            let route = &self.routes[*index];
            if route.methods.allow(method) {
                return Found::Route(route, Params::default());
            }
            wrong_method.get_or_insert(route);
        }
        for index in &self.patterns {
            let route = &self.routes[*index];
            let Some(values) = route.template.matches(path) else {
                continue;
            };
            if route.methods.allow(method) {
                let owned = values
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                return Found::Route(route, Params(owned.collect()));
            }
            wrong_method.get_or_insert(route);
        }
        match wrong_method {
            Some(route) => Found::WrongMethod(route),
            None => Found::Nothing,
        }
    }

    pub(crate) async fn dispatch(self: Rc<Self>, incoming: Incoming) -> Response {
        let Incoming {
            request,
            peer,
            open,
            class,
        } = incoming;
        if request.version() == Version::HTTP_2
            && grpc::is_grpc(request.headers())
            && let Some(server) = &self.grpc
        {
            return Rc::clone(server).handle(request, peer, open, class).await;
        }
        let (parts, body) = request.into_parts();
        let found = self.find(&parts.method, parts.uri.path());
        let (metrics, route) = match &found {
            Found::Route(route, _) => (&route.metrics, Some(*route)),
            Found::WrongMethod(route) => (&route.metrics, None),
            Found::Nothing => (&self.other, None),
        };
        let mut observation = metrics.begin(parts.method.as_str());
        observation.hold(open);
        observation.received(body.counter());
        // hyper drops this future when the client goes away: the observation then counts as cancelled.
        let head = parts.method == Method::HEAD;
        let gzip = compression::accepts_gzip(&parts.headers);
        let redirect = path::clean(parts.uri.path()).map(|path| moved(&path, parts.uri.query()));
        let told = self.log.as_ref().map(|log| {
            let headers = log.wants_headers().then(|| parts.headers.clone());
            let (method, uri) = (parts.method.clone(), parts.uri.clone());
            (log, method, uri, headers.unwrap_or_default())
        });
        let context = |params| RequestContext {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            params,
            headers: parts.headers,
            peer,
            body,
        };
        let mut response = match (found, redirect, &self.fallback) {
            (Found::Route(route, params), None, _) => {
                let handler = (route.handler)(context(params));
                let handler_class = route.class.unwrap_or(class);
                match run::run(handler, handler_class, class).await {
                    Ok(response) => response,
                    Err(HandlerPanicked) => panicked(route.metrics.label()),
                }
            }
            (Found::WrongMethod(route), None, _) => wrong_method(&route.methods),
            (Found::Nothing, None, Some(fallback)) => {
                match run::run(fallback(context(Params::default())), class, class).await {
                    Ok(response) => response,
                    Err(HandlerPanicked) => panicked(self.other.label()),
                }
            }
            (_, Some(redirect), _) => redirect,
            (Found::Nothing, None, None) => response::not_found(),
        };
        if let Some((log, method, uri, headers)) = &told {
            log.answered(&Answered {
                method,
                uri,
                headers,
                peer,
                response: &response,
                took: observation.elapsed(),
            });
        }
        if let Some(route) = route {
            if route.vary {
                response
                    .headers_mut()
                    .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            }
            if route.compress && gzip && !head {
                response = gzipped(response).await;
            }
        }
        observation.status(StatusLabel::Http(response.status().as_u16()));
        if head {
            response = response.map(ResponseBody::without_bytes);
            if let Some(length) = response.body().announced() {
                let value = HeaderValue::from(length);
                response.headers_mut().insert(header::CONTENT_LENGTH, value);
            }
        }
        let body = response.body_mut();
        body.observe(observation);
        body.control(rt::current_stream());
        response
    }
}

fn panicked(route: &str) -> Response {
    run::count_panic(route);
    response::error(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
}

fn wrong_method(methods: &Methods) -> Response {
    let mut response = response::empty(StatusCode::METHOD_NOT_ALLOWED);
    if let Methods::Only(methods) = methods {
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        if let Ok(value) = HeaderValue::try_from(names.join(", ")) {
            response.headers_mut().insert(header::ALLOW, value);
        }
    }
    response
}

fn moved(path: &str, query: Option<&str>) -> Response {
    let mut response = response::empty(StatusCode::MOVED_PERMANENTLY);
    let location = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(value) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// The answer gzipped, if it is whole, large enough and not encoded already.
async fn gzipped(response: Response) -> Response {
    let Some(bytes) = response.body().as_whole() else {
        return response;
    };
    let encoded = has(response.headers(), header::CONTENT_ENCODING);
    if encoded || bytes.len() < GZIP_FROM {
        return response;
    }
    let packed = compression::compress(compression::Encoding::Gzip, bytes.clone()).await;
    match packed {
        Ok(packed) => {
            let mut response = response.map(|_| ResponseBody::from(packed));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.remove(header::CONTENT_LENGTH);
            if !has(headers, header::VARY) {
                headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            }
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be compressed");
            response
        }
    }
}

fn has(headers: &HeaderMap, name: header::HeaderName) -> bool {
    headers.contains_key(name)
}
