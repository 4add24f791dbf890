//! One writer at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Abilities, body, generations, read, text};
use crate::ports::{Created, Generation, Objects, PortError, Replaced};

/// Bodies in any pieces, from none to many megabytes.
pub async fn what_was_written_is_read(objects: &Arc<dyn Objects>) {
    let large: Vec<u8> = (0..8_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let large_pieces = large.chunks(70_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let cases = [
        ("whole/empty", Vec::new(), Vec::new()),
        ("whole/empty-piece", vec![Ok(Bytes::new())], Vec::new()),
        (
            "whole/bytes.bin",
            vec![Ok(Bytes::from_static(&[0, 255])), Ok(Bytes::from_static(b"\n"))],
            vec![0, 255, b'\n'],
        ),
        ("whole/large", large_pieces, large),
    ];
    for (key, pieces, expected) in cases {
        let Created::New(generation) = objects.create(key, body(pieces)).await.unwrap() else {
            panic!("{key} was not there before")
        };
        let (read_generation, bytes) = read(objects, key).await.expect("it is there");
        assert_eq!(read_generation, generation, "{key}");
        assert!(bytes == expected, "{key}: its bytes changed");
        let listed = objects.list(key).await.unwrap();
        assert!(listed.iter().any(|o| o.key == key && o.size == expected.len() as u64 && o.generation == generation));
    }
}

/// Whatever the second creator brings.
pub async fn create_leaves_what_exists_alone(objects: &Arc<dyn Objects>) {
    let first = objects.create_bytes("once/k", "first").await.unwrap();
    assert!(matches!(first, Created::New(_)));
    let before = read(objects, "once/k").await;
    assert_eq!(objects.create_bytes("once/k", "second").await.unwrap(), Created::Existed);
    assert_eq!(read(objects, "once/k").await, before);
}

/// And hinders nobody from writing it afterwards.
pub async fn a_body_that_fails_stores_nothing(objects: &Arc<dyn Objects>) {
    let cut = || Err(std::io::Error::other("the source broke off"));
    for pieces in [vec![cut()], vec![Ok(Bytes::from(vec![1; 1_000_000])), cut()]] {
        let error = objects.create("cut/k", body(pieces)).await.unwrap_err();
        assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
        assert!(objects.read("cut/k").await.unwrap().is_none());
        assert_eq!(objects.list("cut/").await.unwrap(), []);
    }
    assert!(matches!(objects.create_bytes("cut/k", "whole").await.unwrap(), Created::New(_)));
    assert_eq!(text(objects, "cut/k").await.as_deref(), Some("whole"));
}

/// None stands for absent.
pub async fn replace_if_writes_only_over_the_expected_version(objects: &Arc<dyn Objects>) {
    let key = "swap/k";
    let put = async |expected, text: &'static str| {
        objects.replace_if(key, expected, Bytes::from_static(text.as_bytes())).await.unwrap()
    };
    assert_eq!(put(Some(Generation(1)), "absent").await, Replaced::LostRace);
    let Replaced::Done(first) = put(None, "one").await else { panic!("it was absent") };
    assert_eq!(put(None, "again").await, Replaced::LostRace);
    let Replaced::Done(second) = put(Some(first), "two").await else { panic!("{first:?} was the version") };
    assert_eq!(put(Some(first), "late").await, Replaced::LostRace);
    assert_eq!(read(objects, key).await, Some((second, b"two".to_vec())));
    assert_eq!(generations(objects, key).await.get(key), Some(&second));
    objects.delete(key).await.unwrap();
    assert_eq!(put(Some(second), "deleted").await, Replaced::LostRace);
    assert_eq!(text(objects, key).await, None);
}

/// Over replacing, deleting and creating again, also of the same bytes.
pub async fn a_generation_never_comes_back(objects: &Arc<dyn Objects>) {
    let mut seen = BTreeSet::new();
    for _ in 0..30 {
        let Created::New(created) = objects.create_bytes("versions/k", "same").await.unwrap() else {
            panic!("it was deleted")
        };
        assert!(seen.insert(created), "{created:?} came back");
        let replaced = objects.replace_if("versions/k", Some(created), Bytes::from_static(b"same")).await.unwrap();
        let Replaced::Done(replaced) = replaced else { panic!("nobody else wrote") };
        assert!(seen.insert(replaced), "{replaced:?} came back");
        objects.delete("versions/k").await.unwrap();
    }
}

/// Reading says none, listing is empty, deleting is fine.
pub async fn a_missing_object_is_not_an_error(objects: &Arc<dyn Objects>) {
    assert!(objects.read("missing/k").await.unwrap().is_none());
    assert_eq!(objects.list("missing/").await.unwrap(), []);
    objects.delete("missing/k").await.unwrap();
    objects.create_bytes("missing/k", "x").await.unwrap();
    for _ in 0..2 {
        objects.delete("missing/k").await.unwrap();
        assert!(objects.read("missing/k").await.unwrap().is_none());
    }
    assert_eq!(objects.read_bytes("missing/k", 1).await.unwrap(), None);
}

/// By the keys' bytes, for prefixes that end anywhere; each finished write is in it.
pub async fn a_listing_is_sorted_and_complete(objects: &Arc<dyn Objects>) {
    let mut keys = BTreeSet::new();
    for n in 0..40 {
        for key in [format!("list/a/{n}"), format!("list/a-{n}.x"), format!("list/b/{}/c/{n}.gz", n % 3)] {
            objects.create_bytes(&key, "x").await.unwrap();
            assert!(generations(objects, &key).await.contains_key(&key), "{key} is listed once it is written");
            keys.insert(key);
        }
    }
    for prefix in
        ["list/", "list/a", "list/a/", "list/a/1", "list/a-3", "list/b/1/", "list/b/1/c/1", "list/none", "list/a/1/"]
    {
        let listed: Vec<String> = objects.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect();
        let expected: Vec<String> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
        assert_eq!(listed, expected, "prefix {prefix:?}");
    }
    objects.delete("list/a/1").await.unwrap();
    assert!(!generations(objects, "list/").await.contains_key("list/a/1"));
    for nothing in ["../", "list/../list/", "/", "list//"] {
        assert_eq!(objects.list(nothing).await.unwrap(), [], "prefix {nothing:?}");
    }
}

/// Long, foreign, or like something a file system or a shell would mind.
pub async fn odd_keys_are_keys(objects: &Arc<dyn Objects>, abilities: Abilities) {
    let (long, foreign) = (format!("odd/{}", "l".repeat(1020)), format!("odd/{}", "猫".repeat(340)));
    let mut keys = vec![
        long.as_str(),
        foreign.as_str(),
        "odd/...",
        "odd/.hidden",
        "odd/%2e",
        "odd/a b",
        "odd/a\\b",
        "odd/'\"$(x)`;*?[#]!&|<>",
        "odd/con",
        "odd/-rf",
        "odd/a%f",
        "odd/a%d",
        "odd/a.b",
        "odd/a:b",
    ];
    if abilities.object_under_object {
        keys.extend(["odd/n", "odd/n/m", "odd/n/m/o", "odd/n.x", "odd/n.x/m.y"]);
    }
    if abilities.exact_keys {
        keys.extend(["odd/Case", "odd/case", "odd/CASE", "odd/\u{e9}", "odd/e\u{301}"]);
    }
    for key in &keys {
        let created = objects.create_bytes(key, (*key).to_owned()).await.unwrap();
        assert!(matches!(created, Created::New(_)), "{key:?} is a key of its own");
    }
    for key in &keys {
        assert_eq!(text(objects, key).await.as_deref(), Some(*key));
    }
    let listed: Vec<String> = objects.list("odd/").await.unwrap().into_iter().map(|object| object.key).collect();
    keys.sort_unstable();
    assert_eq!(listed, keys);
}

/// By every call.
pub async fn what_is_no_key_is_refused(objects: &Arc<dyn Objects>) {
    let long = "k".repeat(1025);
    for bad in ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/./b", "a\nb", "a\0b", "a\u{7f}", &long] {
        let refused = [
            objects.create_bytes(bad, "x").await.map(drop),
            objects.replace_if(bad, None, Bytes::from_static(b"x")).await.map(drop),
            objects.read(bad).await.map(drop),
            objects.delete(bad).await,
        ];
        for outcome in refused {
            assert!(matches!(outcome, Err(PortError::NeverWill { .. })), "{bad:?}: {outcome:?}");
        }
    }
}

/// Readiness: an open store answers.
pub async fn the_store_answers(objects: &Arc<dyn Objects>) {
    objects.ping().await.unwrap();
}
