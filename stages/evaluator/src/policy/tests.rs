//! Tests of the policy file.

use super::*;

const HEAD: &str = "apiVersion: podledger/v1\nkind: Policy\n";

fn refused(body: &str) -> String {
    Policy::parse(&format!("{HEAD}{body}")).unwrap_err().to_string()
}

#[test]
fn a_policy_that_says_nothing_is_the_default() {
    assert_eq!(Policy::parse(HEAD).unwrap(), Policy::default());
    let default = Policy::default();
    assert_eq!(default.rule(Rule::OverLimit).unwrap().severity, Severity::Critical);
    assert_eq!(default.rule(Rule::Undeclared).unwrap().grace, Duration::from_secs(86_400));
    assert_eq!(default.rule(Rule::EvaluationIncomplete).unwrap().severity, Severity::Warning);
    assert_eq!(default.rule(Rule::Bypass), None);
}

#[test]
fn every_setting_can_be_written() {
    let policy = Policy::parse(&format!(
        "{HEAD}
coldStart: 5m
repeatInterval: 12h
limitLoweredGrace: 1h30m
flapping: {{times: 4, within: 2h, quiet: 15m}}
range: {{min: 1, max: 10}}
namespaces: {{watched: [payments], excluded: []}}
rules:
  over-limit: {{severity: warning, threshold: 1, grace: 30s}}
  undeclared: {{enabled: false}}
  evaluation-incomplete: {{severity: critical}}
"
    ))
    .unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(policy.cold_start, seconds(300));
    assert_eq!(policy.repeat_interval, seconds(43_200));
    assert_eq!(policy.limit_lowered_grace, seconds(5_400));
    assert_eq!(policy.flapping, Flapping { times: 4, within: seconds(7_200), quiet: seconds(900) });
    assert_eq!(policy.range, Range { min: 1, max: 10 });
    assert!(policy.namespaces.watches("payments") && !policy.namespaces.watches("kube-system"));
    let over_limit = Settings { enabled: true, severity: Severity::Warning, threshold: 1, grace: seconds(30) };
    assert_eq!(policy.rule(Rule::OverLimit), Some(&over_limit));
    assert!(!policy.rule(Rule::Undeclared).unwrap().enabled);
    assert_eq!(policy.evaluation_incomplete.severity, Severity::Critical);
}

#[test]
fn the_more_specific_override_wins_and_only_in_what_it_says() {
    let policy = Policy::parse(&format!(
        "{HEAD}
overrides:
  - match: {{namespace: payments, deployment: orders-api}}
    rules: {{over-limit: {{grace: 1m}}}}
  - match: {{team: shop}}
    rules: {{over-limit: {{grace: 3m, severity: info}}}}
  - match: {{namespace: payments}}
    rules: {{over-limit: {{grace: 2m, threshold: 5}}}}
"
    ))
    .unwrap();
    let of = |namespace, name, team| policy.settings(namespace, name, team)[0];
    let workload = of("payments", "orders-api", Some("shop"));
    assert_eq!(workload.grace, Duration::from_secs(60));
    assert_eq!((workload.threshold, workload.severity), (5, Severity::Info));
    assert_eq!(of("payments", "other", Some("shop")).grace, Duration::from_secs(120));
    assert_eq!(of("stock", "orders-api", Some("shop")).grace, Duration::from_secs(180));
    assert_eq!(of("stock", "orders-api", None), *Policy::default().rule(Rule::OverLimit).unwrap());
}

#[test]
fn a_word_that_is_not_known_names_the_nearest_one() {
    for (body, message) in [
        ("coldstart: 5m", "policy: coldstart: unknown field, did you mean \"coldStart\"?"),
        ("rules: {over-limits: {}}", "policy: rules.over-limits: unknown rule, did you mean \"over-limit\"?"),
        (
            "rules: {over-limit: {sevrity: info}}",
            "policy: rules.over-limit.sevrity: unknown field, did you mean \"severity\"?",
        ),
        (
            "overrides: [{match: {teem: a}, rules: {}}]",
            "policy: overrides[0].match.teem: unknown field, did you mean \"team\"?",
        ),
        (
            "rules: {bypass: {enabled: false}}",
            "policy: rules.bypass: this version does not judge that rule, only over-limit, desired-over-limit, \
             ceiling-over-limit, out-of-range, undeclared, evaluation-incomplete",
        ),
    ] {
        assert_eq!(refused(body), message);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (body, part) in [
        ("coldStart: 10", "not a duration"),
        ("coldStart: [1]", "string"),
        ("repeatInterval: 0s", "every snapshot"),
        ("range: {min: 9, max: 2}", "not a range"),
        ("range: {min: -1}", "not a range"),
        ("range: {min: two}", "two"),
        ("flapping: {times: 1}", "not between"),
        ("rules: {over-limit: {threshold: -1}}", "negative"),
        ("rules: {undeclared: {threshold: 1}}", "has none"),
        ("rules: {over-limit: {severity: loud}}", "loud"),
        ("rules: {over-limit: {enabled: 3}}", "bool"),
        ("overrides: [{match: {}, rules: {}}]", "expected a team"),
        ("overrides: [{match: {deployment: a}, rules: {}}]", "expected a team"),
        ("overrides: [{match: {team: a, namespace: b}, rules: {}}]", "expected a team"),
        ("overrides: [{match: {team: a}, rules: {evaluation-incomplete: {}}}]", "of the cluster"),
        ("coldStart: 1m\ncoldStart: 2m", "uplicate"),
        ("a: &a [x, x]\nb: &b [*a, *a]", "unknown field"),
    ] {
        let message = refused(body);
        assert!(message.contains(part), "{body}: {message}");
    }
    assert!(Policy::parse("").is_err());
    assert!(Policy::parse("apiVersion: podledger/v2\nkind: Policy").is_err());
    assert!(Policy::parse("apiVersion: podledger/v1\nkind: Polcy").is_err());
    assert!(Policy::parse(&format!("{HEAD}#{}", "x".repeat(1 << 20))).is_err());
}
