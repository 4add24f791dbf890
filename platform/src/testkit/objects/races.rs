//! Several writers at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;

use super::{generations, read, text};
use crate::ports::{Created, Objects, Replaced};

/// Creators that race for one key, over and over.
const RACES: usize = 200;
/// Tasks that race.
const RACERS: usize = 4;

/// One is told that it is new, all others that it existed, and its bytes stay.
pub async fn of_racing_creators_one_wins(objects: &Arc<dyn Objects>) {
    for race in 0..RACES {
        let key = format!("race/{race}");
        let creators = (0..2).map(|creator| {
            let (objects, key) = (Arc::clone(objects), key.clone());
            tokio::spawn(async move { objects.create_bytes(&key, format!("creator {creator}")).await.unwrap() })
        });
        let outcomes: Vec<Created> = join_all(creators).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<usize> = (0..2).filter(|n| matches!(outcomes[*n], Created::New(_))).collect();
        assert_eq!(winners.len(), 1, "race {race}: {outcomes:?}");
        assert_eq!(text(objects, &key).await, Some(format!("creator {}", winners[0])), "race {race}");
        let (generation, _) = read(objects, &key).await.expect("it is there");
        assert_eq!(outcomes[winners[0]], Created::New(generation), "race {race}");
    }
}

/// Two replace the same version: one is told that it is done and its bytes stay, the other that it
/// lost. The version raced for is absence every other time.
pub async fn of_racing_replacers_one_wins(objects: &Arc<dyn Objects>) {
    for race in 0..RACES {
        let key = format!("swap/{race}");
        let expected = match race % 2 {
            0 => None,
            _ => match objects.create_bytes(&key, "before").await.unwrap() {
                Created::New(generation) => Some(generation),
                Created::Existed => panic!("race {race}: nobody wrote it"),
            },
        };
        let replacers = (0..2).map(|replacer| {
            let (objects, key) = (Arc::clone(objects), key.clone());
            let body = Bytes::from(format!("replacer {replacer}"));
            tokio::spawn(async move { objects.replace_if(&key, expected, body).await.unwrap() })
        });
        let outcomes: Vec<Replaced> = join_all(replacers).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<usize> = (0..2).filter(|n| matches!(outcomes[*n], Replaced::Done(_))).collect();
        assert_eq!(winners.len(), 1, "race {race}: {outcomes:?}");
        let (generation, bytes) = read(objects, &key).await.expect("it is there");
        assert_eq!(bytes, format!("replacer {}", winners[0]).into_bytes(), "race {race}");
        assert_eq!(outcomes[winners[0]], Replaced::Done(generation), "race {race}");
    }
}

/// Tasks count one number up; each waits for its turn by reading again when it lost.
pub async fn racing_replacers_lose_no_update(objects: &Arc<dyn Objects>) {
    const UPDATES: usize = 25;
    let key = "counter";
    let tasks = (0..RACERS).map(|_| {
        let objects = Arc::clone(objects);
        tokio::spawn(async move {
            let mut written = Vec::new();
            while written.len() < UPDATES {
                let current = read(&objects, key).await;
                let number: usize = match &current {
                    Some((_, bytes)) => std::str::from_utf8(bytes).unwrap().parse().unwrap(),
                    None => 0,
                };
                let expected = current.map(|(generation, _)| generation);
                let next = Bytes::from((number + 1).to_string());
                if let Replaced::Done(generation) = objects.replace_if(key, expected, next).await.unwrap() {
                    written.push(generation);
                }
            }
            written
        })
    });
    let written: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(text(objects, key).await, Some((RACERS * UPDATES).to_string()));
    assert_eq!(written.iter().collect::<BTreeSet<_>>().len(), RACERS * UPDATES, "each version has its own generation");
}

/// While it is replaced all the time, a reader sees one version's bytes under that version's
/// generation, and the listing always has the object.
pub async fn a_reader_sees_a_whole_version(objects: &Arc<dyn Objects>) {
    const VERSIONS: usize = 40;
    const BYTES: usize = 300_000;
    let version = |n: usize| Bytes::from(vec![u8::try_from(n % 251).unwrap(); BYTES + n]);
    let Replaced::Done(mut current) = objects.replace_if("whole", None, version(0)).await.unwrap() else {
        panic!("it was absent")
    };
    let writer = {
        let objects = Arc::clone(objects);
        tokio::spawn(async move {
            for n in 1..=VERSIONS {
                let Replaced::Done(next) = objects.replace_if("whole", Some(current), version(n)).await.unwrap() else {
                    panic!("nobody else writes")
                };
                current = next;
            }
            current
        })
    };
    let mut reads = 0;
    while !writer.is_finished() || reads == 0 {
        let (_, bytes) = read(objects, "whole").await.expect("it is always there");
        let n = bytes.len().checked_sub(BYTES).expect("no version is shorter");
        assert!(bytes == version(n), "version {n} is whole");
        assert!(generations(objects, "whole").await.contains_key("whole"), "it is always listed");
        reads += 1;
    }
    assert_eq!(read(objects, "whole").await, Some((writer.await.unwrap(), version(VERSIONS).to_vec())));
}

/// A replacer that expects a version which was deleted meanwhile never brings the object back, and
/// no two versions share a generation, whoever made them.
pub async fn racing_deletes_and_creates_never_revive_a_version(objects: &Arc<dyn Objects>) {
    const ROUNDS: usize = 40;
    let mut seen = BTreeSet::new();
    for round in 0..ROUNDS {
        let Created::New(created) = objects.create_bytes("fate", "born").await.unwrap() else {
            panic!("round {round}: it was deleted")
        };
        assert!(seen.insert(created), "{created:?} came back");
        let (replacer, deleter) = (Arc::clone(objects), Arc::clone(objects));
        let replaced =
            tokio::spawn(async move { replacer.replace_if("fate", Some(created), Bytes::from_static(b"new")).await });
        let deleted = tokio::spawn(async move { deleter.delete("fate").await });
        let (replaced, deleted) = (replaced.await.unwrap().unwrap(), deleted.await.unwrap());
        deleted.unwrap();
        if let Replaced::Done(generation) = replaced {
            assert!(seen.insert(generation), "{generation:?} came back");
        }
        // Either order leaves nothing: replaced then deleted, or deleted and the race lost.
        assert_eq!(text(objects, "fate").await, None, "round {round}: {replaced:?}");
    }
}
