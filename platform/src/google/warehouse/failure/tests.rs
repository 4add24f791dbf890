use gcp_bigquery_client::error::ResponseError;
use serde_json::json;

use super::*;

/// The client's error for an answer as the service writes it.
fn refused(status: u16, reason: &str, message: &str) -> BQError {
    let errors = if reason.is_empty() { json!([]) } else { json!([{"reason": reason, "message": message}]) };
    let error: ResponseError =
        serde_json::from_value(json!({"error": {"code": status, "errors": errors, "message": message}})).unwrap();
    BQError::ResponseError { error }
}

fn outcome_of(error: BQError, effect: Effect) -> Outcome {
    match port_error("load t", effect, error) {
        PortError::DidNotHappen { .. } => Outcome::Not,
        PortError::MayHaveHappened { .. } => Outcome::Perhaps,
        error if error.is_not_set_up() => Outcome::NotSetUp,
        PortError::NeverWill { .. } => Outcome::Never,
    }
}

#[test]
fn a_refusal_says_whether_it_happened() {
    let cases = [
        (403, "quotaExceeded", Outcome::Not, Outcome::Not),
        (403, "rateLimitExceeded", Outcome::Not, Outcome::Not),
        (403, "accessDenied", Outcome::NotSetUp, Outcome::NotSetUp),
        (403, "billingNotEnabled", Outcome::NotSetUp, Outcome::NotSetUp),
        (403, "", Outcome::NotSetUp, Outcome::NotSetUp),
        (400, "invalid", Outcome::Never, Outcome::Never),
        (400, "invalidQuery", Outcome::Never, Outcome::Never),
        (400, "resourceInUse", Outcome::Not, Outcome::Not),
        (400, "resourcesExceeded", Outcome::Never, Outcome::Never),
        (404, "notFound", Outcome::NotSetUp, Outcome::NotSetUp),
        (409, "duplicate", Outcome::Never, Outcome::Never),
        (401, "authError", Outcome::Not, Outcome::Not),
        (401, "", Outcome::Not, Outcome::Not),
        (429, "", Outcome::Not, Outcome::Not),
        (500, "backendError", Outcome::Perhaps, Outcome::Not),
        (503, "backendError", Outcome::Perhaps, Outcome::Not),
        (500, "internalError", Outcome::Perhaps, Outcome::Not),
        (503, "", Outcome::Perhaps, Outcome::Not),
        (500, "aWordOfTomorrow", Outcome::Perhaps, Outcome::Not),
        (400, "aWordOfTomorrow", Outcome::Never, Outcome::Never),
        (200, "jobBackendError", Outcome::Not, Outcome::Not),
    ];
    for (status, reason, write, read) in cases {
        assert_eq!(outcome_of(refused(status, reason, "no"), Effect::Write), write, "writing: {status} {reason}");
        assert_eq!(outcome_of(refused(status, reason, "no"), Effect::None), read, "reading: {status} {reason}");
    }
}

#[test]
fn a_transaction_that_lost_did_not_happen() {
    for message in [
        "Transaction is aborted due to concurrent update against table p:d.t. Transaction ID: 1",
        "Could not serialize access to table p:d.t due to concurrent update",
        "Transaction was aborted due to a concurrent transaction",
    ] {
        assert_eq!(outcome_of(refused(400, "invalidQuery", message), Effect::Write), Outcome::Not, "{message}");
    }
}

#[test]
fn what_a_job_or_a_good_answer_complains_of_is_told_by_its_reason() {
    let complaint = |reason: &str| {
        let proto =
            ErrorProto { reason: Some(reason.to_owned()), message: Some("m".to_owned()), ..ErrorProto::default() };
        Complaint::first(&[proto]).unwrap()
    };
    assert_eq!(complaint("invalid").outcome(Effect::Write), Outcome::Never);
    assert_eq!(complaint("notFound").outcome(Effect::Write), Outcome::NotSetUp);
    assert_eq!(complaint("backendError").outcome(Effect::Write), Outcome::Perhaps);
    assert_eq!(complaint("jobInternalError").outcome(Effect::Write), Outcome::Not);
    assert_eq!(complaint("aWordOfTomorrow").outcome(Effect::None), Outcome::Not);
    assert_eq!(complaint("stopped").to_string(), "m (stopped)");
    assert_eq!(Complaint::first(&[]), None);
}

#[test]
fn missing_and_duplicate_are_known_by_word_and_by_number() {
    for (status, reason) in [(404, "notFound"), (404, "")] {
        assert!(complaint(&refused(status, reason, "no")).unwrap().is_not_found(), "{status} {reason}");
    }
    for (status, reason) in [(409, "duplicate"), (409, "")] {
        assert!(complaint(&refused(status, reason, "no")).unwrap().is_duplicate(), "{status} {reason}");
    }
    assert!(complaint(&BQError::NoToken).is_none());
}

#[test]
fn without_a_token_nothing_was_sent() {
    assert_eq!(outcome_of(BQError::NoToken, Effect::Write), Outcome::Not);
    let unknown = BQError::ConnectionPoolError("cut".to_owned());
    assert_eq!(outcome_of(unknown, Effect::Write), Outcome::Perhaps);
}

#[tokio::test]
async fn a_server_that_is_not_there_was_not_asked_and_one_that_hangs_up_may_have_heard() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does; another test may have
    let client = reqwest_of_bigquery::Client::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hang_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let error = client.post(format!("http://{address}")).body("x").send().await.unwrap_err();
    hang_up.join().unwrap();
    assert_eq!(outcome_of(BQError::RequestError(error), Effect::Write), Outcome::Perhaps);
    let error = client.post(format!("http://{address}")).body("x").send().await.unwrap_err();
    assert_eq!(outcome_of(BQError::RequestError(error), Effect::Write), Outcome::Not);
}

#[test]
fn an_error_says_what_was_attempted_and_why_it_failed() {
    let error = port_error("load gke_pods", Effect::Write, refused(404, "notFound", "Not found: Table p:d.t"));
    assert_eq!(
        error.to_string(),
        "load gke_pods: will not succeed before what it needs is set up or granted: Not found: Table p:d.t \
         (notFound, HTTP 404)"
    );
    let long = port_error("load", Effect::Write, refused(400, "invalid", &"x".repeat(100_000)));
    assert!(long.to_string().len() < 3_000);
}
