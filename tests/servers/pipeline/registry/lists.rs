//! What the bucket says of how documents were listed.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;
use platform::ports::{Kind, Moment, Objects};
use schemas::manifest::{KindManifest, Manifest};

use super::CREDENTIAL;
use crate::story::Round;

/// Holds the lists of all rounds to what every list must be: whole, of one moment between the writes
/// before and those after it, and without credentials. Says for each round how many lists before that
/// one ended in the middle, when some documents were stored already; credentials are in none of them.
pub(crate) async fn broken_off(objects: &dyn Objects, rounds: &[Round]) -> Vec<usize> {
    let mut broken_off = Vec::new();
    for (number, round) in rounds.iter().enumerate() {
        let keys = round.documents_keys();
        let manifest: Manifest = serde_json::from_slice(&read(objects, &keys.manifest()).await).unwrap();
        let documents = &manifest.kinds[Kind::Documents.name()];
        assert!(documents.complete, "{documents:?}");
        assert_eq!(usize::try_from(documents.object_count), Ok(round.documents.collected().count()));
        is_of_its_round(documents, round, rounds.get(number + 1));

        let mut attempts = BTreeSet::new();
        for object in objects.list(&keys.raw_prefix()).await.unwrap() {
            let Some(part) = object.key.strip_prefix(&keys.raw_prefix()).filter(|part| part.ends_with(".gz")) else {
                continue;
            };
            attempts.insert(part.split('/').next().unwrap().to_owned());
            let mut lines = String::new();
            GzDecoder::new(&*read(objects, &object.key).await).read_to_string(&mut lines).unwrap();
            assert!(!lines.contains(CREDENTIAL), "{}: {lines}", object.key);
        }
        broken_off.push(attempts.len() - 1);
    }
    broken_off
}

/// The moment shown is after the round's last write, and not after the next round's first.
fn is_of_its_round(documents: &KindManifest, round: &Round, next: Option<&Round>) {
    let shown = Moment::parse(&documents.resource_version).unwrap();
    let before = *round.documents.written.end();
    assert!(before <= shown, "{shown} is before {before}");
    if let Some(after) = next.map(|next| *next.documents.written.start()) {
        assert!(shown <= after, "{shown} is after {after}");
    }
}

async fn read(objects: &dyn Objects, key: &str) -> Vec<u8> {
    let (_, bytes) = objects.read_bytes(key, u64::MAX).await.unwrap().unwrap_or_else(|| panic!("no {key}"));
    bytes.to_vec()
}
