//! Hostile input gives a sentence, never a crash.

use proptest::prelude::*;
use serde_json::json;

use super::super::{MAX_ENTRY_BYTES, Outcome, Reject, decode, decode_message};
use super::{context, decoded, lines};

#[test]
fn an_entry_over_the_bound_is_refused() {
    let mut entry = super::cloud::scale_entry();
    entry["protoPayload"]["request"]["padding"] = json!("x".repeat(MAX_ENTRY_BYTES));
    assert!(matches!(decoded(&entry), Err(Outcome::Reject(Reject::TooLarge { .. }))));
}

#[test]
fn deep_nesting_and_endless_numbers_are_refused_or_ignored() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let digits = "9".repeat(10_000);
    let entry = super::cloud::scale_entry().to_string();
    for padding in [&deep, &digits] {
        // Where nobody looks it does not matter.
        let elsewhere =
            entry.replacen("{\"authenticationInfo\"", &format!("{{\"extra\":{padding},\"authenticationInfo\""), 1);
        let elsewhere = elsewhere.replacen("\"insertId\"", &format!("\"other\":{padding},\"insertId\""), 1);
        let outcome = decode(elsewhere.as_bytes(), &context());
        assert!(
            lines(&outcome)[0].starts_with("replicas ?→6") || lines(&outcome)[0].starts_with("reject: "),
            "{outcome:?}"
        );
        // In the number's own place it is no number.
        let in_place = entry.replace("\"replicas\":6", &format!("\"replicas\":{padding}"));
        assert_ne!(in_place, entry);
        let shown = lines(&decode(in_place.as_bytes(), &context()));
        assert!(shown[0].starts_with("reject: ") && shown[0].len() < 400, "{shown:?}");
    }
}

#[test]
fn what_is_neither_form_is_refused_by_name() {
    for (entry, place) in [
        (json!({"kind": "Pod", "apiVersion": "v1"}), r#"kind "Pod", apiVersion "v1""#),
        (json!({"kind": "Event", "apiVersion": "v1", "reason": "Scaled"}), r#"kind "Event", apiVersion "v1""#),
        (json!({}), r#"kind "", apiVersion """#),
    ] {
        let shown = lines(&decoded(&entry));
        assert!(shown[0].starts_with("reject: ") && shown[0].contains(place), "{shown:?}");
    }
    let alpha = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1alpha1", "verb": "create"});
    assert!(lines(&decoded(&alpha))[0].contains("audit.k8s.io/v1alpha1 is not read"));
}

#[test]
fn an_odd_field_matters_only_where_the_resource_is_followed() {
    let mut entry = super::cloud::scale_entry();
    entry["protoPayload"]["requestMetadata"] = json!("...");
    assert!(lines(&decoded(&entry))[0].starts_with("reject: audit entry: protoPayload.requestMetadata: invalid type"));
    entry["protoPayload"]["methodName"] = json!("v1.compute.instances.insert");
    assert!(lines(&decoded(&entry))[0].starts_with("skip: method v1.compute.instances.insert"));
    let pods = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": 7, "objectRef": {"resource": "pods"}});
    assert!(lines(&decoded(&pods))[0].starts_with("skip: pods are not"));
}

#[test]
fn a_list_of_events_gives_each_of_its_items() {
    let good = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "stage": "ResponseComplete", "verb": "patch",
        "requestURI": "/apis/apps/v1/namespaces/shop/deployments/web/scale",
        "objectRef": {"resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "subresource": "scale"},
        "requestObject": {"spec": {"replicas": 3}}, "requestReceivedTimestamp": "2026-11-21T11:45:19Z"
    });
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [good, 7, {"kind": "Pod"}]});
    let all = decode_message(list.to_string().as_bytes(), &context());
    assert_eq!(all.iter().map(|one| one.position).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert_eq!(lines(&all[0].changes), ["replicas ?→3"]);
    assert!(lines(&all[1].changes)[0].starts_with("reject: "));
    assert!(lines(&all[2].changes)[0].starts_with("reject: "));
    let empty = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": null});
    assert_eq!(decode_message(empty.to_string().as_bytes(), &context()), []);
}

#[test]
fn an_event_without_stage_is_complete_when_it_has_a_response_status() {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1beta1", "auditID": "a", "verb": "update",
        "objectRef": {"resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "subresource": "scale"},
        "requestObject": {"spec": {"replicas": 3}}, "timestamp": "2026-11-21T11:45:19Z", "responseStatus": {"code": 200}
    });
    assert_eq!(lines(&decoded(&event)), ["replicas ?→3"]);
    event.as_object_mut().unwrap().remove("responseStatus");
    assert_eq!(
        lines(&decoded(&event)),
        ["skip: the event has neither a stage nor a response status: it does not say that the call was done"]
    );
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(decode(&bytes, &context()).is_err());
    }

    #[test]
    fn no_change_of_a_real_entry_makes_decoding_panic(at in 0usize..1_400, byte in any::<u8>(), cut in 0usize..1_400) {
        let mut entry = super::cloud::scale_entry().to_string().into_bytes();
        let at = at % entry.len();
        entry[at] = byte;
        let shown = lines(&decode(&entry, &context()));
        prop_assert!(shown.iter().all(|line| line.len() < 1_000), "{shown:?}");
        entry.truncate(cut % entry.len());
        prop_assert!(decode(&entry, &context()).is_err());
    }

    #[test]
    fn any_number_is_kept_or_refused(number in any::<i64>()) {
        let mut entry = super::cloud::scale_entry();
        entry["protoPayload"]["response"]["spec"]["replicas"] = json!(number);
        let shown = lines(&decoded(&entry));
        if (0..=i64::from(i32::MAX)).contains(&number) {
            prop_assert_eq!(shown, [format!("replicas ?→{number}")]);
        } else {
            prop_assert!(shown[0].starts_with("reject: "));
        }
    }
}
