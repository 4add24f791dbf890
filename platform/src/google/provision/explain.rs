//! What to do about a call that Google refused.

use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::{Code, StatusDetails};

use super::super::failure::{Effect, outcome};
use crate::ports::PortError;

/// The reason that Google gives where an API was never switched on.
const SERVICE_DISABLED: &str = "SERVICE_DISABLED";

/// One kind of call: what it needs to be allowed, for the sentence that says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// What is attempted, such as `create topic`.
    pub(super) verb: &'static str,
    /// The permissions it may need.
    pub(super) permissions: &'static str,
    /// A predefined role that holds them.
    pub(super) role: &'static str,
    /// The API that must be enabled.
    pub(super) api: &'static str,
    /// Whether it could have changed something.
    pub(super) effect: Effect,
}

impl Call {
    /// The port's error, with what to do about it where that is known.
    pub(super) fn failed(&self, what: &str, project: &str, error: Error) -> PortError {
        let attempted = format!("{} {what} in project {project}", self.verb);
        let came_to = outcome(&error, self.effect);
        match self.advice(project, &error) {
            Some(advice) => came_to.error(attempted, anyhow::Error::new(error).context(advice)),
            None => came_to.error(attempted, error),
        }
    }

    fn advice(&self, project: &str, error: &Error) -> Option<String> {
        if error.is_authentication() {
            return Some("no usable credentials: run `gcloud auth application-default login`, or name a service account's key in GOOGLE_APPLICATION_CREDENTIALS".to_owned());
        }
        let told = error.status().map(|status| (status.code, status.details.as_slice()));
        let (code, details) = told.unwrap_or((Code::Unknown, &[]));
        let info = details.iter().find_map(|detail| match detail {
            StatusDetails::ErrorInfo(info) => Some(info),
            _ => None,
        });
        if info.is_some_and(|info| info.reason == SERVICE_DISABLED) {
            let service = info.and_then(|info| info.metadata.get("service")).map_or(self.api, String::as_str);
            return Some(format!(
                "the API {service} is not enabled: run `gcloud services enable {service} --project {project}`"
            ));
        }
        let denied = code == Code::PermissionDenied || error.http_status_code() == Some(403);
        if denied {
            let missing =
                info.and_then(|info| info.metadata.get("permission")).map_or(self.permissions, String::as_str);
            return Some(format!("permission {missing} is missing ({} has it)", self.role));
        }
        None
    }
}

/// Whether the resource was there already.
pub(super) fn already_exists(error: &Error) -> bool {
    error.status().map_or(error.http_status_code() == Some(409), |status| status.code == Code::AlreadyExists)
}

/// Whether the resource is not there.
pub(super) fn not_found(error: &Error) -> bool {
    error.status().map_or(error.http_status_code() == Some(404), |status| status.code == Code::NotFound)
}

#[cfg(test)]
mod tests {
    use google_cloud_gax::error::rpc::Status;
    use serde_json::json;

    use super::*;

    const CREATE: Call = Call {
        verb: "create topic",
        permissions: "pubsub.topics.create",
        role: "roles/pubsub.editor",
        api: "pubsub.googleapis.com",
        effect: Effect::Write,
    };

    fn refused(code: Code, info: serde_json::Value) -> String {
        let details: StatusDetails = serde_json::from_value(info).unwrap();
        let status = Status::default().set_code(code).set_message("no").set_details([details]);
        CREATE.failed("raw-batches", "acme", Error::service(status)).to_string()
    }

    fn info(reason: &str, metadata: serde_json::Value) -> serde_json::Value {
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata})
    }

    #[test]
    fn a_denied_call_names_resource_project_permission_and_role() {
        let plain =
            CREATE.failed("raw-batches", "acme", Error::service(Status::default().set_code(Code::PermissionDenied)));
        assert!(matches!(plain, PortError::NeverWill { .. }));
        for part in ["create topic raw-batches", "project acme", "pubsub.topics.create", "roles/pubsub.editor"] {
            assert!(plain.to_string().contains(part), "{part} is not in {plain}");
        }
    }

    #[test]
    fn the_permission_that_google_names_wins() {
        let told = refused(
            Code::PermissionDenied,
            info("IAM_PERMISSION_DENIED", json!({"permission": "pubsub.schemas.attach", "resource": "projects/acme"})),
        );
        assert!(told.contains("permission pubsub.schemas.attach is missing"), "{told}");
        assert!(!told.contains("pubsub.topics.create"), "{told}");
    }

    #[test]
    fn an_api_that_is_not_enabled_is_named_with_what_enables_it() {
        let told = refused(
            Code::PermissionDenied,
            info("SERVICE_DISABLED", json!({"service": "pubsub.googleapis.com", "consumer": "projects/1"})),
        );
        assert!(told.contains("gcloud services enable pubsub.googleapis.com --project acme"), "{told}");
    }

    #[test]
    fn other_failures_are_told_as_they_are() {
        let error = Error::service(Status::default().set_code(Code::Unavailable).set_message("down for a moment"));
        let told = CREATE.failed("raw-batches", "acme", error);
        assert!(matches!(told, PortError::MayHaveHappened { .. }));
        assert!(told.to_string().contains("down for a moment") && !told.to_string().contains("permission"), "{told}");
    }
}
