//! What a call changed.

use schemas::{ChangeSource, IdBuilder, ReplicaChange, ReplicaField, Timestamp};

use super::body::{Body, Object, Setting};
use super::call::{Call, Part, Verb};
use super::outcome::{Outcome, Reject, Skip};
use super::target::{Target, default_of, key};
use super::{AuditContext, NumberKey, actor};

/// The changes a call made: never an empty list.
pub(super) fn changes(call: &Call<'_>, entry: &[u8], context: &AuditContext) -> Result<Vec<ReplicaChange>, Outcome> {
    let request = call.request.map(Body::read).transpose()?;
    if request.as_ref().and_then(Body::object).is_some_and(Object::dry_run) {
        return Err(Skip::DryRun.into());
    }
    let response = call.response.map(Body::read).transpose()?;
    let response = response.as_ref().and_then(Body::object);
    if let Some(reason) = response.and_then(Object::failure) {
        return Err(Skip::FailedResponse { reason }.into());
    }
    let told = Told { call, request: request.as_ref(), response };
    let workload = told.workload(context)?;
    let differences = match call.verb {
        Verb::Delete => vec![told.deletion(&workload, context)],
        Verb::DeleteCollection => vec![told.collection_deletion()?],
        Verb::Create | Verb::Update | Verb::Patch => told.differences(&workload, context)?,
    };
    let occurred_at = Timestamp::parse(call.occurred_at.ok_or(Reject::Missing { what: "the time of the call" })?)
        .map_err(Reject::from)?;
    Ok(differences
        .into_iter()
        .map(|difference| ReplicaChange {
            event_id: event_id(call, entry, difference.field),
            occurred_at,
            cluster: workload.cluster.clone(),
            namespace: workload.namespace.clone(),
            deployment_name: workload.deployment.clone(),
            target_kind: call.target.kind().to_owned(),
            target_name: workload.name.clone(),
            field: difference.field,
            old_value: difference.old,
            new_value: difference.new,
            verb: call.verb.as_str().to_owned(),
            actor: call.actor.to_owned(),
            actor_kind: actor::kind(call.actor, context),
            on_behalf_of: call.on_behalf_of.map(str::to_owned),
            user_agent: call.user_agent.map(str::to_owned),
            source: ChangeSource::Audit,
            code: call.code,
        })
        .collect())
}

/// The id of a change: the same for the same entry however often and wherever it is delivered.
fn event_id(call: &Call<'_>, entry: &[u8], field: ReplicaField) -> schemas::EventId {
    let id = IdBuilder::new("replica-change");
    let id = match call.entry_id {
        Some(entry_id) => id.part("entry", entry_id),
        None => id.part("content", entry),
    };
    id.part("field", field.as_str()).finish()
}

/// One number before and after.
struct Difference {
    field: ReplicaField,
    old: Option<i64>,
    new: Option<i64>,
}

/// The object a call wrote.
struct Workload {
    cluster: schemas::ClusterName,
    namespace: String,
    name: String,
    deployment: Option<String>,
}

/// A call with its bodies read.
struct Told<'t, 'a> {
    call: &'t Call<'a>,
    request: Option<&'t Body<'a>>,
    response: Option<&'t Object<'a>>,
}

impl Told<'_, '_> {
    fn workload(&self, context: &AuditContext) -> Result<Workload, Reject> {
        let call = self.call;
        let request = self.request.and_then(Body::object);
        let namespace = call
            .namespace
            .or_else(|| self.response.and_then(Object::namespace))
            .or_else(|| request.and_then(Object::namespace))
            .ok_or(Reject::Missing { what: "the namespace of the object" })?;
        let name = match call.verb {
            Verb::DeleteCollection => "",
            // A generated name is known to the response only.
            _ => call
                .name
                .or_else(|| self.response.and_then(Object::name))
                .or_else(|| request.and_then(Object::name))
                .ok_or(Reject::Missing { what: "the name of the object" })?,
        };
        let deployment = match call.target {
            Target::Deployment => Some(name).filter(|name| !name.is_empty()),
            Target::StatefulSet => None,
            Target::HorizontalPodAutoscaler => self
                .response
                .and_then(Object::scaled_deployment)
                .or_else(|| request.and_then(Object::scaled_deployment)),
        };
        Ok(Workload {
            cluster: context.cluster(&call.cluster)?,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            deployment: deployment.map(str::to_owned),
        })
    }

    /// The number of a deleted object.
    fn deletion(&self, workload: &Workload, context: &AuditContext) -> Difference {
        let field = self.call.target.leading_field();
        Difference { field, old: known(context, workload, self.call.target, field), new: None }
    }

    /// The objects of a deleted collection are not named.
    fn collection_deletion(&self) -> Result<Difference, Outcome> {
        if self.response.is_some_and(Object::is_empty_list) {
            return Err(Skip::EmptyCollection.into());
        }
        Ok(Difference { field: self.call.target.leading_field(), old: None, new: None })
    }

    /// The numbers that a write changed.
    fn differences(&self, workload: &Workload, context: &AuditContext) -> Result<Vec<Difference>, Outcome> {
        let target = self.call.target;
        if self.request.is_none() && self.response.is_none() {
            // Over the log's size limit, or logged as metadata only: changed, value unknown.
            let field = target.leading_field();
            return Ok(vec![Difference { field, old: known(context, workload, target, field), new: None }]);
        }
        let mut differences = Vec::new();
        let mut unchanged = None;
        for field in target.fields().iter().copied() {
            let (set, asked) = self.asked(field)?;
            let answered = self.response_value(field)?;
            let old = known(context, workload, target, field).filter(|_| self.call.verb != Verb::Create);
            let differs = old.is_some() && answered.is_some() && old != answered;
            if !set && !differs {
                continue;
            }
            let new = answered.or(asked);
            match (old, new) {
                (Some(before), Some(after)) if before == after => {
                    unchanged = Some(Skip::Unchanged { field: key(field), value: after });
                }
                _ => differences.push(Difference { field, old, new }),
            }
        }
        if differences.is_empty() {
            Err(unchanged.unwrap_or_else(|| self.nothing_set()).into())
        } else {
            Ok(differences)
        }
    }

    /// Whether the request sets a number, and to what where it shows that.
    fn asked(&self, field: ReplicaField) -> Result<(bool, Option<i64>), Reject> {
        let (part, verb) = (self.call.part, self.call.verb);
        let Some(request) = self.request else {
            // A Scale is nothing but the number, and a whole object brings all of them.
            return Ok((part == Part::Scale || verb != Verb::Patch, None));
        };
        Ok(match request.setting(field, part, verb)? {
            Setting::Untouched => (false, None),
            Setting::Number(number) => (true, Some(number)),
            Setting::Cleared if part == Part::Scale => (true, Some(0)),
            Setting::Cleared => (true, default_of(field)),
            Setting::Unknown => (true, None),
        })
    }

    /// The number as the response shows it.
    fn response_value(&self, field: ReplicaField) -> Result<Option<i64>, Reject> {
        let place = self.call.response.map_or("response", |response| response.place);
        self.response.map_or(Ok(None), |response| response.value_of(field, self.call.part, place))
    }

    /// Why no number was set.
    fn nothing_set(&self) -> Skip {
        let fields = self.call.target.field_names();
        match self.request {
            None => Skip::PatchNotLogged { fields },
            Some(_) => Skip::NotSet { verb: self.call.verb.as_str(), fields },
        }
    }
}

/// What a number was before the call, as far as anybody told.
fn known(context: &AuditContext, workload: &Workload, target: Target, field: ReplicaField) -> Option<i64> {
    if context.last_known.is_empty() {
        return None;
    }
    context.last_known.get(&NumberKey {
        cluster: workload.cluster.clone(),
        namespace: workload.namespace.clone(),
        target,
        name: workload.name.clone(),
        field,
    })
}
