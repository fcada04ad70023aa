//! The commands as an operator types them, over a folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::Value as Json;
use tempfile::TempDir;
use vivace_block::Format;
use vivace_block::dedicated::default_columns;
use vivace_block_tool::{Connect, Folder, ListedBlock, Source, SourceError, run};
use vivace_block_writer::{Options, Sink, write_block};
use vivace_protocol::otlp::{ScanOptions, Scanner, json_to_protobuf};

const BLOCK: &str = "401742ca-c857-45ce-946e-13343cdd9be8";
const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";

struct File(Vec<u8>);

impl Sink for File {
    type Error = std::convert::Infallible;

    async fn append(&mut self, bytes: bytes::Bytes) -> Result<(), Self::Error> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Runs a future that never waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

/// A bucket with one block of three traces.
struct Bucket {
    folder: TempDir,
}

fn span(trace: &str, id: u8) -> Json {
    serde_json::json!({
        "traceId": trace, "spanId": format!("{id:016x}"), "name": "op", "kind": 2,
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
        "attributes": [{ "key": "traceId", "value": { "stringValue": "\"traceId\":\"AQI=\"" } }],
    })
}

impl Bucket {
    fn new() -> Self {
        let spans = [
            span(TRACE, 1),
            span("00000000000000000000000000000011", 2),
            span("ffffffffffffffffffffffffffffffff", 3),
        ];
        let request = serde_json::json!({ "resourceSpans": [{
            "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] },
            "scopeSpans": [{ "spans": spans }],
        }] });
        let request = json_to_protobuf(request.to_string().as_bytes()).unwrap();
        let options = ScanOptions {
            max_attribute_bytes: 2048,
            partitions: 1,
        };
        let scanned = Scanner::new().scan("team", &request, &options).unwrap();
        let batches: Vec<_> = scanned
            .batches
            .into_iter()
            .map(|(_, batch)| batch)
            .collect();
        let mut file = File(Vec::new());
        let options = Options {
            dedicated: default_columns(),
            ..Options::new(Format::VParquet5, "team", BLOCK.parse().unwrap())
        };
        let built = now(write_block(&batches, &options, &mut file, async || {})).unwrap();
        let folder = TempDir::new().unwrap();
        let block = folder.path().join("team").join(BLOCK);
        std::fs::create_dir_all(&block).unwrap();
        std::fs::write(block.join("data.parquet"), &file.0).unwrap();
        std::fs::write(block.join("bloom-0"), &built.blooms[0]).unwrap();
        std::fs::write(block.join("index"), &built.index).unwrap();
        std::fs::write(block.join("meta.json"), built.meta.to_json()).unwrap();
        Self { folder }
    }

    fn block(&self) -> PathBuf {
        self.folder.path().join("team").join(BLOCK)
    }

    /// Exit code, output and complaints of a command over a folder.
    fn run(&self, command: &str, path: &Path, more: &[&str]) -> (u8, String, String) {
        let mut arguments = vec![command.to_owned(), path.to_str().unwrap().to_owned()];
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        run_with(&arguments, &|_| Err("no bucket is meant".to_owned()))
    }
}

fn run_with(arguments: &[String], connect: Connect<'_>) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(arguments, connect, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(err))
}

#[test]
fn list() {
    let bucket = Bucket::new();
    let (code, out, err) = bucket.run("list", bucket.folder.path(), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("TENANT  BLOCK "));
    let words: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(
        words[..7],
        [
            "team",
            BLOCK,
            "vParquet5",
            "0",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:21Z",
            "3"
        ]
    );
    assert!(lines[3].starts_with("1 live and 0 compacted blocks, 3 traces, "));

    std::fs::rename(
        bucket.block().join("meta.json"),
        bucket.block().join("meta.compacted.json"),
    )
    .unwrap();
    let (code, out, _) = bucket.run("list", bucket.folder.path(), &["team", "--json"]);
    let json: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &json["blocks"][0]["state"]),
        (0, &Json::from("compacted"))
    );
    assert_eq!(
        (&json["traces"], &json["blocks"][0]["rowGroups"]),
        (&3.into(), &1.into())
    );
}

#[test]
fn a_meta_that_cannot_be_read_does_not_hide_the_others() {
    let bucket = Bucket::new();
    let other = bucket
        .folder
        .path()
        .join("team/00000000-0000-0000-0000-000000000000");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("meta.json"), "{").unwrap();
    let (code, out, err) = bucket.run("list", bucket.folder.path(), &[]);
    assert_eq!(code, 2);
    assert!(out.contains(BLOCK));
    assert!(err.contains("team/00000000-0000-0000-0000-000000000000/meta.json: meta.json: EOF"));
}

#[test]
fn inspect() {
    let bucket = Bucket::new();
    let (code, out, err) = bucket.run("inspect", &bucket.block(), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [
        "  format              vParquet5\n",
        "rs.ss.Spans.DedicatedAttributes.String01",
        "http.request.method",
        "\nROW GROUPS\n",
        "ffffffffffffffffffffffffffffffff",
        "\nBLOOM FILTER\n",
        "INDEX  1 entries",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (code, out, _) = bucket.run("inspect", &bucket.block(), &["--json"]);
    let json: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    let columns = json["columns"].as_array().unwrap();
    assert_eq!(columns.len(), 92);
    let sizes: Vec<_> = columns
        .iter()
        .map(|column| column["bytes"].as_u64().unwrap())
        .collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b));
    let names = columns
        .iter()
        .find(|column| column["path"] == "rs.ss.Spans.Name")
        .unwrap();
    for (key, value) in [
        ("type", Json::from("text")),
        ("values", 3.into()),
        ("nulls", 0.into()),
        ("pages", 1.into()),
        ("dictionaryEntries", 1.into()),
        ("min", "op".into()),
        ("max", "op".into()),
    ] {
        assert_eq!(names[key], value, "{key}");
    }
    assert_eq!(json["blooms"][0]["hashes"], 7);
    assert_eq!(json["meta"]["blockID"], BLOCK);
    let (_, out, _) = bucket.run("inspect", &bucket.block(), &["--json", "--no-dictionaries"]);
    let json: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(json["columns"][0]["dictionaryEntries"], Json::Null);
}

#[test]
fn verify() {
    let bucket = Bucket::new();
    let (code, out, err) = bucket.run("verify", &bucket.block(), &[]);
    assert_eq!((code, err.as_str()), (0, "row group 1 of 1\n"));
    assert_eq!(out.lines().count(), 36);
    assert!(out.lines().all(|line| line.starts_with("ok ")), "{out}");

    std::fs::write(bucket.block().join("bloom-1"), "").unwrap();
    let (code, out, _) = bucket.run("verify", &bucket.block(), &["--json"]);
    let json: Json = serde_json::from_str(&out).unwrap();
    let failed: Vec<_> = (json.as_array().unwrap().iter())
        .filter(|check| check["result"] == "failed")
        .collect();
    assert_eq!(code, 1);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["name"], "bloom-shards");
    let place = format!("team/{BLOCK}/bloom-1: bloomShards is 1");
    assert_eq!(failed[0]["findings"], Json::from(vec![place]));

    std::fs::remove_file(bucket.block().join("data.parquet")).unwrap();
    let (code, out, err) = bucket.run("verify", &bucket.block(), &[]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        format!("team/{BLOCK}/data.parquet: there is no such object\n")
    );
}

#[test]
fn a_block_copied_out_of_its_tenant_is_no_failure() {
    let bucket = Bucket::new();
    let elsewhere = bucket.folder.path().join("elsewhere");
    std::fs::rename(bucket.folder.path().join("team"), &elsewhere).unwrap();
    assert_eq!(bucket.run("verify", &elsewhere.join(BLOCK), &[]).0, 0);
    let other = elsewhere.join("00000000-0000-0000-0000-000000000000");
    std::fs::rename(elsewhere.join(BLOCK), &other).unwrap();
    let (code, out, _) = bucket.run("verify", &other, &[]);
    assert_eq!(code, 1);
    assert!(out.starts_with("FAILED   meta-ids "), "{out}");
}

#[test]
fn cat() {
    let bucket = Bucket::new();
    let (code, out, err) = bucket.run("cat", &bucket.block(), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    let ids: Vec<Json> = out
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .map(|trace| trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"].clone())
        .collect();
    assert_eq!(
        ids,
        [
            "00000000000000000000000000000011",
            TRACE,
            "ffffffffffffffffffffffffffffffff"
        ]
    );
    let (code, one, _) = bucket.run("cat", &bucket.block(), &[TRACE]);
    assert_eq!((code, one.lines().next()), (0, out.lines().nth(1)));
    let trace: Json = serde_json::from_str(&one).unwrap();
    let span = &trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["spanId"], "0000000000000001");
    assert_eq!(
        span["attributes"][0]["value"]["stringValue"],
        "\"traceId\":\"AQI=\""
    );
    // What is printed can be sent.
    json_to_protobuf(one.as_bytes()).unwrap();

    let (code, out, err) = bucket.run("cat", &bucket.block(), &["12"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("there is no trace 00000000000000000000000000000012"));
    let (code, _, err) = bucket.run("cat", &bucket.block(), &["xyz"]);
    assert_eq!(code, 2);
    assert!(err.contains("invalid character 'x' at position 1"));
}

/// Another end that closes.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_closes_the_pipe_has_read_enough() {
    let bucket = Bucket::new();
    let arguments = ["cat", bucket.block().to_str().unwrap()].map(str::to_owned);
    let mut err = Vec::new();
    let code = run(&arguments, &|_| Err(String::new()), &mut Closed, &mut err);
    assert_eq!((code, err.as_slice()), (0, &b""[..]));
}

#[test]
fn a_bucket_by_flags_of_the_process() {
    let bucket = Bucket::new();
    let root = bucket.folder.path().to_owned();
    let connect = move |flags: &[String]| -> Result<Box<dyn Source>, String> {
        match flags {
            [flag] if flag == "-config.file=a.yaml" => Ok(Box::new(Folder::new(&root))),
            flags => Err(format!("unexpected flags {flags:?}")),
        }
    };
    let run = |line: &str| {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        run_with(&arguments, &connect)
    };
    assert_eq!(run("-config.file=a.yaml list").0, 0);
    assert_eq!(run("list team -config.file=a.yaml").0, 0);
    assert_eq!(
        run(&format!("-config.file=a.yaml verify team {BLOCK}")).0,
        0
    );
    assert_eq!(
        run(&format!("-config.file=a.yaml cat team {BLOCK} {TRACE}")).0,
        0
    );
    for (line, expected) in [
        (
            format!("-target=all inspect team {BLOCK}"),
            "unexpected flags [\"-target=all\"]\n".to_owned(),
        ),
        (
            format!("-config.file=a.yaml inspect other {BLOCK}"),
            format!(
                "other/{BLOCK}/meta.json: there is no such object, and no meta.compacted.json either\n"
            ),
        ),
        (
            "-config.file=a.yaml inspect team".to_owned(),
            "a tenant and a block id are needed, in that order\n".to_owned(),
        ),
        (
            "-config.file=a.yaml inspect ../x a".to_owned(),
            "../x: tenant name \"../x\" has the character '/'\n".to_owned(),
        ),
    ] {
        let (code, out, err) = run(&line);
        assert_eq!((code, out.as_str(), err), (2, "", expected), "{line}");
    }
}

#[test]
fn wrong_command_lines() {
    let run = |line: &str| {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        run_with(&arguments, &|_| Err("no bucket".to_owned()))
    };
    for line in [
        "",
        "unknown",
        "verify",
        "list a b c",
        "list",
        "inspect /nowhere",
        "inspect /",
        "cat / a b",
    ] {
        let (code, out, err) = run(line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}");
        assert!(!err.is_empty(), "{line}");
    }
    let (_, _, err) = run("inspect /nowhere");
    assert!(err.starts_with("/nowhere: No such file"), "{err}");
    for line in ["--help", "-help", "verify --help", "list -h"] {
        let (code, out, err) = run(line);
        assert_eq!((code, err.as_str()), (0, ""), "{line}");
        assert!(out.contains("Usage: vivace block"), "{line}");
    }
}

#[test]
fn a_folder_is_listed_as_a_bucket() {
    let bucket = Bucket::new();
    let folder = Folder::new(bucket.folder.path());
    std::fs::write(bucket.folder.path().join("work.json"), "{}").unwrap();
    std::fs::create_dir(bucket.folder.path().join("team/no-block")).unwrap();
    std::fs::create_dir(
        bucket
            .folder
            .path()
            .join("team/00000000-0000-0000-0000-000000000000"),
    )
    .unwrap();
    assert_eq!(folder.tenants().unwrap(), ["team"]);
    let listed = ListedBlock {
        id: BLOCK.parse().unwrap(),
        compacted: false,
    };
    assert_eq!(folder.blocks("team").unwrap(), [listed]);
    let error: SourceError = folder.blocks("nobody").unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
    let key = format!("team/{BLOCK}/index");
    assert_eq!(folder.read_range(&key, 1..4).unwrap(), "\"ro");
    assert_eq!(folder.read_range(&key, 1000..1004).unwrap(), "");
    assert_eq!(folder.read("team/none").unwrap(), None);
}
