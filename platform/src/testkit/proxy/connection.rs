//! One connection through the proxy.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, watch};

use super::requests::{Piece, Requests};
use super::{Answer, Counters, Fault, Weather, count};

/// Bytes read at once; a chunk.
const CHUNK_BYTES: usize = 16 * 1024;
/// Pieces a second in which throttled answers come.
const PIECES_PER_SECOND: u64 = 20;

/// Why a connection ends before its ends close it.
enum Ended {
    /// The fault closed it.
    Cut,
    /// One end broke it, or the proxy went.
    Broken,
}

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self::Broken
    }
}

pub(super) struct Connection {
    server: Arc<str>,
    weather: watch::Receiver<Weather>,
    counters: Arc<Counters>,
    /// How often everything was cut before it began.
    born: u64,
}

impl Connection {
    pub(super) fn new(server: Arc<str>, weather: watch::Receiver<Weather>, counters: Arc<Counters>) -> Self {
        let born = weather.borrow().cuts;
        Self { server, weather, counters, born }
    }

    /// Passes bytes in both directions until an end closes or the fault does.
    pub(super) async fn run(self, client: TcpStream) {
        let ended = tokio::select! {
            ended = until_told(self.weather.clone(), self.born) => Err(ended),
            ended = self.pass(client) => ended,
        };
        if let Err(Ended::Cut) = ended {
            count(&self.counters.cut, 1);
        }
    }

    async fn pass(&self, client: TcpStream) -> Result<(), Ended> {
        let mut weather = self.weather.clone();
        while stands_still(&weather.borrow_and_update().fault, Direction::Up) {
            count(&self.counters.stood_still, 1);
            changed(&mut weather).await?;
        }
        let server = TcpStream::connect(&*self.server).await.inspect_err(|_| count(&self.counters.unreachable, 1))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
        // Whoever has something for the client: the server's answers, and ours.
        let client_out = Arc::new(Mutex::new(client_out));
        let counters = &self.counters;
        let up = Up { server_out, client_out: Arc::clone(&client_out), weather: weather.clone(), counters };
        let since = weather.borrow().since;
        let down = Down { client_out, since, passed: 0, weather, counters };
        tokio::try_join!(up.pump(client_in), down.pump(server_in)).map(drop)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

fn stands_still(fault: &Fault, direction: Direction) -> bool {
    match fault {
        Fault::Hang => true,
        Fault::Mute => direction == Direction::Down,
        _ => false,
    }
}

/// Waits for other weather; it may be the same again.
async fn changed(weather: &mut watch::Receiver<Weather>) -> Result<(), Ended> {
    weather.changed().await.map_err(|_| Ended::Broken)
}

/// Ends when the proxy refuses or cuts everything, or goes.
async fn until_told(mut weather: watch::Receiver<Weather>, born: u64) -> Ended {
    let told = |weather: &Weather| weather.cuts != born || weather.fault == Fault::Refuse;
    match weather.wait_for(told).await {
        Ok(_) => Ended::Cut,
        Err(_) => Ended::Broken,
    }
}

/// From the client to the server.
struct Up<'a> {
    server_out: OwnedWriteHalf,
    client_out: Arc<Mutex<OwnedWriteHalf>>,
    weather: watch::Receiver<Weather>,
    counters: &'a Counters,
}

impl Up<'_> {
    async fn pump(mut self, mut client_in: OwnedReadHalf) -> Result<(), Ended> {
        let (mut requests, mut answering, mut chunk) = (Requests::new(), None, vec![0; CHUNK_BYTES]);
        loop {
            let read = client_in.read(&mut chunk).await?;
            while stands_still(&self.weather.borrow_and_update().fault, Direction::Up) {
                count(&self.counters.stood_still, 1);
                changed(&mut self.weather).await?;
            }
            let mut bytes = chunk.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                self.send(&requests.unfinished()).await?;
                return Ok(self.server_out.shutdown().await?);
            }
            while let Some(piece) = requests.next(&mut bytes) {
                match piece {
                    Piece::Opaque(bytes) => self.send(&bytes).await?,
                    Piece::Head { first_line, bytes, ends } => {
                        answering = self.answer_to(&first_line, &bytes);
                        match &answering {
                            Some(answer) if ends => self.answer(answer, &first_line).await?,
                            Some(_) => {}
                            None => {
                                count(&self.counters.requests, 1);
                                self.send(&bytes).await?;
                            }
                        }
                        answering = answering.filter(|_| !ends);
                    }
                    Piece::Body { bytes, ends } => match &answering {
                        None => self.send(bytes).await?,
                        // Answered once all of it is here, since clients write before they read.
                        Some(answer) if ends => {
                            self.answer(answer, "").await?;
                            answering = None;
                        }
                        Some(_) => {}
                    },
                }
            }
        }
    }

    /// What this request gets instead of being passed on, if it is one that does.
    fn answer_to(&self, first_line: &str, head: &[u8]) -> Option<Answer> {
        let weather = self.weather.borrow();
        match &weather.fault {
            Fault::Answer(answer) if answer.is_for(first_line, head) && weather.strikes() => Some(answer.clone()),
            _ => None,
        }
    }

    async fn answer(&self, answer: &Answer, first_line: &str) -> Result<(), Ended> {
        let Answer { status, retry_after, body, .. } = answer;
        let retry_after = retry_after.map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
        let body = if first_line.starts_with("HEAD ") { "" } else { body };
        let text = format!(
            "HTTP/1.1 {status} Injected\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry_after}\r\n{body}",
            body.len()
        );
        count(&self.counters.answered, 1);
        Ok(self.client_out.lock().await.write_all(text.as_bytes()).await?)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.server_out.write_all(bytes).await?;
        count(&self.counters.bytes_up, bytes.len() as u64);
        Ok(())
    }
}

/// From the server to the client.
struct Down<'a> {
    client_out: Arc<Mutex<OwnedWriteHalf>>,
    weather: watch::Receiver<Weather>,
    /// The fault that [`Down::passed`] is counted for.
    since: u64,
    /// Bytes that passed under it.
    passed: u64,
    counters: &'a Counters,
}

impl Down<'_> {
    async fn pump(mut self, mut server_in: OwnedReadHalf) -> Result<(), Ended> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = server_in.read(&mut chunk).await?;
            if read == 0 {
                return Ok(self.client_out.lock().await.shutdown().await?);
            }
            self.hand_over(chunk.get(..read).unwrap_or_default()).await?;
        }
    }

    /// Hands a chunk over, as the weather is meanwhile.
    async fn hand_over(&mut self, mut bytes: &[u8]) -> Result<(), Ended> {
        while !bytes.is_empty() {
            let weather = self.weather.borrow_and_update().clone();
            if weather.since != self.since {
                (self.since, self.passed) = (weather.since, 0);
            }
            let now = match &weather.fault {
                Fault::Pass | Fault::Answer(_) => bytes.len(),
                Fault::Delay(delay) => match self.wait(*delay).await? {
                    Waited::Through => {
                        count(&self.counters.delayed, 1);
                        bytes.len()
                    }
                    Waited::Changed => continue,
                },
                Fault::Throttle(per_second) => {
                    let piece = (per_second / PIECES_PER_SECOND).max(1);
                    let takes = Duration::from_secs(1).saturating_mul(u32::try_from(piece).unwrap_or(u32::MAX))
                        / u32::try_from((*per_second).max(1)).unwrap_or(u32::MAX);
                    match self.wait(takes).await? {
                        Waited::Through => {
                            count(&self.counters.throttled, 1);
                            bytes.len().min(usize::try_from(piece).unwrap_or(usize::MAX))
                        }
                        Waited::Changed => continue,
                    }
                }
                Fault::Cut { .. } if weather.is_over() => bytes.len(),
                Fault::Cut { after, .. } => {
                    let left = usize::try_from(after.saturating_sub(self.passed)).unwrap_or(usize::MAX);
                    if left <= bytes.len() && weather.strikes() {
                        self.send(bytes.get(..left).unwrap_or_default()).await?;
                        self.client_out.lock().await.shutdown().await?;
                        return Err(Ended::Cut);
                    }
                    bytes.len()
                }
                Fault::Hang | Fault::Mute => {
                    count(&self.counters.stood_still, 1);
                    changed(&mut self.weather).await?;
                    continue;
                }
                Fault::Refuse => return Err(Ended::Cut),
            };
            let (first, rest) = bytes.split_at_checked(now).unwrap_or((bytes, &[]));
            self.send(first).await?;
            bytes = rest;
        }
        Ok(())
    }

    /// Waits, unless the weather changes before.
    async fn wait(&mut self, time: Duration) -> Result<Waited, Ended> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(Waited::Through),
            outcome = changed(&mut self.weather) => outcome.map(|()| Waited::Changed),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.client_out.lock().await.write_all(bytes).await?;
        self.passed += bytes.len() as u64;
        count(&self.counters.bytes_down, bytes.len() as u64);
        Ok(())
    }
}

enum Waited {
    Through,
    Changed,
}
