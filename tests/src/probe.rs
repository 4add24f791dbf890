//! Asks a running process over HTTP what a platform's probes ask.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binaries::{PATIENCE, Process};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Waits until a process says where it serves health and metrics; its log must be JSON.
pub fn address(process: &mut Process) -> SocketAddr {
    until(process, "says where it serves health", |process| {
        let printed = process.printed();
        printed.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "serving health and metrics").then(|| line["address"].as_str()?.parse().ok()).flatten()
        })
    })
}

/// Waits until a process says that it is ready.
pub fn until_ready(process: &mut Process) -> SocketAddr {
    let address = address(process);
    until(process, "is ready", |_| get(address, "/readyz").filter(|(status, _)| *status == 200));
    address
}

/// Status and body of a GET; none while nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER).ok()?;
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Some((status, body))
}

/// Waits until a condition on a process gives something, for as long as the process lives and
/// patience lasts.
fn until<T>(process: &mut Process, what: &str, mut condition: impl FnMut(&mut Process) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = condition(process) {
            return found;
        }
        if let Some(status) = process.ended() {
            panic!("{} ended with {status} before it {what}: {}", process.name, process.printed());
        }
        assert!(started.elapsed() < PATIENCE, "{} never {what}: {}", process.name, process.printed());
        std::thread::sleep(LOOK_EVERY);
    }
}
