//! Where io_uring is refused, the runtime says so and runs on epoll.

use std::process::Command;
use std::sync::{Arc, Mutex};

use vivace_shards::runtime::{self, Config, DriverChoice};
use vivace_shards::time::sleep;
use vivace_shards::{driver_name, testing};

/// Set for the child process in which io_uring is refused.
const CHILD: &str = "VIVACE_TEST_REFUSE_IO_URING";

fn driver_of(driver: DriverChoice) -> Result<String, runtime::Error> {
    let name = Arc::new(Mutex::new(String::new()));
    let out = name.clone();
    let config = Config {
        shards: 2,
        driver,
        ..Config::default()
    };
    runtime::run(config, move || {
        let out = out.clone();
        async move {
            sleep(std::time::Duration::from_millis(1)).await;
            *out.lock().unwrap() = driver_name().to_owned();
            Ok(())
        }
    })?;
    let name = name.lock().unwrap().clone();
    Ok(name)
}

/// Runs in the child only.
#[test]
fn in_the_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    testing::refuse_io_uring().unwrap();
    assert_eq!(driver_of(DriverChoice::Auto).unwrap(), "epoll");
    let refused = driver_of(DriverChoice::Uring).unwrap_err();
    assert!(matches!(refused, runtime::Error::Start { .. }), "{refused}");
    println!("the child has fallen back");
}

#[test]
fn a_process_without_io_uring_runs_on_epoll() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_the_child", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(said.contains("the child has fallen back"), "{said}");
}
