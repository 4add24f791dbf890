//! Writers that race while their connections break: no update is lost, none is made twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use podledger_platform::ports::{Generation, Objects, PortError, Replaced};
use podledger_platform::testkit::proxy::Fault;

use super::world::{PATIENCE, behind_a_proxy, content, retried, start};

/// Each writer adds so many lines.
const LINES: usize = 40;
const WRITERS: usize = 3;
/// After so many requests one answer is lost.
const REQUESTS_PER_LOSS: u64 = 12;
const KEY: &str = "journal";

/// Adds a line of its own to the object, as a stage keeps a state: read, change, swap; after a doubt
/// it looks whether its line is there.
async fn add(objects: &Arc<dyn Objects>, line: &str) -> usize {
    let mut doubts = 0;
    loop {
        let found: Option<(Generation, Bytes)> = match objects.read_bytes(KEY, 1 << 20).await {
            // A body that broke off is read on in the same version, which another writer may have replaced.
            Err(PortError::DidNotHappen { .. }) => continue,
            found => found.unwrap(),
        };
        let (generation, text) = match &found {
            Some((generation, bytes)) => (Some(*generation), std::str::from_utf8(bytes).unwrap()),
            None => (None, ""),
        };
        if text.lines().any(|there| there == line) {
            return doubts;
        }
        match objects.replace_if(KEY, generation, format!("{text}{line}\n").into()).await {
            Ok(Replaced::Done(_)) => return doubts,
            Ok(Replaced::LostRace) => {}
            Err(PortError::MayHaveHappened { .. }) => doubts += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_writers_whose_answers_are_lost_write_every_line_once() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "races").await;
    let objects = retried(&objects);
    let writers = (0..WRITERS).map(|writer| {
        let objects = Arc::clone(&objects);
        tokio::spawn(async move {
            let mut doubts = 0;
            for number in 0..LINES {
                doubts += add(&objects, &format!("{writer}/{number}")).await;
            }
            doubts
        })
    });
    let writing = futures::future::join_all(writers);
    tokio::pin!(writing);
    let doubts: usize = loop {
        // Now and then an answer is lost, after the effect: all of it or its end.
        let before = proxy.counts();
        let lose = async {
            proxy.until(|now| now.requests >= before.requests + REQUESTS_PER_LOSS).await;
            proxy.set(Fault::Cut { after: (before.cut % 3) * 150, times: 1 }).await;
            proxy.until(|now| now.cut > before.cut).await;
        };
        tokio::select! {
            written = tokio::time::timeout(PATIENCE, &mut writing) => {
                break written.expect("they end").into_iter().map(Result::unwrap).sum();
            }
            () = lose => {}
        }
    };
    let journal = content(&server, "races", KEY).await.unwrap();
    let mut times = BTreeMap::new();
    for line in std::str::from_utf8(&journal).unwrap().lines() {
        *times.entry(line).or_insert(0) += 1;
    }
    assert_eq!(times.len(), WRITERS * LINES, "none is lost");
    assert!(times.values().all(|times| *times == 1), "none is doubled: {times:?}");
    assert!(doubts > 0 && proxy.counts().cut > 0, "the fault struck: {:?}", proxy.counts());
}
