use std::time::Duration;

use super::*;

#[test]
fn names_go_out_as_given_and_asking_again_gives_the_same_metric() {
    let labels = ["tenant", "transport"];
    let accepted = || counter_vec("tempo_receiver_accepted_spans", "Spans.", &labels);
    accepted().with_label_values(&["a\"b", "grpc"]).inc_by(3);
    accepted().with_label_values(&["a\"b", "grpc"]).inc();
    gauge("test_gauge", "A gauge.").set(-5);
    float_counter("test_seconds_total", "Seconds.").inc_by(0.5);
    histogram("test_histogram", "H.", &[1.0, 2.0]).observe(1.5);
    let text = render();
    for line in [
        "# HELP tempo_receiver_accepted_spans Spans.",
        "# TYPE tempo_receiver_accepted_spans counter",
        r#"tempo_receiver_accepted_spans{tenant="a\"b",transport="grpc"} 4"#,
        "test_gauge -5",
        "test_seconds_total 0.5",
        r#"test_histogram_bucket{le="1"} 0"#,
        r#"test_histogram_bucket{le="2"} 1"#,
        r#"test_histogram_bucket{le="+Inf"} 1"#,
        "test_histogram_sum 1.5",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
}

#[test]
fn a_mistaken_reuse_of_a_name_counts_but_is_not_exported() {
    counter("test_taken", "First.").inc();
    gauge("test_taken", "Second.").set(9);
    histogram("test_taken", "Third.", &[1.0]).observe(0.1);
    counter_vec("test_taken", "Fourth.", &["x"])
        .with_label_values(&["v"])
        .inc();
    counter("not a name", "Fifth.").inc();
    gauge_vec("test_bad_label", "Sixth.", &["not a label"])
        .with_label_values(&["v"])
        .inc();
    let text = render();
    let lines: Vec<&str> = text.lines().filter(|l| l.contains("test_taken")).collect();
    assert_eq!(
        lines,
        [
            "# HELP test_taken First.",
            "# TYPE test_taken counter",
            "test_taken 1"
        ]
    );
    assert!(!text.contains("vivace_detached") && !text.contains("not a"));
}

#[test]
fn process_metrics_are_plausible() {
    let text = render();
    let value = |name: &str| -> f64 {
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} in {text}"))
            .parse()
            .unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 100_000.0);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    assert!(value("process_cpu_seconds_total") >= 0.0);
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs_f64();
    let age = now - value("process_start_time_seconds");
    assert!((-2.0..3600.0).contains(&age), "{age}");
}

#[test]
fn what_a_recorder_counts_last_is_not_lost_to_a_render() {
    const ROUNDS: usize = 500;
    for _ in 0..ROUNDS {
        let recorder = local_histogram("test_last_count", "L.", &[], Unit::Plain, &[10.0]);
        let ending = std::thread::spawn(move || {
            recorder.record(1);
            drop(recorder);
        });
        while !ending.is_finished() {
            assert!(quantiles("test_last_count", &[0.5]).is_none_or(|values| values[0] == 1.0));
        }
        ending.join().unwrap();
    }
    let line = format!("test_last_count_count {ROUNDS}");
    let text = render();
    let found = text
        .lines()
        .find(|l| l.starts_with("test_last_count_count"));
    assert_eq!(found, Some(&*line));
}

#[test]
fn recorders_of_all_threads_are_merged_and_outlive_their_threads() {
    let new = |op: &str| {
        let labels = [("op", op)];
        local_histogram(
            "test_local_seconds",
            "L.",
            &labels,
            Unit::Seconds,
            &[0.001, 0.01],
        )
    };
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let recorder = new("read");
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    recorder.record_duration(Duration::from_micros(500));
                    recorder.record_duration(Duration::from_millis(5));
                }
                recorder.record(u64::MAX);
            })
        })
        .collect();
    let kept = new("write");
    kept.record_duration(Duration::from_millis(20));
    // Rendering meanwhile must neither lose nor double anything.
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        render();
    }
    for thread in threads {
        thread.join().unwrap();
    }
    for _ in 0..2 {
        let text = render();
        for line in [
            r#"test_local_seconds_bucket{op="read",le="0.001"} 4000"#,
            r#"test_local_seconds_bucket{op="read",le="0.01"} 8000"#,
            r#"test_local_seconds_bucket{op="read",le="+Inf"} 8004"#,
            r#"test_local_seconds_count{op="read"} 8004"#,
            r#"test_local_seconds_count{op="write"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
    let values = quantiles("test_local_seconds", &[0.25, 0.75]).unwrap();
    assert!((values[0] / 0.0005 - 1.0).abs() < 0.02, "{values:?}");
    assert!((values[1] / 0.005 - 1.0).abs() < 0.02, "{values:?}");
    assert!(quantiles("test_never_recorded", &[0.5]).is_none());
}
