//! Closed vocabularies: each word has one spelling, in messages, rows and reports.

/// A word outside its vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {vocabulary}: expected one of {expected}")]
pub struct UnknownWord {
    /// The word as written.
    pub word: String,
    /// Name of the vocabulary.
    pub vocabulary: &'static str,
    /// The words it has.
    pub expected: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$word_doc])* $variant,)+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it is written everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or_else(|| UnknownWord {
                    word: word.to_owned(),
                    vocabulary: stringify!($name),
                    expected: Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

words! {
    /// Why a snapshot was taken; it travels from request to rows.
    Purpose {
        /// By a schedule.
        Scheduled = "scheduled",
        /// By a person.
        Manual = "manual",
        /// Derived again from stored objects: never opens, resolves or notifies.
        Backfill = "backfill",
    }
}
words! {
    /// How bad a violation is, from least to most.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Worth a look.
        Warning = "warning",
        /// A person should look now.
        Critical = "critical",
    }
}
words! {
    /// A change of state of an episode.
    AlertState {
        /// The rule was found broken.
        Opened = "opened",
        /// The observed value rose above the highest already told.
        Worsened = "worsened",
        /// Nothing was told for the repeat interval.
        Reminded = "reminded",
        /// The rule holds again.
        Resolved = "resolved",
    }
}
words! {
    /// Kinds of violation, and the operators' notice that judging was not possible.
    Rule {
        /// actual > limit + surge allowance.
        OverLimit = "over-limit",
        /// desired > limit.
        DesiredOverLimit = "desired-over-limit",
        /// Autoscaler ceiling > limit.
        CeilingOverLimit = "ceiling-over-limit",
        /// Autoscaler ceiling differs from the limit.
        CeilingDiffers = "ceiling-differs",
        /// Actual or declared limit outside the platform's range.
        OutOfRange = "out-of-range",
        /// No declaration.
        Undeclared = "undeclared",
        /// Actual differs from desired for too long.
        DesiredNotMet = "desired-not-met",
        /// The autoscaler wants more than it may have.
        AtCeiling = "at-ceiling",
        /// Actual jumped between two snapshots.
        SuddenChange = "sudden-change",
        /// A change outside the declared pipeline.
        Bypass = "bypass",
        /// An autoscaler without a target, or two on one.
        UnboundAutoscaler = "unbound-autoscaler",
        /// Data needed for judging was missing: a notice to the operators.
        EvaluationIncomplete = "evaluation-incomplete",
    }
}
words! {
    /// Why a rule is broken, chosen from the evidence at hand.
    Cause {
        /// Somebody changed the Deployment's replicas by hand.
        ScaledByHand = "scaled-by-hand",
        /// Somebody raised the autoscaler's maximum.
        CeilingRaised = "ceiling-raised",
        /// The limit fell below what already ran.
        LimitLowered = "limit-lowered",
        /// A rollout holds more pods than its allowance.
        RolloutSurge = "rollout-surge",
        /// The autoscaler scaled.
        Autoscaler = "autoscaler",
        /// The pipeline deployed it so.
        DeployedOverLimit = "deployed-over-limit",
        /// No evidence.
        Unknown = "unknown",
    }
}
words! {
    /// Who made a change.
    ActorKind {
        /// A person's e-mail or user name.
        Person = "person",
        /// A service account that is not a pipeline.
        ServiceAccount = "service-account",
        /// A configured pipeline identity.
        Pipeline = "pipeline",
        /// The horizontal pod autoscaler.
        Autoscaler = "autoscaler",
        /// A Kubernetes controller.
        Controller = "controller",
        /// Not logged.
        Unknown = "unknown",
    }
}
words! {
    /// Where a change was seen.
    ChangeSource {
        /// The audit log.
        Audit = "audit",
        /// A watch of the API.
        Watch = "watch",
    }
}
words! {
    /// The number that was changed.
    ReplicaField {
        /// spec.replicas.
        Replicas = "replicas",
        /// The autoscaler's minReplicas.
        MinReplicas = "min_replicas",
        /// The autoscaler's maxReplicas.
        MaxReplicas = "max_replicas",
    }
}
words! {
    /// What a declaration says of its workload.
    DeclarationStatus {
        /// The limit holds from its time on.
        Applied = "applied",
        /// The workload is no longer declared from its time on.
        Retired = "retired",
    }
}

impl Default for Purpose {
    /// What a scheduler that says nothing means.
    fn default() -> Self {
        Self::Scheduled
    }
}
