//! Configurations in the shape of the ones that Tempo ships or that its tooling writes (configuration.md §14,
//! drop-in-checklist.md): they load, and what they say arrives. Beside each file stands what is printed of it: warnings,
//! then the keys that differ from the defaults.

use crate::common::{expect, folder, yaml_files};
use vivace_config::{
    Command, Config, EMBEDDED_DEFAULTS, Error, Invocation, Loaded, Source, TenantFile, View, load,
    types,
};

fn no_env(_: &str) -> Option<String> {
    None
}

fn run(arguments: &[&str]) -> Invocation {
    match Command::parse(arguments) {
        Ok(Command::Run(invocation)) => invocation,
        other => panic!("{other:?}"),
    }
}

fn layout(name: &str, arguments: &[&str]) -> Result<Loaded, Error> {
    let text = std::fs::read_to_string(folder("layouts").join(format!("{name}.yaml")))
        .expect("the layout is there");
    load(&run(arguments), Some(Source { name, text: &text }), &no_env)
}

#[test]
fn every_layout_loads_and_says_what_is_missing() {
    for (name, text) in yaml_files("layouts") {
        let file = format!("{name}.yaml");
        match load(
            &Invocation::default(),
            Some(Source {
                name: &file,
                text: &text,
            }),
            &no_env,
        ) {
            Ok(loaded) => {
                let warnings: String = loaded
                    .warnings
                    .iter()
                    .map(|warning| format!("# {warning}\n"))
                    .collect();
                let actual = format!("{warnings}{}", loaded.config.to_yaml(View::Diff));
                expect(
                    &folder("layouts").join(format!("{name}.expected.yaml")),
                    &actual,
                );
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn the_values_of_layouts_arrive() {
    let tooling = layout("tooling", &[]).expect("loads").config;
    assert_eq!(tooling.server.grpc_listen_port, 9095);
    assert_eq!(tooling.storage.trace.pool.max_workers, 8);
    assert_eq!(tooling.query_frontend.query_end_cutoff, types::mins(-5));
    assert_eq!(
        tooling
            .overrides
            .defaults
            .compaction
            .block_retention
            .as_std()
            .as_secs(),
        14 * 86_400
    );
    assert!(tooling.stream_over_http_enabled && !tooling.is_multitenant());
    let receivers = tooling.distributor.receivers.effective();
    let grpc: Vec<_> = receivers
        .otlp_grpc()
        .map(|grpc| (grpc.endpoint.as_str(), grpc.max_message_bytes()))
        .collect();
    assert_eq!(
        grpc,
        [("localhost:4317", 4 << 20), ("0.0.0.0:5317", 64 << 20)]
    );
    let http: Vec<_> = receivers.otlp_http().collect();
    assert_eq!(http[0].endpoint, "0.0.0.0:4318");
    assert_eq!(
        http[0].tls.as_ref().map(|tls| tls.cert_file.as_str()),
        Some("/tls/server.crt")
    );

    let jsonnet = layout("jsonnet-microservices", &[]).expect("loads").config;
    assert!(jsonnet.storage.trace.blocklist_poll.is_zero());
    assert_eq!(
        jsonnet.metrics_generator,
        Config::default().metrics_generator
    );

    let distributed = layout("distributed", &[]).expect("loads").config;
    assert_eq!(distributed.storage.trace.s3.endpoint, "minio:9000");
    assert_eq!(
        distributed.block_builder.assigned_partitions["block-builder-0"],
        [0, 1, 2]
    );
    assert_eq!(
        distributed.server.grpc_server_max_recv_msg_size,
        1_610_612_736
    );
    assert_eq!(
        distributed
            .distributor
            .receivers
            .otlp_http()
            .next()
            .map(|h| h.endpoint.as_str()),
        Some("localhost:4318")
    );

    let vivace = layout("vivace", &[]).expect("loads").config;
    assert_eq!(
        (
            vivace.shards,
            vivace.memory.limit.0,
            vivace.ingest_log.embedded.partitions
        ),
        (2, 512 << 20, 4)
    );
}

#[test]
fn flags_win_over_the_file() {
    let arguments = [
        "-server.http-listen-port=1234",
        "-memberlist.host-port=c:7946",
        "-live-store.instance-availability-zone=zone-a",
    ];
    let config = layout("tooling", &arguments).expect("loads").config;
    assert_eq!(config.server.http_listen_port, 1234);
    assert_eq!(
        *config.memberlist.join_members,
        ["a:7946", "b:7946", "c:7946"]
    );
    assert_eq!(config.live_store.ring.instance_zone, "zone-a");
}

#[test]
fn other_targets_are_refused_clearly() {
    for target in [
        "distributor",
        "live-store",
        "querier",
        "metrics-generator-no-local-blocks",
    ] {
        let error = layout("distributed", &[&format!("-target={target}")]).expect_err("refused");
        assert_eq!(error.exit_code(), 1);
        let text = error.to_string();
        assert!(
            text.starts_with(&format!(
                "invalid config: target: {target} is not available on its own"
            )),
            "{text}"
        );
    }
    let text = layout("distributed", &["-target=ingester"])
        .expect_err("refused")
        .to_string();
    assert_eq!(
        text,
        "invalid config: target: unrecognised module name: ingester"
    );
}

#[test]
fn without_a_file_everything_is_here() {
    let loaded = load(&Invocation::default(), None, &no_env).expect("loads");
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(
        (
            config.server.http_listen_address.as_str(),
            config.server.http_listen_port
        ),
        ("127.0.0.1", 3200)
    );
    assert_eq!(
        (
            config.server.grpc_listen_address.as_str(),
            config.server.grpc_listen_port
        ),
        ("127.0.0.1", 9095)
    );
    let receivers = config.distributor.receivers.effective();
    assert_eq!(
        receivers
            .otlp_grpc()
            .next()
            .map(|grpc| grpc.endpoint.as_str()),
        Some("127.0.0.1:4317")
    );
    assert_eq!(
        receivers
            .otlp_http()
            .next()
            .map(|http| http.endpoint.as_str()),
        Some("127.0.0.1:4318")
    );
    assert_eq!(config.ingest_log_path(), "./data/log");
    assert!(!config.is_multitenant());
    let diff = config.to_yaml(View::Diff);
    assert!(
        !diff.contains("/var/"),
        "something is kept outside of ./data: {diff}"
    );
    // The embedded text is a file like any other.
    let source = Source {
        name: "default.yaml",
        text: EMBEDDED_DEFAULTS,
    };
    assert_eq!(
        load(&Invocation::default(), Some(source), &no_env)
            .expect("loads")
            .config,
        config
    );
}

#[test]
fn the_environment_is_expanded_when_asked_for() {
    let env = |name: &str| (name == "BUCKET").then(|| "traces".to_string());
    let text = "storage: {trace: {backend: s3, s3: {bucket: '${BUCKET}', region: '${REGION:-eu}', prefix: '$${X}'}}}\n";
    let source = Source {
        name: "a.yaml",
        text,
    };
    let expanded = load(&run(&["-config.expand-env=true"]), Some(source), &env)
        .expect("loads")
        .config;
    let s3 = &expanded.storage.trace.s3;
    assert_eq!(
        (s3.bucket.as_str(), s3.region.as_str(), s3.prefix.as_str()),
        ("traces", "eu", "${X}")
    );
    let plain = load(&run(&[]), Some(source), &env).expect("loads").config;
    assert_eq!(plain.storage.trace.s3.bucket, "${BUCKET}");
    let broken = Source {
        name: "a.yaml",
        text: "\ntarget: ${X-y}\n",
    };
    let error = load(&run(&["-config.expand-env=true"]), Some(broken), &env).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "failed to expand env vars from configFile a.yaml: line 2: missing closing brace"
    );
}

#[test]
fn secrets_are_masked_wherever_a_configuration_is_printed() {
    for name in ["tooling", "distributed", "multitenant"] {
        let config = layout(name, &[]).expect("loads").config;
        for text in [
            config.to_yaml(View::Full),
            config.to_yaml(View::Diff),
            format!("{config:?}"),
        ] {
            // Debug output of opaque values is not for printing; only typed secrets count there.
            assert!(
                !text.contains("supersecret")
                    && !text.contains("hidden")
                    && !text.contains("secret-value"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_file_of_tenants_is_checked_as_strictly() {
    let config = layout("jsonnet-single-binary", &[]).expect("loads").config;
    let parse = |text: &str| {
        TenantFile::parse(
            Source {
                name: "o.yaml",
                text,
            },
            &config,
            false,
            &no_env,
        )
    };
    assert_eq!(parse("").expect("empty").entries.len(), 0);
    assert_eq!(parse("overrides:\n").expect("null").entries.len(), 0);
    let text = "overrides:\n  tenant-a:\n    ingestion: {rate_limit_byte: 1}\n  'a/b': {}\n  '*': [1]\nother: 1\n";
    let error = parse(text).expect_err("refused").to_string();
    let expected = "failed parsing config: o.yaml:3:17: overrides.tenant-a.ingestion.rate_limit_byte: unknown key; did you mean `rate_limit_bytes`?\n\
                    o.yaml:4:3: overrides.a/b: tenant ID 'a/b' contains unsupported character '/'\n\
                    o.yaml:5:8: overrides.*: expected a mapping, found a list\n\
                    o.yaml:6:1: other: unknown key; known here: `overrides`";
    assert_eq!(error, expected);
}
