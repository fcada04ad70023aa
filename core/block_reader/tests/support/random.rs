//! Batches with a bit of everything that blocks keep.

use vivace_model::{
    EventRow, LinkRow, Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId, TraceId,
    Value,
};

/// splitmix64
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn text(&mut self, builder: &mut SpanBatchBuilder) -> StringId {
        let n = self.below(12);
        let text = match n {
            0 => String::new(),
            1 => "λ€𝄞 \"\\ \n".to_owned(),
            2 => "x".repeat(self.below(300) as usize),
            _ => format!("text {}", self.below(40)),
        };
        builder.intern(&text)
    }

    fn scalar(&mut self, builder: &mut SpanBatchBuilder, kind: u64) -> Value {
        match kind {
            0 => Value::string(self.text(builder)),
            1 => Value::int((self.next() >> self.below(64)).cast_signed()),
            2 => {
                let doubles = [0.1, -2.5e300, f64::NAN, f64::INFINITY, 5e-324, 17.0];
                Value::double(doubles[self.below(6) as usize])
            }
            _ => Value::bool(self.one_in(2)),
        }
    }

    fn value(&mut self, builder: &mut SpanBatchBuilder, depth: u32) -> Value {
        let kind = self.below(if depth > 3 { 6 } else { 10 });
        match kind {
            0..=3 => self.scalar(builder, kind),
            4 => builder.bytes(&self.next().to_le_bytes()[..self.below(9) as usize]),
            5 => Value::EMPTY,
            6 | 7 => {
                let (mark, kind) = (builder.begin_list(), self.below(4));
                for _ in 0..self.below(4) {
                    let value = self.scalar(builder, kind);
                    builder.element(StringId(0), value);
                }
                builder.end_array(mark).unwrap()
            }
            8 => {
                let mark = builder.begin_list();
                for _ in 0..self.below(4) {
                    let value = self.value(builder, depth + 1);
                    builder.element(StringId(0), value);
                }
                builder.end_array(mark).unwrap()
            }
            _ => {
                let mark = builder.begin_list();
                for _ in 0..self.below(4) {
                    let (key, value) = (self.text(builder), self.value(builder, depth + 1));
                    builder.element(key, value);
                }
                builder.end_kvlist(mark).unwrap()
            }
        }
    }

    /// Keys are distinct. Those with columns of their own have values that don't change their shape there.
    fn attributes(&mut self, builder: &mut SpanBatchBuilder, owner: Owner, own: &[&str]) {
        for key in 0..self.below(6) {
            let key = builder.intern(&format!("key {key}"));
            let value = self.value(builder, 0);
            builder.attribute(owner, key, value);
        }
        for name in own {
            if self.one_in(3) {
                continue;
            }
            let key = builder.intern(name);
            let kind = self.below(5);
            let value = match kind {
                4 => {
                    let (mark, kind) = (builder.begin_list(), self.below(2));
                    for _ in 0..2 + self.below(3) {
                        let value = self.scalar(builder, kind);
                        builder.element(StringId(0), value);
                    }
                    builder.end_array(mark).unwrap()
                }
                kind => self.scalar(builder, kind),
            };
            builder.attribute(owner, key, value);
        }
    }

    fn resource(
        &mut self,
        builder: &mut SpanBatchBuilder,
        number: u64,
    ) -> vivace_model::ResourceId {
        let own = [
            "service.name",
            "k8s.pod.name",
            "cluster",
            "k8s.cluster.name",
            "pod",
        ];
        self.attributes(builder, Owner::Resource, &own);
        // Dropped counts are not part of what makes a resource: without this, different ones could be merged.
        let key = builder.intern("number");
        builder.attribute(Owner::Resource, key, Value::int(number.cast_signed()));
        builder
            .resource(self.below(3) as u32, StringId(0), &[])
            .unwrap()
    }

    fn scope(&mut self, builder: &mut SpanBatchBuilder, number: u64) -> vivace_model::ScopeId {
        self.attributes(builder, Owner::Scope, &[]);
        let name = builder.intern(&format!("scope {number}"));
        let version = self.text(builder);
        builder
            .scope(name, version, self.below(3) as u32, StringId(0))
            .unwrap()
    }

    /// A batch of some traces.
    pub fn batch(&mut self, traces: u64) -> SpanBatch {
        let mut builder = SpanBatchBuilder::new();
        let b = &mut builder;
        let resources: Vec<_> = (0..3).map(|number| self.resource(b, number)).collect();
        let scopes: Vec<_> = (0..3).map(|number| self.scope(b, number)).collect();
        for _ in 0..traces {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.next().to_be_bytes());
            id[8..].copy_from_slice(&self.next().to_be_bytes());
            let spans = match self.below(8) {
                0 => 1,
                1 => 1 + self.below(60),
                _ => 1 + self.below(6),
            };
            for number in 0..spans {
                let start = 1_700_000_000_000_000_000 + self.below(1 << 40);
                let own = [
                    "http.method",
                    "http.status_code",
                    "url.path",
                    "server.port",
                    "http.url",
                ];
                self.attributes(b, Owner::Span, &own);
                for _ in 0..self.below(3) {
                    self.attributes(b, Owner::Event, &["exception.type"]);
                    let event = EventRow {
                        time_unix_nano: start.wrapping_add(self.below(1000)).wrapping_sub(500),
                        name: self.text(b),
                        dropped_attributes_count: self.below(2) as u32,
                    };
                    b.event(event);
                }
                for _ in 0..self.below(3) / 2 {
                    self.attributes(b, Owner::Link, &[]);
                    let link = LinkRow {
                        trace_id: &self.next().to_be_bytes().repeat(2),
                        span_id: &self.next().to_be_bytes(),
                        trace_state: self.text(b),
                        flags: 0,
                        dropped_attributes_count: self.below(2) as u32,
                    };
                    b.link(link);
                }
                let row = SpanRow {
                    trace_id: TraceId(id),
                    span_id: SpanId((number + 1).to_be_bytes()),
                    parent_span_id: (number > 0)
                        .then(|| SpanId((1 + self.below(number)).to_be_bytes())),
                    name: self.text(b),
                    kind: self.below(6) as i32,
                    start_unix_nano: start,
                    end_unix_nano: start.wrapping_add(self.below(5000)),
                    status_code: self.below(3) as i32,
                    status_message: self.text(b),
                    trace_state: self.text(b),
                    flags: 0,
                    dropped_attributes_count: self.below(2) as u32,
                    dropped_events_count: self.below(2) as u32,
                    dropped_links_count: self.below(2) as u32,
                    resource: resources[self.below(3) as usize],
                    scope: scopes[self.below(3) as usize],
                };
                b.end_span(row).unwrap();
            }
        }
        builder.finish().unwrap()
    }
}
