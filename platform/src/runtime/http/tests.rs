use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::layers::scripted::{ScriptedBroker, ScriptedObjects};

struct Serving {
    server: HttpServer,
    broker: ScriptedBroker,
    monitor: Monitor,
    shutdown: Shutdown,
}

async fn serve() -> Serving {
    let (broker, monitor, shutdown) = (ScriptedBroker::default(), Monitor::default(), Shutdown::new());
    let ports = Ports::new(Arc::new(broker.clone()), Arc::new(ScriptedObjects::default()));
    let server = serve_http("127.0.0.1:0".parse().unwrap(), &monitor, &ports, &shutdown).await.unwrap();
    Serving { server, broker, monitor, shutdown }
}

impl Serving {
    /// Status and body of a GET.
    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

#[tokio::test]
async fn ready_means_that_ports_answer_and_deliveries_are_taken() {
    let serving = serve().await;
    let pulse = serving.monitor.add_loop("loader/row-batches--loader".to_owned());
    serving.broker.hangs.store(true, Ordering::SeqCst);
    let (status, body) = serving.get("/readyz").await;
    let connecting = "consumer loader/row-batches--loader: connecting\n";
    assert!(status == 503 && body.starts_with(connecting) && body.contains("broker: "), "{status} {body}");
    serving.broker.hangs.store(false, Ordering::SeqCst);
    assert_eq!(serving.get("/readyz").await, (503, connecting.to_owned()));
    pulse.receiving();
    assert_eq!(serving.get("/readyz").await.0, 200);
    serving.server.close().await;
}

#[tokio::test]
async fn a_draining_process_is_alive_but_not_ready() {
    let serving = serve().await;
    assert_eq!(serving.get("/readyz").await.0, 200);
    serving.shutdown.trigger();
    assert_eq!(serving.get("/readyz").await, (503, "draining\n".to_owned()));
    assert_eq!(serving.get("/healthz").await.0, 200);
    serving.server.close().await;
}

#[tokio::test]
async fn a_loop_that_ended_by_itself_is_unhealthy() {
    let serving = serve().await;
    drop(serving.monitor.add_loop("loader/row-batches--loader".to_owned()));
    assert_eq!(serving.get("/healthz").await, (503, "consumer loader/row-batches--loader: dead\n".to_owned()));
    serving.server.close().await;
}

#[tokio::test]
async fn metrics_of_stages_are_shown_in_openmetrics_text() {
    let serving = serve().await;
    serving.monitor.metrics().gauges("podledger_open_episodes", "Open.").set(&[("rule", "over-limit")], 2.0);
    let (status, body) = serving.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("podledger_open_episodes{rule=\"over-limit\"} 2.0"), "{body}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    serving.server.close().await;
}
