//! Names of services and of what they do.

/// Those with an even number use the older names of HTTP attributes.
pub(super) const SERVICES: [&str; 16] = [
    "frontend",
    "cart",
    "mobile-gateway",
    "checkout",
    "partner-api",
    "catalog",
    "payment",
    "shipping",
    "currency",
    "recommendations",
    "orders",
    "notifications",
    "search",
    "users",
    "inventory",
    "fraud-detection",
];

/// Services at which requests of the outside arrive.
pub(super) const EDGES: [usize; 3] = [0, 2, 4];

pub(super) const LANGUAGES: [&str; 5] = ["go", "java", "nodejs", "python", "rust"];

/// Routes of all services; each service has some of them.
pub(super) const ROUTES: [&str; 24] = [
    "/api/cart",
    "/api/cart/{id}",
    "/api/cart/{id}/items",
    "/api/products",
    "/api/products/{id}",
    "/api/products/{id}/reviews",
    "/api/orders",
    "/api/orders/{id}",
    "/api/orders/{id}/status",
    "/api/checkout",
    "/api/checkout/{id}/confirm",
    "/api/payments/{id}",
    "/api/payments/{id}/capture",
    "/api/shipments/{id}",
    "/api/shipments/quote",
    "/api/users/{id}",
    "/api/users/{id}/addresses",
    "/api/sessions",
    "/api/search",
    "/api/search/suggest",
    "/api/currencies/convert",
    "/api/recommendations/{id}",
    "/api/inventory/{id}",
    "/internal/health",
];

/// Routes of one service.
pub(super) const ROUTES_OF_SERVICE: usize = 7;

/// The uneven shares of methods.
pub(super) const METHODS: [&str; 10] = [
    "GET", "GET", "GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE",
];

pub(super) const TABLES: [&str; 14] = [
    "orders",
    "order_items",
    "carts",
    "products",
    "prices",
    "users",
    "addresses",
    "payments",
    "refunds",
    "shipments",
    "stock",
    "reviews",
    "invoices",
    "audit_log",
];

pub(super) const TOPICS: [&str; 9] = [
    "orders.created",
    "orders.paid",
    "orders.shipped",
    "payments.events",
    "stock.changes",
    "mail.outgoing",
    "audit",
    "search.index",
    "users.signup",
];

pub(super) const RPC_METHODS: [&str; 8] = [
    "Get", "List", "Reserve", "Charge", "Convert", "Quote", "Score", "Notify",
];

pub(super) const WORK: [&str; 12] = [
    "validate request",
    "render template",
    "price basket",
    "apply discounts",
    "serialize response",
    "load feature flags",
    "resolve addresses",
    "score features",
    "compress payload",
    "sign token",
    "merge results",
    "wait for lock",
];

/// Type, and what its message says before an id.
pub(super) const EXCEPTIONS: [(&str, &str); 8] = [
    ("TimeoutError", "upstream did not answer within 2000 ms"),
    ("ConnectionRefused", "connection refused by"),
    ("java.lang.IllegalStateException", "unexpected state of"),
    ("java.sql.SQLException", "deadlock found when updating row"),
    ("ValidationError", "field is not valid in document"),
    ("io.grpc.StatusRuntimeException", "UNAVAILABLE: no healthy"),
    ("KeyError", "no such key"),
    ("OutOfStock", "nothing left of"),
];

pub(super) const AGENTS: [&str; 7] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "shop-android/8.4.1",
    "okhttp/5.1.0",
    "Go-http-client/2.0",
    "curl/8.14.1",
];
