//! Native audit events as calls.

use super::call::{Call, ClusterLabels, Logged, Verb, part};
use super::entry::{Entry, filled};
use super::outcome::{Outcome, Reject, Skip, shown};
use super::target::Target;

/// The stage at which a call is done.
const COMPLETE: &str = "ResponseComplete";
/// The first HTTP status code that means failure.
const FIRST_FAILURE: i64 = 400;

/// The call an audit event tells of.
pub(super) fn call<'a>(event: &'a Entry<'a>) -> Result<Call<'a>, Outcome> {
    known_version(event)?;
    let uri = filled(event.request_uri.as_ref()).unwrap_or("");
    let object = event.object_ref.as_ref().ok_or_else(|| Skip::NoObject { uri: shown(uri) })?;
    let resource = filled(object.resource.as_ref()).ok_or_else(|| Skip::NoObject { uri: shown(uri) })?;
    let target = Target::of_resource(filled(object.api_group.as_ref()).unwrap_or(""), resource)?;
    let verb = filled(event.verb.as_ref()).ok_or(Reject::Missing { what: "verb" })?;
    let verb = Verb::of(verb)?;
    let part = part(target, filled(object.subresource.as_ref()).unwrap_or(""))?;
    let code = event.response_status.as_ref().and_then(|status| status.code);
    match filled(event.stage.as_ref()) {
        Some(COMPLETE) => {}
        Some(stage) => return Err(Skip::NotComplete { stage: shown(stage) }.into()),
        None if event.response_status.is_some() => {}
        None => return Err(Skip::NotKnownComplete.into()),
    }
    if let Some(code) = code.filter(|code| *code >= FIRST_FAILURE) {
        return Err(Skip::Failed { code }.into());
    }
    if asks_for_dry_run(uri) {
        return Err(Skip::DryRun.into());
    }
    Ok(Call {
        entry_id: filled(event.audit_id.as_ref()),
        occurred_at: filled(event.request_received_timestamp.as_ref())
            .or_else(|| filled(event.timestamp.as_ref()))
            .or_else(|| filled(event.stage_timestamp.as_ref())),
        cluster: ClusterLabels::default(),
        target,
        part,
        verb,
        namespace: filled(object.namespace.as_ref()),
        name: filled(object.name.as_ref()),
        request: Logged::of("requestObject", event.request_object),
        response: Logged::of("responseObject", event.response_object),
        code,
        actor: event.user.as_ref().and_then(|user| filled(user.username.as_ref())).unwrap_or(""),
        on_behalf_of: event.impersonated_user.as_ref().and_then(|user| filled(user.username.as_ref())),
        user_agent: filled(event.user_agent.as_ref()),
    })
}

/// Whether it is an audit event of a version that is read. Collectors drop the API version of some
/// events; what names a verb and an object or a path is an audit event then too.
fn known_version(event: &Entry<'_>) -> Result<(), Reject> {
    let kind = filled(event.kind.as_ref()).unwrap_or("");
    let version = filled(event.api_version.as_ref()).unwrap_or("");
    let looks_native = event.verb.is_some() && (event.object_ref.is_some() || event.request_uri.is_some());
    match (kind, version) {
        ("Event", "audit.k8s.io/v1" | "audit.k8s.io/v1beta1") => Ok(()),
        ("Event" | "", "") if looks_native => Ok(()),
        ("Event", version) if version.starts_with("audit.k8s.io/") => {
            Err(Reject::UnknownVersion { version: shown(version) })
        }
        _ => Err(Reject::UnknownForm { kind: shown(kind), api_version: shown(version) }),
    }
}

/// Whether the query of a request asks for a dry run.
fn asks_for_dry_run(uri: &str) -> bool {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| matches!(pair.split_once('='), Some(("dryRun", value)) if !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_shows_only_in_the_query() {
        assert!(asks_for_dry_run("/apis/apps/v1/namespaces/a/deployments/b?dryRun=All"));
        assert!(asks_for_dry_run("/x?fieldManager=me&dryRun=All&force=true"));
        for uri in ["/x", "/x?dryRun=", "/x?dryRun", "/dryRun=All", "/x?fieldManager=dryRun=All", "/x?notdryRun=All"] {
            assert!(!asks_for_dry_run(uri), "{uri}");
        }
    }
}
