use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use schemas::{GkePods, HpaData, RowReader};
use serde_json::json;

use super::*;
use crate::testing::seated;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn mapped(kind: Kind, object_count: u64, text: &[u8]) -> Result<MappedPart, PartError> {
    let source = Source { kind, object: "raw/c/2026-10-01/s1/1/pods-0.ndjson.gz", object_count };
    seated(&Owners::new(), |seat| map(&gzip(text)[..], &source, seat))
}

fn pod(name: &str) -> String {
    format!("{}\n", json!({"metadata": {"name": name, "namespace": "n"}}))
}

fn rejects(part: &MappedPart) -> Vec<RejectedRows> {
    let text = std::str::from_utf8(&part.rejects).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn bad_lines_become_rejects_and_their_neighbours_rows() {
    let unreadable = r#"{"podledger.unreadable":{"place":"a.json item 3","reason":"it ends early"}}"#;
    let mut text = [&pod("a"), "{\n", &format!("{unreadable}\n"), "\n", &pod("a")].concat().into_bytes();
    text.extend_from_slice(b"{\"x\": \"\xff\"}\n");
    text.extend_from_slice(pod("b").trim_end().as_bytes());
    let part = mapped(Kind::Pods, 7, &text).unwrap();
    assert_eq!((part.row_count, part.object_count, part.reject_count), (2, 2, 5));
    let rows: Vec<GkePods> = RowReader::read(&part.rows.as_ref().unwrap()[..]).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let told: Vec<_> = rejects(&part).into_iter().map(|row| (row.line, row.object, row.reason)).collect();
    assert_eq!(
        told[0],
        (Some(1), None, "pod: not readable as JSON: EOF while parsing an object at line 1 column 1".into())
    );
    assert_eq!(told[1], (Some(2), None, "a.json item 3: it ends early".into()));
    assert_eq!(told[2].0, Some(3));
    let twice = "pod n/a: it is in this part more than once, the first one is kept";
    assert_eq!(told[3], (Some(4), Some("n/a".into()), twice.into()));
    assert_eq!(told[4], (Some(5), None, "pod: byte 7 is not UTF-8".into()));
    assert!(rejects(&part).iter().all(|row| row.table.as_deref() == Some("gke_pods") && row.raw_object.is_some()));
}

#[test]
fn the_same_part_gives_the_same_bytes() {
    let text = [pod("a"), "{}\n".to_owned(), pod("b")].concat();
    assert_eq!(mapped(Kind::Pods, 3, text.as_bytes()).unwrap(), mapped(Kind::Pods, 3, text.as_bytes()).unwrap());
}

#[test]
fn kinds_without_a_table_have_counts_and_rejects() {
    let sets = [pod("a"), pod("a"), pod("b")].concat();
    let part = mapped(Kind::ReplicaSets, 3, sets.as_bytes()).unwrap();
    assert_eq!((part.rows.as_ref(), part.row_count, part.object_count, part.reject_count), (None, 0, 2, 1));
    let part = mapped(Kind::Unreadable, 1, b"{\"podledger.unreadable\":{\"place\":\"p\",\"reason\":\"r\"}}\n").unwrap();
    assert_eq!((part.object_count, part.reject_count, rejects(&part)[0].table.as_deref()), (0, 1, None));
}

#[test]
fn objects_and_rows_are_counted_apart() {
    let metric = json!({"type": "Pods"});
    let text = format!("{}\n", json!({"metadata": {"name": "a"}, "spec": {"metrics": [metric, metric]}}));
    let part = mapped(Kind::HorizontalPodAutoscalers, 1, text.as_bytes()).unwrap();
    assert_eq!((part.row_count, part.object_count), (2, 1));
    assert_eq!(RowReader::<HpaData>::read(&part.rows.unwrap()[..]).unwrap().count(), 2);
    let empty = mapped(Kind::Pods, 0, b"").unwrap();
    assert_eq!(RowReader::<GkePods>::read(&empty.rows.unwrap()[..]).unwrap().count(), 0);
}

#[test]
fn a_part_that_is_not_what_was_announced_is_an_error() {
    for announced in [1, 3] {
        let error = mapped(Kind::Pods, announced, (pod("a") + &pod("b")).as_bytes()).unwrap_err();
        assert!(matches!(error, PartError::Count { .. }), "{error}");
    }
    let source = Source { kind: Kind::Pods, object: "x", object_count: 2 };
    let whole = gzip((pod("a") + &pod("b")).as_bytes());
    for broken in [&whole[..whole.len() - 9], &whole[..4], b"no gzip at all"] {
        let error = seated(&Owners::new(), |seat| map(broken, &source, seat)).unwrap_err();
        assert!(error.to_string().starts_with("raw part x: "), "{error}");
    }
}

#[test]
fn lines_and_parts_are_bounded() {
    let long = vec![b'x'; 1000];
    let text = [&b"a\n"[..], &long, b"\nb"].concat();
    let mut lines = Lines::new(&text[..], 999, 2_000);
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"a")));
    assert_eq!(lines.next_line().unwrap(), Some(Line::TooLong));
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"b")));
    assert_eq!(lines.next_line().unwrap(), None);
    let mut lines = Lines::new(&text[..], 999, 500);
    assert!(lines.next_line().is_ok());
    assert_eq!(lines.next_line().unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
}

#[test]
fn lines_are_whole_wherever_the_stream_is_cut() {
    struct OneByte<'b>(&'b [u8]);
    impl Read for OneByte<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let [first, rest @ ..] = self.0 else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }
    let mut lines = Lines::new(OneByte(b"ab\n\ncde"), 2, 100);
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"ab")));
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"")));
    assert_eq!(lines.next_line().unwrap(), Some(Line::TooLong));
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn a_line_over_the_bound_is_one_reject() {
    let huge = format!("{}{}\n", pod("a"), "x".repeat(MAX_LINE + 1));
    let part = mapped(Kind::Pods, 2, huge.as_bytes()).unwrap();
    assert_eq!((part.row_count, part.reject_count), (1, 1));
    assert_eq!(rejects(&part)[0].reason, "pod: larger than the 8388608 bytes an object may have");
}
