//! What a snapshot does not show, and whom that protects: no data is not zero.

use std::collections::HashSet;

/// What it means that a workload is not among the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// It is gone.
    Proven,
    /// It is gone, unless it is one of these: objects of that namespace and name were rejected.
    ProvenBut(HashSet<(String, String)>),
    /// Nothing: the list is not complete, or something unknown could not be read.
    Unproven,
}

/// What is known of autoscalers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autoscalers {
    /// All of them.
    Known,
    /// Those that could be read; others exist.
    SomeUnread,
    /// The list is not complete, or was not asked for.
    Unknown,
}

/// What a snapshot shows, and what not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// What the absence of a workload means.
    pub absence: Absence,
    /// What is known of autoscalers.
    pub autoscalers: Autoscalers,
    /// Whether everything that judging needs was asked for. Where not, nothing is said about
    /// completeness.
    pub asked_for_all: bool,
    /// Why judging is incomplete, for the operators.
    pub gaps: Vec<String>,
}

impl Coverage {
    /// Nothing is missing.
    pub const fn complete() -> Self {
        Self { absence: Absence::Proven, autoscalers: Autoscalers::Known, asked_for_all: true, gaps: Vec::new() }
    }

    /// Whether a workload that is not among the rows is gone.
    pub fn proves_absence_of(&self, namespace: &str, deployment: &str) -> bool {
        match &self.absence {
            Absence::Proven => true,
            Absence::ProvenBut(unread) => {
                // Rejected objects are few; a scan needs no owned key.
                !unread.iter().any(|(of, name)| of == namespace && name == deployment)
            }
            Absence::Unproven => false,
        }
    }

    /// Adds that some Deployments could not be read. `object` is the namespace and name as far as
    /// they are known, joined by a slash.
    pub fn deployment_rejected(&mut self, object: &str) {
        let known = object.split_once('/').filter(|(namespace, name)| {
            !namespace.is_empty() && !name.is_empty() && !name.contains('/') && !name.contains(char::is_whitespace)
        });
        self.absence = match (std::mem::replace(&mut self.absence, Absence::Unproven), known) {
            (Absence::Unproven, _) | (_, None) => Absence::Unproven,
            (Absence::Proven, Some((namespace, name))) => {
                Absence::ProvenBut(HashSet::from([(namespace.to_owned(), name.to_owned())]))
            }
            (Absence::ProvenBut(mut unread), Some((namespace, name))) => {
                unread.insert((namespace.to_owned(), name.to_owned()));
                Absence::ProvenBut(unread)
            }
        };
    }

    /// Adds that some autoscalers could not be read.
    pub fn autoscalers_unread(&mut self) {
        if self.autoscalers == Autoscalers::Known {
            self.autoscalers = Autoscalers::SomeUnread;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_object_protects_its_own_name_and_an_unknown_one_all() {
        let mut coverage = Coverage::complete();
        coverage.deployment_rejected("payments/orders-api");
        coverage.deployment_rejected("payments/refunds-api");
        assert!(!coverage.proves_absence_of("payments", "orders-api"));
        assert!(!coverage.proves_absence_of("payments", "refunds-api"));
        assert!(coverage.proves_absence_of("payments", "other"));
        for object in ["", "orders-api", "/orders-api", "payments/", "a/b/c", "payments/?? (no name)"] {
            let mut coverage = Coverage::complete();
            coverage.deployment_rejected(object);
            assert_eq!(coverage.absence, Absence::Unproven, "{object:?}");
            coverage.deployment_rejected("payments/orders-api");
            assert_eq!(coverage.absence, Absence::Unproven, "{object:?}");
        }
    }
}
