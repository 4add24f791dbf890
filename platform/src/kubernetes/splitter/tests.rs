use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Everything that comes out of an input cut at the given places.
fn split(input: &[u8], cuts: &[usize], bound: usize) -> (Vec<Piece>, Result<(), SplitFault>) {
    let mut splitter = Splitter::new(bound);
    let mut pieces = Vec::new();
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    places.sort_unstable();
    places.push(input.len());
    let mut from = 0;
    for to in places {
        if let Err(fault) = splitter.feed(&input[from..to], &mut pieces) {
            return (pieces, Err(fault));
        }
        from = to;
    }
    let end = splitter.finish(&mut pieces);
    (pieces, end)
}

fn items(pieces: &[Piece]) -> Vec<Result<Value, String>> {
    let value = |item: &Item| item.bytes.clone().map(|bytes| serde_json::from_slice(&bytes).unwrap());
    pieces.iter().filter_map(|piece| if let Piece::Item(item) = piece { Some(value(item)) } else { None }).collect()
}

fn end(pieces: &[Piece]) -> (&Shape, &ListHead) {
    match pieces.last() {
        Some(Piece::End { shape, head }) => (shape, head),
        other => panic!("expected an end, found {other:?}"),
    }
}

#[test]
fn a_list_is_split_whatever_the_order_of_its_keys() {
    let head = r#""kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"42","continue":"next"}"#;
    let array = r#""items":[{"a":1}, {"b":"]}\"{["},{} ]"#;
    for text in [format!("{{{head},{array}}}"), format!("\n {{ {array} , {head} }} \n")] {
        let (pieces, result) = split(text.as_bytes(), &[], 100);
        result.unwrap();
        assert_eq!(items(&pieces), [Ok(json!({"a": 1})), Ok(json!({"b": "]}\"{["})), Ok(json!({}))]);
        let (shape, head) = end(&pieces);
        assert_eq!(shape, &Shape::List);
        assert_eq!(head.kind.as_deref(), Some("PodList"));
        assert_eq!(head.api_version.as_deref(), Some("v1"));
        assert_eq!(head.resource_version.as_deref(), Some("42"));
        assert_eq!(head.continue_token.as_deref(), Some("next"));
    }
}

#[test]
fn null_missing_and_wrong_items_are_told_apart() {
    let shape = |text: &str| match split(text.as_bytes(), &[], 100).0.pop() {
        Some(Piece::End { shape, .. }) => shape,
        other => panic!("{other:?}"),
    };
    assert_eq!(shape(r#"{"items":null}"#), Shape::EmptyList);
    assert_eq!(shape(r#"{"items":[]}"#), Shape::List);
    assert!(matches!(shape(r#"{"kind":"PodList"}"#), Shape::Single(_)));
    assert!(matches!(shape(r#"{"items":{"a":[]}}"#), Shape::Single(_)));
    assert_eq!(shape("[]"), Shape::Array);
    assert!(matches!(shape("12"), Shape::Single(_)));
}

#[test]
fn an_item_over_the_bound_is_left_out_and_its_neighbours_are_not() {
    let text = format!(r#"{{"items":[{{"a":1}},{{"big":"{}"}},{{"b":2}}]}}"#, "x".repeat(5000));
    for cuts in [vec![], (0..60).map(|piece| piece * 100).collect::<Vec<_>>()] {
        let (pieces, result) = split(text.as_bytes(), &cuts, 1000);
        result.unwrap();
        let found = items(&pieces);
        assert_eq!(found[0], Ok(json!({"a": 1})));
        assert_eq!(found[1], Err("it is larger than 1000 bytes".to_owned()));
        assert_eq!(found[2], Ok(json!({"b": 2})));
    }
}

#[test]
fn a_single_object_over_the_bound_is_reported_and_not_held() {
    let mut splitter = Splitter::new(1000);
    let mut pieces = Vec::new();
    splitter.feed(br#"{"kind":"Pod","x":""#, &mut pieces).unwrap();
    for _ in 0..100 {
        splitter.feed(&[b'x'; 1000], &mut pieces).unwrap();
    }
    splitter.feed(br#""}{"kind":"Node"}"#, &mut pieces).unwrap();
    splitter.finish(&mut pieces).unwrap();
    let Piece::End { shape: Shape::Single(item), head } = &pieces[0] else { panic!("{pieces:?}") };
    assert!(item.bytes.is_err());
    assert_eq!(head.kind.as_deref(), Some("Pod"));
    assert_eq!(pieces.len(), 2);
}

#[test]
fn nesting_over_the_bound_costs_one_item() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let text = format!(r#"{{"items":[{{"a":{deep}}},{{"b":2}}]}}{{"kind":{deep}}}"#);
    let (pieces, result) = split(text.as_bytes(), &[7, 5_000, 15_000], 1 << 20);
    result.unwrap();
    assert_eq!(items(&pieces)[0], Err(format!("it is nested deeper than {NESTING_BOUND} levels")));
    assert_eq!(items(&pieces)[1], Ok(json!({"b": 2})));
    let (Shape::Single(item), _) = end(&pieces) else { panic!("{pieces:?}") };
    assert!(item.bytes.is_err());
}

#[test]
fn a_truncated_list_names_byte_line_and_item() {
    let text = "{\n\"items\": [\n{\"a\": 1},\n{\"b\": \"";
    let (pieces, result) = split(text.as_bytes(), &[3, 9], 100);
    let fault = result.unwrap_err();
    assert_eq!(items(&pieces), [Ok(json!({"a": 1}))]);
    assert_eq!(fault.place, Place { offset: text.len() as u64, line: 4 });
    assert!(fault.truncated);
    assert_eq!(fault.to_string(), format!("the input ends inside item 1 at byte {}, line 4", text.len()));
}

#[test]
fn what_is_not_json_is_named_with_its_place() {
    let (_, result) = split(b"{\"items\": [{}\n{}]}", &[], 100);
    let fault = result.unwrap_err();
    assert_eq!(fault.to_string(), "expected a comma or the array's end, found '{' at byte 14, line 2");
    assert!(!fault.truncated);
}

#[test]
fn items_know_their_place() {
    let (pieces, _) = split(b"{\"items\":[\n{},\n\n {}]}", &[12], 100);
    let places: Vec<_> = pieces
        .iter()
        .filter_map(|piece| if let Piece::Item(item) = piece { Some((item.index, item.place)) } else { None })
        .collect();
    assert_eq!(places, [(0, Place { offset: 11, line: 2 }), (1, Place { offset: 17, line: 4 })]);
}

#[test]
fn values_may_follow_each_other() {
    let (pieces, result) = split(b"{\"kind\":\"A\"}\n{\"kind\":\"B\"} [1,2] {\"items\":[3]}", &[5], 100);
    result.unwrap();
    let shapes: Vec<_> = pieces
        .iter()
        .filter_map(|p| if let Piece::End { shape, .. } = p { Some(shape.clone()) } else { None })
        .collect();
    assert_eq!(shapes.len(), 4);
    assert_eq!(shapes[2..], [Shape::Array, Shape::List]);
    assert_eq!(items(&pieces), [Ok(json!(1)), Ok(json!(2)), Ok(json!(3))]);
}

#[test]
fn keys_with_escapes_are_the_keys_they_spell() {
    let (pieces, _) = split(br#"{"it\u0065ms":[1],"k\u0069nd":"PodList"}"#, &[8], 100);
    assert_eq!(items(&pieces), [Ok(json!(1))]);
    assert_eq!(end(&pieces).1.kind.as_deref(), Some("PodList"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}|[\\\\\"{}\\[\\],:\\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z\\\\\"]{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn splitting_equals_parsing(
        elements in prop::collection::vec(any_value(), 0..12),
        extra in prop::collection::btree_map("[a-z]{1,5}", any_value(), 0..4),
        version in "[0-9]{1,9}",
        items_first in any::<bool>(),
        pretty in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let write = |value: &Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap();
        let mut fields: Vec<(String, Value)> = extra.into_iter().filter(|(key, _)| key != "items" && key != "kind").collect();
        fields.push(("kind".to_owned(), "PodList".into()));
        fields.push(("metadata".to_owned(), json!({"resourceVersion": version})));
        fields.insert(if items_first { 0 } else { fields.len() }, ("items".to_owned(), Value::from(elements.clone())));
        let text = fields.iter().map(|(key, value)| format!("\"{key}\" : {}", write(value))).collect::<Vec<_>>().join(",\n");
        let text = format!("{{{text}}}");

        let (pieces, result) = split(text.as_bytes(), &cuts, OBJECT_BOUND_BYTES);
        prop_assert_eq!(result, Ok(()));
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let found: Vec<Value> = items(&pieces).into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(&Value::from(found), &parsed["items"]);
        let head = end(&pieces).1;
        prop_assert_eq!(head.kind.as_deref(), parsed["kind"].as_str());
        prop_assert_eq!(head.resource_version.as_deref(), parsed["metadata"]["resourceVersion"].as_str());
    }

    #[test]
    fn single_values_come_out_as_written(value in any_value(), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        prop_assume!(value.get("items").is_none() && !value.is_array());
        let text = value.to_string();
        let (pieces, result) = split(text.as_bytes(), &cuts, OBJECT_BOUND_BYTES);
        prop_assert_eq!(result, Ok(()));
        let Shape::Single(item) = end(&pieces).0 else { panic!("{pieces:?}") };
        prop_assert_eq!(item.bytes.as_deref(), Ok(text.as_bytes()));
    }

    #[test]
    fn chunk_boundaries_change_nothing(
        bytes in "[\\[\\]{}\":, \\\\\\na0]{0,80}",
        prefix in prop::sample::select(vec!["", "{\"items\":[", "[", "{\"kind\":\""]),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let text = format!("{prefix}{bytes}");
        prop_assert_eq!(split(text.as_bytes(), &cuts, 20), split(text.as_bytes(), &[], 20));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (pieces, _) = split(&bytes, &cuts, 16);
        // No piece begins before the one ahead of it, and none lies outside the input.
        let offsets: Vec<u64> = pieces.iter().filter_map(|p| if let Piece::Item(item) = p { Some(item.place.offset) } else { None }).collect();
        prop_assert!(offsets.is_sorted() && offsets.last().is_none_or(|last| *last < bytes.len() as u64));
    }
}
