//! Random queries that the checker lets pass.

use proptest::collection::vec;
use proptest::prelude::*;
use vivace_traceql::{
    Aggregate, Arithmetic, BinaryOp, Body, Compare, Condition, Element, Expr, Field, Form,
    Intrinsic, Kind, Pipeline, Query, Relation, ScalarExpr, ScalarFilter, Scope, SpansetExpr,
    SpansetOp, Static, Status, UnaryOp, validate,
};

use crate::fields::{span_id, trace_id};
use crate::generate::{FLOATS, IDS, INTS, KEYS, NAMES, TEXTS, TRACE_IDS};

const PATTERNS: [&str; 9] = [
    "x.*", ".*", "y", "x|y", "[xy]+", "(?i)x", "", ".*y.*z", "G(E|e)T",
];

/// All of them that queries may read.
const INTRINSICS: [Intrinsic; 21] = [
    Intrinsic::Duration,
    Intrinsic::Name,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::Kind,
    Intrinsic::SpanId,
    Intrinsic::ParentId,
    Intrinsic::ChildCount,
    Intrinsic::TraceId,
    Intrinsic::TraceDuration,
    Intrinsic::TraceRootName,
    Intrinsic::TraceRootService,
    Intrinsic::EventName,
    Intrinsic::EventTimeSinceStart,
    Intrinsic::LinkTraceId,
    Intrinsic::LinkSpanId,
    Intrinsic::InstrumentationName,
    Intrinsic::InstrumentationVersion,
    Intrinsic::NestedSetLeft,
    Intrinsic::NestedSetRight,
    Intrinsic::NestedSetParent,
];

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> BoxedStrategy<T> {
    prop::sample::select(all).boxed()
}

fn string(texts: Vec<String>) -> BoxedStrategy<Static> {
    let text = prop::sample::select(texts);
    text.prop_map(|text| Static::String(text.into())).boxed()
}

fn strings(texts: &[&str]) -> BoxedStrategy<Static> {
    string(texts.iter().map(|&text| text.to_owned()).collect())
}

fn number() -> BoxedStrategy<Static> {
    prop_oneof![
        4 => one_of(&INTS).prop_map(Static::Int),
        2 => one_of(&FLOATS).prop_map(Static::Float),
        1 => (0..4_i64).prop_map(Static::Duration),
    ]
    .boxed()
}

fn attribute_scope() -> BoxedStrategy<Scope> {
    prop_oneof![
        4 => Just(Scope::Unscoped),
        4 => Just(Scope::Span),
        2 => Just(Scope::Resource),
        2 => Just(Scope::Event),
        1 => Just(Scope::Link),
        1 => Just(Scope::Instrumentation),
    ]
    .boxed()
}

pub fn attribute() -> BoxedStrategy<Field> {
    let key = prop_oneof![3 => Just("a"), 3 => Just("b"), 6 => one_of(&KEYS), 1 => Just("none")];
    let any = (attribute_scope(), key).prop_map(|(scope, key)| Field::attribute(scope, key));
    // One field often, so that several parts of a query read it.
    prop_oneof![1 => Just(Field::attribute(Scope::Span, "a")), 2 => any].boxed()
}

pub fn field() -> BoxedStrategy<Field> {
    prop_oneof![
        3 => attribute(),
        2 => one_of(&INTRINSICS).prop_map(Field::Intrinsic),
    ]
    .boxed()
}

fn literal_of(field: &Field) -> BoxedStrategy<Static> {
    match field {
        Field::Attribute(attribute) if &*attribute.key == "service.name" => strings(&TEXTS),
        Field::Attribute(_) => prop_oneof![
            6 => strings(&TEXTS),
            6 => number(),
            2 => any::<bool>().prop_map(Static::Bool),
            1 => Just(Static::Status(Status::Error)),
        ]
        .boxed(),
        Field::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration
            | Intrinsic::TraceDuration
            | Intrinsic::EventTimeSinceStart
            | Intrinsic::ChildCount
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent => number(),
            Intrinsic::Status => one_of(&[Status::Error, Status::Ok, Status::Unset])
                .prop_map(Static::Status)
                .boxed(),
            Intrinsic::Kind => one_of(&[Kind::Client, Kind::Server, Kind::Internal])
                .prop_map(Static::Kind)
                .boxed(),
            Intrinsic::SpanId | Intrinsic::ParentId | Intrinsic::LinkSpanId => {
                let mut texts: Vec<String> = IDS.iter().map(|id| span_id(*id)).collect();
                texts.extend([
                    "0000000000000000".to_owned(),
                    "0".to_owned(),
                    "1".to_owned(),
                ]);
                string(texts)
            }
            Intrinsic::TraceId | Intrinsic::LinkTraceId => {
                let mut texts: Vec<String> = TRACE_IDS.iter().map(trace_id).collect();
                let padded = TRACE_IDS.map(|id| format!("{:0>32}", trace_id(&id)));
                texts.extend(padded);
                string(texts)
            }
            _ => strings(&[NAMES[0], NAMES[1], NAMES[2], "x", "y"]),
        },
    }
}

fn comparison() -> BoxedStrategy<Compare> {
    prop_oneof![
        4 => Just(Compare::Equal),
        3 => Just(Compare::NotEqual),
        1 => Just(Compare::Less),
        1 => Just(Compare::LessEqual),
        1 => Just(Compare::Greater),
        1 => Just(Compare::GreaterEqual),
    ]
    .boxed()
}

fn arithmetic_op() -> BoxedStrategy<Arithmetic> {
    prop_oneof![
        6 => Just(Arithmetic::Add),
        3 => Just(Arithmetic::Sub),
        3 => Just(Arithmetic::Mul),
        1 => Just(Arithmetic::Div),
        1 => Just(Arithmetic::Mod),
        1 => Just(Arithmetic::Power),
    ]
    .boxed()
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary {
        op,
        left: Box::new(left),
        right: Box::new(right),
    }
}

fn against_literal() -> BoxedStrategy<Expr> {
    let all = field().prop_flat_map(|field| {
        let literal = literal_of(&field);
        (Just(field), comparison(), literal, any::<u8>())
    });
    all.prop_map(|(field, op, literal, side)| {
        let (field, literal) = (Expr::Field(field), Expr::Static(literal));
        match side < 200 {
            true => binary(BinaryOp::Compare(op), field, literal),
            false => binary(BinaryOp::Compare(op), literal, field),
        }
    })
    .boxed()
}

fn regex() -> BoxedStrategy<Expr> {
    let op = one_of(&[Compare::Regex, Compare::Regex, Compare::NotRegex]);
    (field(), op, one_of(&PATTERNS))
        .prop_map(|(field, op, pattern)| {
            let pattern = Expr::Static(Static::String(pattern.into()));
            binary(BinaryOp::Compare(op), Expr::Field(field), pattern)
        })
        .boxed()
}

/// A number, mostly: arrays make arithmetic fail, so they are left out for most of it.
pub fn numeric() -> BoxedStrategy<Expr> {
    let key = prop_oneof![10 => Just("a"), 10 => Just("b"), 1 => one_of(&KEYS)];
    let attribute =
        (attribute_scope(), key).prop_map(|(scope, key)| Expr::Field(Field::attribute(scope, key)));
    let numbers = [
        Intrinsic::Duration,
        Intrinsic::EventTimeSinceStart,
        Intrinsic::NestedSetLeft,
        Intrinsic::ChildCount,
        Intrinsic::TraceDuration,
    ];
    let intrinsic = prop::sample::select(numbers.to_vec());
    let leaf = prop_oneof![
        4 => attribute,
        2 => intrinsic.prop_map(|intrinsic| Expr::Field(Field::Intrinsic(intrinsic))),
        2 => number().prop_map(Expr::Static),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|inner| Expr::Unary {
                op: UnaryOp::Negate,
                inner: Box::new(inner),
            }),
            4 => (arithmetic_op(), inner.clone(), inner)
                .prop_map(|(op, left, right)| binary(BinaryOp::Arithmetic(op), left, right)),
        ]
    })
    .boxed()
}

fn leaf() -> BoxedStrategy<Expr> {
    let exists = (field(), any::<bool>()).prop_map(|(field, exists)| {
        let of = Box::new(Expr::Field(field));
        match exists {
            true => Expr::Exists(of),
            false => Expr::NotExists(of),
        }
    });
    let of_numbers = (numeric(), comparison(), numeric())
        .prop_map(|(left, op, right)| binary(BinaryOp::Compare(op), left, right));
    let of_fields = (field(), comparison(), field()).prop_map(|(left, op, right)| {
        binary(BinaryOp::Compare(op), Expr::Field(left), Expr::Field(right))
    });
    prop_oneof![
        10 => against_literal(),
        3 => regex(),
        4 => exists,
        2 => attribute().prop_map(Expr::Field),
        1 => any::<bool>().prop_map(|value| Expr::Static(Static::Bool(value))),
        2 => of_numbers,
        2 => of_fields,
    ]
    .boxed()
}

pub fn condition() -> BoxedStrategy<Expr> {
    leaf()
        .prop_recursive(4, 10, 2, |inner| {
            let not = inner.clone().prop_map(|inner| Expr::Unary {
                op: UnaryOp::Not,
                inner: Box::new(inner),
            });
            let two = |op| {
                (inner.clone(), inner.clone())
                    .prop_map(move |(left, right)| binary(op, left, right))
            };
            let odd =
                (inner.clone(), any::<bool>(), any::<bool>()).prop_map(|(inner, to, exists)| {
                    match exists {
                        true if to => Expr::Exists(Box::new(inner)),
                        true => Expr::NotExists(Box::new(inner)),
                        false => binary(
                            BinaryOp::Compare(Compare::Equal),
                            inner,
                            Expr::Static(Static::Bool(to)),
                        ),
                    }
                });
            prop_oneof![
                4 => two(BinaryOp::And),
                4 => two(BinaryOp::Or),
                2 => not,
                1 => odd,
            ]
        })
        .boxed()
}

fn filter() -> BoxedStrategy<SpansetExpr> {
    prop_oneof![
        2 => Just(Expr::Static(Static::Bool(true))),
        8 => condition(),
    ]
    .prop_map(SpansetExpr::Filter)
    .boxed()
}

fn spanset_op() -> BoxedStrategy<SpansetOp> {
    let relations = [
        Relation::Child,
        Relation::Descendant,
        Relation::Parent,
        Relation::Ancestor,
        Relation::Sibling,
    ];
    let forms = [Form::Plain, Form::Plain, Form::Negated, Form::Union];
    let structural = (
        prop::sample::select(relations.to_vec()),
        prop::sample::select(forms.to_vec()),
    );
    prop_oneof![
        1 => Just(SpansetOp::And),
        1 => Just(SpansetOp::Or),
        4 => structural.prop_map(|(relation, form)| SpansetOp::Structural { relation, form }),
    ]
    .boxed()
}

fn spanset() -> BoxedStrategy<SpansetExpr> {
    filter()
        .prop_recursive(3, 4, 2, |inner| {
            let two = (spanset_op(), inner.clone(), inner.clone()).prop_map(|(op, left, right)| {
                SpansetExpr::Binary {
                    op,
                    left: Box::new(left),
                    right: Box::new(right),
                }
            });
            let nested = (inner, vec(element(), 0..3)).prop_map(|(first, rest)| {
                let first = Element::Spanset(first);
                let elements = std::iter::once(first).chain(rest).collect();
                SpansetExpr::Pipeline(Box::new(Pipeline { elements }))
            });
            prop_oneof![4 => two, 1 => nested]
        })
        .boxed()
}

fn grouping() -> BoxedStrategy<Element> {
    prop_oneof![
        5 => field().prop_map(Expr::Field),
        1 => numeric(),
        1 => condition(),
    ]
    .prop_map(Element::By)
    .boxed()
}

fn scalar() -> BoxedStrategy<Element> {
    let aggregate = (0..5, numeric()).prop_map(|(number, expr)| match number {
        0 => Aggregate::Count,
        1 => Aggregate::Max(expr),
        2 => Aggregate::Min(expr),
        3 => Aggregate::Avg(expr),
        _ => Aggregate::Sum(expr),
    });
    let op = prop_oneof![
        2 => comparison(),
        3 => Just(Compare::GreaterEqual),
    ];
    (aggregate, op, number())
        .prop_map(|(aggregate, op, than)| {
            Element::Scalar(ScalarFilter {
                op,
                left: ScalarExpr::Aggregate(aggregate),
                right: ScalarExpr::Static(than),
            })
        })
        .boxed()
}

fn selection() -> BoxedStrategy<Element> {
    vec(field(), 1..4).prop_map(Element::Select).boxed()
}

fn element() -> BoxedStrategy<Element> {
    prop_oneof![
        2 => filter().prop_map(Element::Spanset),
        3 => grouping(),
        3 => scalar(),
        1 => Just(Element::Coalesce),
        2 => selection(),
    ]
    .boxed()
}

pub fn is_valid(pipeline: &Pipeline) -> bool {
    let query = Query {
        body: Body::Spans(pipeline.clone()),
        hints: Vec::new(),
    };
    validate(&query).is_ok()
}

pub fn pipeline() -> BoxedStrategy<Pipeline> {
    let first = prop_oneof![
        6 => filter().prop_map(Element::Spanset),
        8 => spanset().prop_map(Element::Spanset),
        1 => grouping(),
        1 => scalar(),
        1 => selection(),
    ];
    (first, vec(element(), 0..3))
        .prop_map(|(first, rest)| Pipeline {
            elements: std::iter::once(first).chain(rest).collect(),
        })
        .prop_filter("the checker refuses it", is_valid)
        .boxed()
}

/// A condition of a tag request.
pub fn condition_of_tags() -> BoxedStrategy<Condition> {
    let compare = field().prop_flat_map(|field| {
        let literal = literal_of(&field);
        (Just(field), comparison(), literal)
    });
    let can_be_nil = |field: &Field| {
        matches!(field, Field::Attribute(attribute)
            if attribute.scope != Scope::Resource || &*attribute.key != "service.name")
    };
    prop_oneof![
        6 => compare.prop_map(|(field, op, value)| Condition::Compare { field, op, value }),
        2 => field().prop_map(Condition::Exists),
        1 => attribute().prop_filter("is never nil", can_be_nil).prop_map(Condition::NotExists),
    ]
    .boxed()
}
