use std::io::Write as _;

use futures::TryStreamExt as _;

use super::*;
use crate::ports::{Document, DocumentValue, MAX_DOCUMENT_DEPTH, Moment, WireDocument};

const ROOT: &str = "projects/p/databases/(default)/documents";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

async fn pages(folder: &Path, collections: &[&str]) -> Vec<DocumentPage> {
    let collections: Vec<CollectionId> = collections.iter().map(|id| id.parse().unwrap()).collect();
    let listed = DumpDocuments::open(folder).unwrap().list(&collections).await.unwrap();
    listed.try_collect().await.unwrap()
}

fn documents(pages: &[DocumentPage]) -> Vec<Document> {
    let json = |object: &RawObject| match object {
        RawObject::Json(json) => WireDocument::read(std::str::from_utf8(json).unwrap()).unwrap().document().unwrap(),
        RawObject::Unreadable { place, reason } => panic!("{place}: {reason}"),
    };
    pages.iter().flat_map(|page| &page.documents).map(json).collect()
}

fn paths(pages: &[DocumentPage]) -> Vec<String> {
    documents(pages).iter().map(|document| document.name.path().to_owned()).collect()
}

fn unreadable(pages: &[DocumentPage]) -> Vec<String> {
    let reasons = pages.iter().flat_map(|page| &page.documents).filter_map(|object| match object {
        RawObject::Unreadable { place, reason } => Some(format!("{place}: {reason}")),
        RawObject::Json(_) => None,
    });
    reasons.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn every_form_of_file_is_read() {
    let wire = |path: &str| format!(r#"{{"name":"{ROOT}/{path}","data":{{}}}}"#);
    let rest = |path: &str| format!(r#"{{"name":"{ROOT}/{path}","fields":{{}}}}"#);
    let compressed = gzip(format!("{}\n\n{}", wire("apis/a"), rest("apis/b")).as_bytes());
    let list = format!(r#"{{"documents":[{},{}],"nextPageToken":"x"}}"#, rest("apis/c"), wire("other/c"));
    let answer = format!(r#"[{{"document":{},"readTime":"x"}},{{"readTime":"x"}}]"#, rest("teams/t/apis/d"));
    let pretty = format!("{}\n\n  {}", wire("apis/e"), wire("apis/f")).replace(',', ",\n  ");
    let folder = folder(&[
        ("1.ndjson.gz", &compressed),
        ("2.json", list.as_bytes()),
        ("3/answer.json", answer.as_bytes()),
        ("4.json", pretty.as_bytes()),
        ("5.jsonl", b""),
        ("readme.txt", b"not looked at"),
        (".hidden.json", b"nor this"),
    ]);
    let listed = pages(folder.path(), &["apis", "other"]).await;
    let expected = ["apis/a", "apis/b", "apis/c", "teams/t/apis/d", "apis/e", "apis/f", "other/c"];
    assert_eq!(paths(&listed), expected);
    assert!(listed.iter().all(|page| page.known_gap.is_none()), "{listed:?}");
}

#[tokio::test]
async fn every_type_of_rest_is_read() {
    let fields = r#"{"n":{"nullValue":null},"b":{"booleanValue":true},"i":{"integerValue":"9223372036854775807"},
        "d":{"doubleValue":1},"x":{"doubleValue":"-Infinity"},"t":{"timestampValue":"2026-10-01T12:00:00.5Z"},
        "s":{"stringValue":"$"},"y":{"bytesValue":"_-8"},"r":{"referenceValue":"projects/p"},
        "g":{"geoPointValue":{"latitude":1.5}},"a":{"arrayValue":{"values":[{"integerValue":3}]}},"e":{"arrayValue":{}},
        "m":{"mapValue":{"fields":{"k":{"stringValue":"v"}}}},"o":{"mapValue":{}}}"#;
    let json = format!(r#"{{"name":"{ROOT}/apis/a","createTime":"2026-01-01T00:00:00Z","fields":{fields}}}"#);
    let folder = folder(&[("a.json", json.as_bytes())]);
    let document = documents(&pages(folder.path(), &["apis"]).await).remove(0);
    let time = |text: &str| Moment::parse(text).unwrap();
    let text = |text: &str| DocumentValue::Text(text.to_owned());
    let expected = [
        ("a", DocumentValue::Array(vec![DocumentValue::Integer(3)])),
        ("b", DocumentValue::Bool(true)),
        ("d", DocumentValue::Double(1.0)),
        ("e", DocumentValue::Array(Vec::new())),
        ("g", DocumentValue::GeoPoint { latitude: 1.5, longitude: 0.0 }),
        ("i", DocumentValue::Integer(i64::MAX)),
        ("m", DocumentValue::Map([("k".to_owned(), text("v"))].into())),
        ("n", DocumentValue::Null),
        ("o", DocumentValue::Map(Default::default())),
        ("r", DocumentValue::Reference("projects/p".to_owned())),
        ("s", text("$")),
        ("t", DocumentValue::Time(time("2026-10-01T12:00:00.5Z"))),
        ("x", DocumentValue::Double(f64::NEG_INFINITY)),
        ("y", DocumentValue::Bytes(vec![255, 239])),
    ];
    let found: Vec<_> = document.fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(found, expected);
    assert_eq!((document.create_time, document.update_time), (Some(time("2026-01-01T00:00:00Z")), None));
}

#[tokio::test]
async fn a_bad_document_never_hides_its_neighbours() {
    let deep = format!("{}null{}", r#"{"a":"#.repeat(MAX_DOCUMENT_DEPTH + 2), "}".repeat(MAX_DOCUMENT_DEPTH + 2));
    let lines = [
        format!(r#"{{"name":"{ROOT}/apis/good-1","data":{{}}}}"#),
        format!(r#"{{"name":"{ROOT}/apis/deep","data":{deep}}}"#),
        format!(r#"{{"name":"{ROOT}/apis/typed","fields":{{"a":{{"intValue":1}}}}}}"#),
        format!(r#"{{"name":"{ROOT}/apis/time","createTime":"now","data":{{}}}}"#),
        format!(r#"{{"name":"{ROOT}/apis/formless"}}"#),
        format!(r#"{{"name":"{ROOT}/apis/good-2","fields":{{}}}}"#),
    ];
    let folder = folder(&[("a.ndjson", lines.join("\n").as_bytes())]);
    let listed = pages(folder.path(), &["apis"]).await;
    let reasons = unreadable(&listed);
    for (reason, expected) in reasons.iter().zip([
        format!("a.ndjson line 2: document {ROOT}/apis/deep: it is nested more than {MAX_DOCUMENT_DEPTH} levels deep"),
        format!("a.ndjson line 3: document {ROOT}/apis/typed: fields.a: unknown type \"intValue\", did you mean"),
        format!("a.ndjson line 4: document {ROOT}/apis/time: createTime: not a time"),
        format!("a.ndjson line 5: document {ROOT}/apis/formless: document: missing field `data`"),
    ]) {
        assert!(reason.starts_with(&expected), "{reason}");
    }
    assert_eq!((reasons.len(), listed[0].documents.len()), (4, 6));
    assert_eq!(listed[0].known_gap, None);
}

#[tokio::test]
async fn what_may_be_any_document_is_a_gap() {
    let good = format!(r#"{{"name":"{ROOT}/apis/good","data":{{}}}}"#);
    let cut = gzip(format!("{good}\n").repeat(50).as_bytes());
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("a.ndjson", format!("{good}\n{{\"name\":\n{good}").into_bytes(), "a.ndjson line 2: not JSON"),
        ("a.ndjson", format!("{{}}\n{good}\n{good}").into_bytes(), "a.ndjson line 1: name \"\" is not projects/"),
        ("a.ndjson", format!("{good}\n7\n{good}").into_bytes(), "a.ndjson line 2: not a document"),
        ("a.ndjson", [good.as_bytes(), b"\n\xff\n", good.as_bytes()].concat(), "a.ndjson line 2: not UTF-8"),
        ("a.json", format!("{good} {good} {{").into_bytes(), "a.json value 3: not JSON"),
        ("a.json", format!("[{good},[[[[[1]]]]],{good}]").into_bytes(), "a.json value 1 item 2 item 1 item 1 item 1"),
        ("a.ndjson", format!("{good}\n{}\n{good}", "x".repeat(40 << 20)).into_bytes(), "a.ndjson line 2: longer than"),
        ("a.ndjson.gz", cut[..cut.len() - 9].to_vec(), "a.ndjson.gz: it cannot be inflated to its end"),
    ];
    for (name, bytes, expected) in cases {
        let folder = folder(&[(name, &bytes)]);
        for collection in ["apis", "other"] {
            let listed = pages(folder.path(), &[collection]).await;
            let gap = listed.iter().find_map(|page| page.known_gap.as_deref()).unwrap_or_default();
            assert!(gap.starts_with(expected), "{gap}");
            let found = paths(&listed).len();
            assert!(if collection == "apis" { found >= 2 } else { found == 0 }, "{expected}: {found}");
        }
    }
}

#[tokio::test]
async fn a_folder_that_holds_no_documents_is_refused() {
    let nowhere = Path::new("no/such/folder");
    assert!(DumpDocuments::open(nowhere).unwrap_err().to_string().contains("no/such/folder"));
    let folder = folder(&[("readme.txt", b"x")]);
    assert!(DumpDocuments::open(folder.path()).unwrap_err().to_string().contains(".ndjson"));
    // One that is emptied later is not.
    std::fs::write(folder.path().join("a.json"), "").unwrap();
    assert_eq!(pages(folder.path(), &["apis"]).await, []);
    let removed = DumpDocuments::open(folder.path()).unwrap();
    std::fs::remove_dir_all(folder.path()).unwrap();
    let listed: Result<Vec<_>, _> = removed.list(&["apis".parse().unwrap()]).await.unwrap().try_collect().await;
    assert!(matches!(listed, Err(DocumentsError::Unavailable { .. })));
}
