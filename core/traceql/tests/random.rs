//! Random trees, random bytes and broken queries.

mod support;

use proptest::prelude::*;
use support::corpus;
use vivace_traceql::{
    Aggregate, Arithmetic, Attribute, BinaryOp, Body, Compare, Element, Expr, Field, Form, Hint,
    Intrinsic, Kind, MathOp, MetricsExpr, MetricsFunction, MetricsQuery, Pipeline, Query, Relation,
    ScalarExpr, ScalarFilter, Scope, SecondStage, SpansetExpr, SpansetOp, Static, Status, UnaryOp,
    parse, tag_filter, validate,
};

fn intrinsic() -> impl Strategy<Value = Intrinsic> {
    use Intrinsic::*;
    prop::sample::select(vec![
        Duration,
        Name,
        Status,
        StatusMessage,
        Kind,
        SpanId,
        ParentId,
        ChildCount,
        Parent,
        TraceId,
        TraceDuration,
        TraceRootName,
        TraceRootService,
        EventName,
        EventTimeSinceStart,
        LinkTraceId,
        LinkSpanId,
        InstrumentationName,
        InstrumentationVersion,
        NestedSetLeft,
        NestedSetRight,
        NestedSetParent,
    ])
}

fn field() -> impl Strategy<Value = Field> {
    let scope = prop::sample::select(vec![
        Scope::Unscoped,
        Scope::Span,
        Scope::Resource,
        Scope::Event,
        Scope::Link,
        Scope::Instrumentation,
    ]);
    // Neither empty nor a number, which cannot be written without a scope.
    let key = "[a-z\"\\\\é .{}()=!~<>&|^,`/*-][a-z0-9\"\\\\é .{}()=!~<>&|^,`/*\n-]{0,6}";
    prop_oneof![
        intrinsic().prop_map(Field::Intrinsic),
        (scope.clone(), key).prop_filter_map("number", |(scope, key)| {
            let number = key.starts_with('.') && key[1..].starts_with(|c: char| c.is_ascii_digit());
            (!number).then(|| Field::attribute(scope, &key))
        }),
        (scope, "(span\\.)?[a-z ]{1,5}").prop_map(|(scope, key)| {
            let scope = match scope {
                Scope::Span | Scope::Resource => scope,
                _ => Scope::Unscoped,
            };
            Field::Attribute(Attribute {
                scope,
                parent: true,
                key: key.as_str().into(),
            })
        }),
    ]
}

fn literal() -> impl Strategy<Value = Static> {
    prop_oneof![
        // The least integers have no literal.
        (i64::MIN + 1..=i64::MAX).prop_map(Static::Int),
        (-5i64..5).prop_map(Static::Int),
        prop::num::f64::NORMAL.prop_map(Static::Float),
        (-1e6..1e6).prop_map(Static::Float),
        Just(Static::Float(-0.0)),
        (i64::MIN + 1..=i64::MAX).prop_map(Static::Duration),
        (-100_000i64..100_000).prop_map(|value| Static::Duration(value * 1_000_000)),
        "[a-z`\"\\\\\n\r\t\0é]{0,6}".prop_map(|text| Static::String(text.as_str().into())),
        any::<bool>().prop_map(Static::Bool),
        prop::sample::select(vec![Status::Error, Status::Ok, Status::Unset])
            .prop_map(Static::Status),
        prop::sample::select(vec![
            Kind::Unspecified,
            Kind::Internal,
            Kind::Client,
            Kind::Server,
            Kind::Producer,
            Kind::Consumer
        ])
        .prop_map(Static::Kind),
    ]
}

fn number() -> impl Strategy<Value = Static> {
    prop_oneof![
        (-1000i64..1000).prop_map(Static::Int),
        prop::num::f64::NORMAL.prop_map(Static::Float),
    ]
}

fn comparison(regex: bool) -> impl Strategy<Value = Compare> {
    use Compare::*;
    let mut all = vec![Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual];
    if regex {
        all.extend([Regex, NotRegex]);
    }
    prop::sample::select(all)
}

fn arithmetic() -> impl Strategy<Value = Arithmetic> {
    use Arithmetic::*;
    prop::sample::select(vec![Add, Sub, Mul, Div, Mod, Power])
}

fn binary_op() -> impl Strategy<Value = BinaryOp> {
    prop_oneof![
        Just(BinaryOp::And),
        Just(BinaryOp::Or),
        comparison(true).prop_map(BinaryOp::Compare),
        arithmetic().prop_map(BinaryOp::Arithmetic),
    ]
}

/// Expressions that the parser makes: what it would fold and the zeros of trace ids are not among them.
fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        field().prop_map(Expr::Field),
        field().prop_map(Expr::Field),
        literal().prop_map(Expr::Static)
    ];
    leaf.prop_recursive(6, 40, 2, |inner| {
        let variable = inner.clone().prop_map(|expr| match expr {
            Expr::Static(_) => Expr::Field(Field::attribute(Scope::Span, "x")),
            expr => expr,
        });
        prop_oneof![
            4 => (binary_op(), inner.clone(), variable.clone(), any::<bool>()).prop_map(|(op, left, right, swap)| {
                let (left, right) = if swap { (right, left) } else { (left, right) };
                let id = |expr: &Expr| *expr == Expr::Field(Field::Intrinsic(Intrinsic::TraceId));
                let (left, right) = match (id(&left), id(&right)) {
                    (true, _) => (left, Expr::Static(Static::String("1f".into()))),
                    (_, true) => (Expr::Static(Static::String("1f".into())), right),
                    _ => (left, right),
                };
                Expr::Binary { op, left: Box::new(left), right: Box::new(right) }
            }),
            1 => (any::<bool>(), variable.clone()).prop_map(|(not, inner)| Expr::Unary {
                op: if not { UnaryOp::Not } else { UnaryOp::Negate },
                inner: Box::new(inner),
            }),
            1 => variable.clone().prop_map(|inner| Expr::Exists(Box::new(inner))),
            1 => variable.prop_map(|inner| Expr::NotExists(Box::new(inner))),
        ]
    })
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    prop_oneof![
        Just(Aggregate::Count),
        expr().prop_map(Aggregate::Max),
        expr().prop_map(Aggregate::Min),
        expr().prop_map(Aggregate::Avg),
        expr().prop_map(Aggregate::Sum),
    ]
}

fn scalar_filter() -> impl Strategy<Value = ScalarFilter> {
    let scalar = aggregate()
        .prop_map(ScalarExpr::Aggregate)
        .prop_recursive(2, 6, 2, |inner| {
            (arithmetic(), inner, number(), any::<bool>()).prop_map(|(op, left, number, swap)| {
                let (left, right) = (Box::new(left), Box::new(ScalarExpr::Static(number)));
                let (left, right) = if swap { (right, left) } else { (left, right) };
                ScalarExpr::Binary { op, left, right }
            })
        });
    (
        comparison(false),
        scalar.clone(),
        prop_oneof![scalar, number().prop_map(ScalarExpr::Static)],
    )
        .prop_map(|(op, left, right)| ScalarFilter { op, left, right })
}

fn spanset() -> impl Strategy<Value = SpansetExpr> {
    let op = prop_oneof![
        Just(SpansetOp::And),
        Just(SpansetOp::Or),
        (
            prop::sample::select(vec![
                Relation::Child,
                Relation::Descendant,
                Relation::Parent,
                Relation::Ancestor,
                Relation::Sibling
            ]),
            prop::sample::select(vec![Form::Plain, Form::Negated, Form::Union]),
        )
            .prop_map(|(relation, form)| SpansetOp::Structural { relation, form }),
    ];
    expr()
        .prop_map(SpansetExpr::Filter)
        .prop_recursive(3, 6, 2, move |inner| {
            (op.clone(), inner.clone(), inner).prop_map(|(op, left, right)| SpansetExpr::Binary {
                op,
                left: Box::new(left),
                right: Box::new(right),
            })
        })
}

fn element() -> impl Strategy<Value = Element> {
    prop_oneof![
        3 => spanset().prop_map(Element::Spanset),
        2 => scalar_filter().prop_map(Element::Scalar),
        1 => expr().prop_map(Element::By),
        1 => prop::collection::vec(field(), 1..4).prop_map(Element::Select),
    ]
}

fn pipeline() -> impl Strategy<Value = Pipeline> {
    (
        element(),
        prop::collection::vec(
            prop_oneof![4 => element(), 1 => Just(Element::Coalesce)],
            0..3,
        ),
    )
        .prop_map(|(first, rest)| {
            let mut elements = vec![first];
            elements.extend(rest);
            Pipeline { elements }
        })
}

fn stages() -> impl Strategy<Value = Vec<SecondStage>> {
    let stage = prop_oneof![
        (0i64..9).prop_map(SecondStage::TopK),
        (0i64..9).prop_map(SecondStage::BottomK),
        (comparison(false), -99i64..99)
            .prop_map(|(op, value)| SecondStage::Filter(op, Static::Int(value))),
        (comparison(false), -99i64..99)
            .prop_map(|(op, value)| SecondStage::Filter(op, Static::Float(value as f64 + 0.5))),
    ];
    prop::collection::vec(stage, 0..3)
}

fn metrics_query() -> impl Strategy<Value = MetricsExpr> {
    let function = prop_oneof![
        Just(MetricsFunction::Rate),
        Just(MetricsFunction::CountOverTime),
        field().prop_map(MetricsFunction::MinOverTime),
        field().prop_map(MetricsFunction::AvgOverTime),
        field().prop_map(MetricsFunction::HistogramOverTime),
        (
            field(),
            prop::collection::vec(
                (0u32..=100_000).prop_map(|n| f64::from(n) / 100_000.0),
                1..3
            )
        )
            .prop_map(|(field, quantiles)| MetricsFunction::QuantileOverTime(field, quantiles)),
        (expr(), 0i64..20, 0i64..3, 0i64..3).prop_map(|(filter, top, start, end)| {
            MetricsFunction::Compare {
                filter,
                top,
                start,
                end,
            }
        }),
    ];
    (
        pipeline(),
        function,
        prop::collection::vec(field(), 0..3),
        stages(),
    )
        .prop_map(|(pipeline, function, by, stages)| {
            let by = if matches!(function, MetricsFunction::Compare { .. }) {
                Vec::new()
            } else {
                by
            };
            MetricsExpr::Query(MetricsQuery {
                pipeline,
                function,
                by,
                stages,
            })
        })
}

fn metrics() -> impl Strategy<Value = MetricsExpr> {
    let op = prop::sample::select(vec![MathOp::Add, MathOp::Sub, MathOp::Mul, MathOp::Div]);
    let math = metrics_query().prop_recursive(2, 4, 2, move |inner| {
        (
            op.clone(),
            inner.clone(),
            prop_oneof![inner, number().prop_map(MetricsExpr::Constant)],
            any::<bool>(),
        )
            .prop_map(|(op, left, right, swap)| {
                let (left, right) = if swap { (right, left) } else { (left, right) };
                MetricsExpr::Math {
                    op,
                    left: Box::new(left),
                    right: Box::new(right),
                }
            })
    });
    (math, stages()).prop_map(|(inner, stages)| match inner {
        MetricsExpr::Math { .. } if !stages.is_empty() => MetricsExpr::Stages {
            inner: Box::new(inner),
            stages,
        },
        inner => inner,
    })
}

fn body() -> impl Strategy<Value = Body> {
    let in_parentheses = || {
        prop_oneof![
            expr().prop_map(SpansetExpr::Filter),
            (element(), prop_oneof![element(), Just(Element::Coalesce)]).prop_map(
                |(first, second)| SpansetExpr::Pipeline(Box::new(Pipeline {
                    elements: vec![first, second]
                }))
            ),
        ]
    };
    let combined =
        (in_parentheses(), in_parentheses(), any::<bool>()).prop_map(|(left, right, and)| {
            let op = if and {
                SpansetOp::And
            } else {
                SpansetOp::Structural {
                    relation: Relation::Descendant,
                    form: Form::Plain,
                }
            };
            let elements = vec![Element::Spanset(SpansetExpr::Binary {
                op,
                left: Box::new(left),
                right: Box::new(right),
            })];
            Body::Spans(Pipeline { elements })
        });
    let scalar = (pipeline(), aggregate(), number(), comparison(false)).prop_map(
        |(pipeline, aggregate, number, op)| {
            let left = ScalarExpr::Pipeline(Box::new(pipeline), aggregate);
            Body::ScalarFilter(ScalarFilter {
                op,
                left,
                right: ScalarExpr::Static(number),
            })
        },
    );
    prop_oneof![
        4 => pipeline().prop_map(Body::Spans),
        1 => combined,
        1 => scalar,
        3 => metrics().prop_map(Body::Metrics),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let hint = ("[a-z]{6}x", literal()).prop_filter_map("signs", |(name, value)| {
        let signed = match &value {
            Static::Int(value) | Static::Duration(value) => *value < 0,
            Static::Float(value) => value.is_sign_negative(),
            _ => false,
        };
        (!signed).then(|| Hint {
            name: name.as_str().into(),
            value,
        })
    });
    (body(), prop::collection::vec(hint, 0..3)).prop_map(|(body, hints)| Query { body, hints })
}

/// The parent's defect of the reference: after `parent.x` an unscoped name may not start with a scope.
fn is_ambiguous(text: &str) -> bool {
    text.contains("parent.")
        && (text.contains(" .span.") || text.contains("(.span.") || text.contains(",.span."))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn printed_queries_read_as_themselves(query in query()) {
        let text = query.to_string();
        prop_assume!(!is_ambiguous(&text));
        match parse(&text) {
            Ok(again) => prop_assert_eq!(again, query, "{}", text),
            Err(error) => prop_assert!(false, "{}: {}", text, error),
        }
    }

    /// Whatever is not refused has a text that is not refused, and that is its own text.
    #[test]
    fn random_tokens(pieces in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "{}", "(", ")", "|", "||", "&&", ".a", "span.b", "parent.c", "name", "status", "error", "server", "1", "2.5", "3s", "`x`",
        "true", "nil", "=", "!=", "=~", "!~", "<", ">", ">>", "!>", "&~", "~", "+", "-", "*", "/", "%", "^", "!", ",", "count()", "avg(.a)", "by(.a)",
        "select(.a)", "coalesce()", "rate()", "topk(1)", "quantile_over_time(duration, 0.5)", "with(a=1)", "span:id", "{.a}", "({}|rate())", "({}|count())",
    ]), 1..14)) {
        let text = pieces.join(" ");
        if let Ok(query) = parse(&text) {
            let _ = validate(&query);
            let canonical = query.to_string();
            // A float of a threshold loses its point, and infinities have no literal.
            prop_assume!(!canonical.contains("Inf") && !canonical.contains("NaN"));
            match parse(&canonical) {
                Ok(again) => prop_assert_eq!(again.to_string(), canonical, "{}", text),
                Err(error) => prop_assert!(false, "{}: {}: {}", text, canonical, error),
            }
        }
    }

    #[test]
    fn random_text(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for text in [text, String::from_utf8_lossy(&bytes).into_owned()] {
            for text in [format!("{{ {text} }}"), format!("{{ .a = \"{text}\" }}"), text] {
                if let Ok(query) = parse(&text) {
                    let _ = validate(&query);
                }
                let _ = Field::parse(&text);
                let _ = tag_filter(&text, 10);
            }
        }
    }

    /// Bytes of known queries are dropped, doubled, replaced and exchanged with those of others.
    #[test]
    fn broken_queries(
        (one, other) in { let queries: Vec<_> = corpus().into_iter().map(|case| case.query).collect();
            (prop::sample::select(queries.clone()), prop::sample::select(queries)) },
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..5, any::<char>()), 1..4),
    ) {
        let mut chars: Vec<char> = one.chars().collect();
        let donor: Vec<char> = other.chars().collect();
        for (index, edit, c) in edits {
            if chars.is_empty() {
                break;
            }
            let at = index.index(chars.len());
            match edit {
                0 => { chars.remove(at); }
                1 => chars.insert(at, chars[at]),
                2 => chars[at] = c,
                3 if !donor.is_empty() => {
                    chars.truncate(at);
                    chars.extend(&donor[index.index(donor.len())..]);
                }
                _ => chars.truncate(at),
            }
        }
        let text: String = chars.into_iter().collect();
        let _ = tag_filter(&text, 10);
        match parse(&text) {
            Ok(query) => {
                if let Err(error) = validate(&query) {
                    prop_assert!(!error.to_string().is_empty());
                }
                let _ = query.to_string();
            }
            Err(error) => {
                let lines = text.split('\n').count();
                prop_assert!(error.line >= 1 && error.line <= lines && error.column >= 1, "{}: {}", text, error);
            }
        }
    }
}
