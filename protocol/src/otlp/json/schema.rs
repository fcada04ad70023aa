//! The OTLP trace messages as tables: what a JSON member is called, and how it goes into protobuf.

/// A message: its members, searched in order.
pub(super) struct Message {
    pub fields: &'static [Field],
}

/// A member of a message.
pub(super) struct Field {
    /// The lowerCamelCase name, which OTLP/JSON prescribes and error texts use.
    pub name: &'static str,
    /// The name in the .proto file, which protobuf's JSON mapping lets readers accept too.
    pub proto_name: &'static str,
    pub number: u32,
    pub kind: Kind,
    /// Member of a oneof: written even when it holds the default value.
    pub oneof: bool,
}

/// How a member is written in JSON and in protobuf.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text.
    String,
    /// Hex of a fixed number of bytes, or empty.
    Id {
        bytes: usize,
        what: &'static str,
    },
    /// Base64.
    Bytes,
    Bool,
    Uint32,
    Int64,
    Fixed32,
    Fixed64,
    Double,
    /// A list of texts.
    Strings,
    /// A number, or one of these names (the index is the number).
    Enum(&'static [&'static str]),
    Message(&'static Message),
    Repeated(&'static Message),
}

const fn field(name: &'static str, proto_name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        proto_name,
        number,
        kind,
        oneof: false,
    }
}

const fn choice(name: &'static str, proto_name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        proto_name,
        number,
        kind,
        oneof: true,
    }
}

impl Message {
    /// The member of this name, camelCase or snake_case.
    pub fn find(&self, name: &[u8]) -> Option<&Field> {
        self.fields
            .iter()
            .find(|f| f.name.as_bytes() == name || f.proto_name.as_bytes() == name)
    }
}

const TRACE_ID: Kind = Kind::Id {
    bytes: 16,
    what: "trace id",
};
const SPAN_ID: Kind = Kind::Id {
    bytes: 8,
    what: "span id",
};

pub(super) static EXPORT_REQUEST: Message = Message {
    fields: &[field(
        "resourceSpans",
        "resource_spans",
        1,
        Kind::Repeated(&RESOURCE_SPANS),
    )],
};

static RESOURCE_SPANS: Message = Message {
    fields: &[
        field("resource", "resource", 1, Kind::Message(&RESOURCE)),
        field("scopeSpans", "scope_spans", 2, Kind::Repeated(&SCOPE_SPANS)),
        field("schemaUrl", "schema_url", 3, Kind::String),
    ],
};

static RESOURCE: Message = Message {
    fields: &[
        field("attributes", "attributes", 1, Kind::Repeated(&KEY_VALUE)),
        field(
            "droppedAttributesCount",
            "dropped_attributes_count",
            2,
            Kind::Uint32,
        ),
        field("entityRefs", "entity_refs", 3, Kind::Repeated(&ENTITY_REF)),
    ],
};

static ENTITY_REF: Message = Message {
    fields: &[
        field("schemaUrl", "schema_url", 1, Kind::String),
        field("type", "type", 2, Kind::String),
        field("idKeys", "id_keys", 3, Kind::Strings),
        field("descriptionKeys", "description_keys", 4, Kind::Strings),
    ],
};

static SCOPE_SPANS: Message = Message {
    fields: &[
        field("scope", "scope", 1, Kind::Message(&SCOPE)),
        field("spans", "spans", 2, Kind::Repeated(&SPAN)),
        field("schemaUrl", "schema_url", 3, Kind::String),
    ],
};

static SCOPE: Message = Message {
    fields: &[
        field("name", "name", 1, Kind::String),
        field("version", "version", 2, Kind::String),
        field("attributes", "attributes", 3, Kind::Repeated(&KEY_VALUE)),
        field(
            "droppedAttributesCount",
            "dropped_attributes_count",
            4,
            Kind::Uint32,
        ),
    ],
};

static SPAN: Message = Message {
    fields: &[
        field("traceId", "trace_id", 1, TRACE_ID),
        field("spanId", "span_id", 2, SPAN_ID),
        field("parentSpanId", "parent_span_id", 4, SPAN_ID),
        field("name", "name", 5, Kind::String),
        field("kind", "kind", 6, Kind::Enum(&crate::tempopb::SPAN_KINDS)),
        field(
            "startTimeUnixNano",
            "start_time_unix_nano",
            7,
            Kind::Fixed64,
        ),
        field("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
        field("attributes", "attributes", 9, Kind::Repeated(&KEY_VALUE)),
        field(
            "droppedAttributesCount",
            "dropped_attributes_count",
            10,
            Kind::Uint32,
        ),
        field("events", "events", 11, Kind::Repeated(&EVENT)),
        field(
            "droppedEventsCount",
            "dropped_events_count",
            12,
            Kind::Uint32,
        ),
        field("links", "links", 13, Kind::Repeated(&LINK)),
        field("droppedLinksCount", "dropped_links_count", 14, Kind::Uint32),
        field("status", "status", 15, Kind::Message(&STATUS)),
        field("traceState", "trace_state", 3, Kind::String),
        field("flags", "flags", 16, Kind::Fixed32),
    ],
};

static EVENT: Message = Message {
    fields: &[
        field("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        field("name", "name", 2, Kind::String),
        field("attributes", "attributes", 3, Kind::Repeated(&KEY_VALUE)),
        field(
            "droppedAttributesCount",
            "dropped_attributes_count",
            4,
            Kind::Uint32,
        ),
    ],
};

static LINK: Message = Message {
    fields: &[
        field("traceId", "trace_id", 1, TRACE_ID),
        field("spanId", "span_id", 2, SPAN_ID),
        field("traceState", "trace_state", 3, Kind::String),
        field("attributes", "attributes", 4, Kind::Repeated(&KEY_VALUE)),
        field(
            "droppedAttributesCount",
            "dropped_attributes_count",
            5,
            Kind::Uint32,
        ),
        field("flags", "flags", 6, Kind::Fixed32),
    ],
};

static STATUS: Message = Message {
    fields: &[
        field("message", "message", 2, Kind::String),
        field("code", "code", 3, Kind::Enum(&crate::tempopb::STATUS_CODES)),
    ],
};

static KEY_VALUE: Message = Message {
    fields: &[
        field("key", "key", 1, Kind::String),
        field("value", "value", 2, Kind::Message(&ANY_VALUE)),
    ],
};

static ANY_VALUE: Message = Message {
    fields: &[
        choice("stringValue", "string_value", 1, Kind::String),
        choice("boolValue", "bool_value", 2, Kind::Bool),
        choice("intValue", "int_value", 3, Kind::Int64),
        choice("doubleValue", "double_value", 4, Kind::Double),
        choice("arrayValue", "array_value", 5, Kind::Message(&ARRAY)),
        choice("kvlistValue", "kvlist_value", 6, Kind::Message(&KV_LIST)),
        choice("bytesValue", "bytes_value", 7, Kind::Bytes),
    ],
};

static ARRAY: Message = Message {
    fields: &[field("values", "values", 1, Kind::Repeated(&ANY_VALUE))],
};

static KV_LIST: Message = Message {
    fields: &[field("values", "values", 1, Kind::Repeated(&KEY_VALUE))],
};
