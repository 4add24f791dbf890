//! One declaration: from a tree, and into the message.

use schemas::{ClusterName, DeclarationStatus, IdBuilder, Json, LimitDeclaration, Timestamp};

use super::field::{Field, OWN_KEYS};
use super::mapping::{MAX_QUOTED_CHARS, Mapping, unknown};
use super::names::{LABEL, SUBDOMAIN, is_label, is_subdomain};
use super::quantity::is_quantity;
use super::{API_VERSION, KIND, PedError, Problem, REPLICA_RANGE};
use crate::yaml::{Node, Value};

/// What one document declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PedDocument {
    /// The file, as it was given.
    pub file: String,
    /// The line the document's first value stands at, from 1.
    pub line: usize,
    /// API.
    pub api: Option<String>,
    /// Team.
    pub team: Option<String>,
    /// User who answers for it.
    pub user: Option<String>,
    /// Kubernetes namespace, a DNS label.
    pub namespace: String,
    /// Deployment, a DNS name.
    pub deployment: String,
    /// Cluster it holds for; none means every cluster.
    pub cluster: Option<ClusterName>,
    /// The limit, within [`REPLICA_RANGE`].
    pub max_replicas: i64,
    /// Image.
    pub image: Option<String>,
    /// Resource limits: a JSON object from resource to quantity, as written.
    pub resources_limits: Option<Json>,
    /// Resource requests, likewise.
    pub resources_requests: Option<Json>,
    /// Environment, JSON.
    pub environment: Option<Json>,
    /// Volumes, JSON.
    pub volumes: Option<Json>,
    /// Why, in the team's words.
    pub change_reason: Option<String>,
}

/// Who declared something, when, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// From when on the declaration holds.
    pub declared_at: Timestamp,
    /// When it is registered.
    pub registered_at: Timestamp,
    /// Who declared it.
    pub by: String,
    /// Where the file is: repository, path, commit.
    pub source: Json,
}

impl PedDocument {
    /// The workload it declares: namespace, Deployment, and cluster where it names one.
    pub fn workload(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("{}/{} on {cluster}", self.namespace, self.deployment),
            None => format!("{}/{}", self.namespace, self.deployment),
        }
    }

    /// Where it is, as `file:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The message that registers it. The same document declared at the same time has the same id;
    /// who declared it and where the file lies do not matter to that.
    pub fn declaration(&self, stamp: &Stamp) -> LimitDeclaration {
        let json = |json: &Option<Json>| json.as_ref().map(|json| json.as_str().to_owned());
        LimitDeclaration {
            declaration_id: self.id(stamp.declared_at),
            timestamp: stamp.declared_at,
            namespace: self.namespace.clone(),
            deployment_name: self.deployment.clone(),
            cluster: self.cluster.clone(),
            initial_max_replicas: None,
            max_replicas: self.max_replicas,
            image: self.image.clone(),
            resources_limits: json(&self.resources_limits),
            resources_requests: json(&self.resources_requests),
            environment: json(&self.environment),
            volumes: json(&self.volumes),
            updated_by: stamp.by.clone(),
            created_at: stamp.registered_at,
            updated_at: stamp.registered_at,
            change_reason: self.change_reason.clone(),
            api_id: self.api.clone(),
            team_id: self.team.clone(),
            user_id: self.user.clone(),
            source: Some(stamp.source.clone()),
            status: DeclarationStatus::Applied,
        }
    }

    /// Hash of the workload, the content and the time.
    fn id(&self, declared_at: Timestamp) -> schemas::DeclarationId {
        let text = |text: &Option<String>| text.clone();
        let json = |json: &Option<Json>| json.as_ref().map(|json| json.as_str().to_owned());
        IdBuilder::new("declaration")
            .part("namespace", &self.namespace)
            .part("deployment", &self.deployment)
            .optional("cluster", self.cluster.as_ref().map(ClusterName::as_str))
            .part("max_replicas", self.max_replicas.to_string())
            .optional("api", text(&self.api))
            .optional("team", text(&self.team))
            .optional("user", text(&self.user))
            .optional("image", text(&self.image))
            .optional("limits", json(&self.resources_limits))
            .optional("requests", json(&self.resources_requests))
            .optional("environment", json(&self.environment))
            .optional("volumes", json(&self.volumes))
            .optional("change_reason", text(&self.change_reason))
            .part("declared_at", declared_at.micros().to_string())
            .finish()
    }
}

/// Reads one document's tree, in podledger's own shape or a team's.
pub(crate) fn read_node(node: &Node, file: &str, mapping: Option<&Mapping>) -> Result<PedDocument, PedError> {
    let own;
    let mapping = match mapping {
        Some(mapping) => mapping,
        None => {
            own = Mapping::own();
            &own
        }
    };
    if !matches!(node.value, Value::Map(_)) {
        let reason = format!("the document is {}, expected a map", found(node));
        return Err(PedError::one(file, node.line, node.column, reason));
    }
    let mut reader = Reader { document: node, mapping, problems: Vec::new() };
    if mapping.is_own() {
        reader.check_own_shape();
    }
    let document = reader.document(file);
    match document {
        Some(document) if reader.problems.is_empty() => Ok(document),
        _ => Err(PedError { file: file.to_owned(), problems: reader.problems }),
    }
}

/// Reads fields and collects what is wrong with them.
struct Reader<'n> {
    document: &'n Node,
    mapping: &'n Mapping,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self, file: &str) -> Option<PedDocument> {
        let api = self.text(Field::Api);
        let team = self.text(Field::Team);
        let user = self.text(Field::User);
        let namespace = self.name(Field::Namespace, is_label, LABEL);
        let deployment = self.name(Field::Deployment, is_subdomain, SUBDOMAIN);
        let cluster = self.cluster();
        let max_replicas = self.max_replicas();
        let image = self.text(Field::Image);
        let resources_limits = self.resources(Field::Limits);
        let resources_requests = self.resources(Field::Requests);
        let environment = self.structure(Field::Environment);
        let volumes = self.structure(Field::Volumes);
        let change_reason = self.text(Field::ChangeReason);
        Some(PedDocument {
            file: file.to_owned(),
            line: self.document.line,
            api,
            team,
            user,
            namespace: namespace?,
            deployment: deployment?,
            cluster,
            max_replicas: max_replicas?,
            image,
            resources_limits,
            resources_requests,
            environment,
            volumes,
            change_reason,
        })
    }

    fn problem(&mut self, at: &Node, reason: String) {
        self.problems.push(Problem { line: at.line, column: at.column, reason });
    }

    /// Checks version, kind, and that every key is known.
    fn check_own_shape(&mut self) {
        let document = self.document;
        for (key, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            match document.get(key) {
                Some(node) if node.text() == Some(expected) => {}
                Some(node) => self.problem(node, format!("{key} is {}, expected {expected:?}", found(node))),
                None => self.problem(document, format!("{key} is missing, expected {expected:?}")),
            }
        }
        for (path, known) in OWN_KEYS {
            let parts = path.split('.').filter(|part| !part.is_empty());
            let Some(node) = parts.clone().try_fold(document, |node, part| node.get(part)) else { continue };
            match &node.value {
                Value::Map(entries) => {
                    let unknown_keys = entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str()));
                    for (key, _) in unknown_keys {
                        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
                        let reason = format!("{place}{}", unknown(&key.text, "a known field", known.iter().copied()));
                        self.problems.push(Problem { line: key.line, column: key.column, reason });
                    }
                }
                Value::Null => {}
                _ => self.problem(node, format!("{path} is {}, expected a map", found(node))),
            }
        }
    }

    /// The node of a field; says so where a needed one is missing.
    fn node(&mut self, field: Field) -> Option<&'_ Node> {
        let found = self.mapping.find(self.document, field);
        if found.is_none() && field.is_required() {
            let path = self.mapping.path(field).unwrap_or(field.name()).to_owned();
            self.problem(self.document, format!("{path} is missing"));
        }
        found
    }

    /// The path of a field, for errors.
    fn path(&self, field: Field) -> String {
        self.mapping.path(field).unwrap_or(field.name()).to_owned()
    }

    fn text(&mut self, field: Field) -> Option<String> {
        let path = self.path(field);
        let node = self.node(field)?.clone();
        match &node.value {
            Value::Text(text) if !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES => Some(text.clone()),
            Value::Text(text) if text.len() > MAX_TEXT_BYTES => {
                self.problem(&node, format!("{path} has more than {MAX_TEXT_BYTES} bytes"));
                None
            }
            Value::Text(_) => {
                self.problem(&node, format!("{path} is empty"));
                None
            }
            Value::Number(_) | Value::Bool(_) => {
                self.problem(&node, format!("{path} is {}, expected text: write it in quotes", found(&node)));
                None
            }
            _ => {
                self.problem(&node, format!("{path} is {}, expected text", found(&node)));
                None
            }
        }
    }

    fn name(&mut self, field: Field, is_name: fn(&str) -> bool, expected: &str) -> Option<String> {
        let path = self.path(field);
        let at = self.mapping.find(self.document, field).cloned();
        let name = self.text(field)?;
        if is_name(&name) {
            return Some(name);
        }
        let at = at.as_ref().unwrap_or(self.document).clone();
        self.problem(&at, format!("{path} is {}, expected {expected}", found(&at)));
        None
    }

    fn cluster(&mut self) -> Option<ClusterName> {
        let path = self.path(Field::Cluster);
        let at = self.mapping.find(self.document, Field::Cluster).cloned();
        let name = self.text(Field::Cluster)?;
        match ClusterName::parse(&name) {
            Ok(cluster) => Some(cluster),
            Err(error) => {
                let at = at.as_ref().unwrap_or(self.document).clone();
                self.problem(&at, format!("{path}: {error}"));
                None
            }
        }
    }

    fn max_replicas(&mut self) -> Option<i64> {
        let path = self.path(Field::MaxReplicas);
        let node = self.node(Field::MaxReplicas)?.clone();
        let whole = match &node.value {
            Value::Number(number) => number.parse::<i64>().ok(),
            _ => None,
        };
        let limit = whole.filter(|limit| REPLICA_RANGE.contains(limit));
        if limit.is_none() {
            let (least, most) = (REPLICA_RANGE.start(), REPLICA_RANGE.end());
            self.problem(&node, format!("{path} is {}, expected a whole number from {least} to {most}", found(&node)));
        }
        limit
    }

    /// A map from resource to quantity, as JSON with the quantities as written.
    fn resources(&mut self, field: Field) -> Option<Json> {
        let path = self.path(field);
        let node = self.node(field)?.clone();
        let Value::Map(entries) = &node.value else {
            self.problem(&node, format!("{path} is {}, expected a map such as {{cpu: 500m}}", found(&node)));
            return None;
        };
        let mut quantities = serde_json::Map::new();
        for (key, value) in entries {
            match &value.value {
                Value::Number(text) | Value::Text(text) if is_quantity(text) => {
                    quantities.insert(key.text.clone(), serde_json::Value::from(text.as_str()));
                }
                _ => {
                    let reason = format!(
                        "{path}.{} is {}, expected a quantity such as 500m, 1.5 or 4Gi",
                        key.text,
                        found(value)
                    );
                    self.problem(value, reason);
                }
            }
        }
        Some(Json::from(serde_json::Value::Object(quantities)))
    }

    /// A map or a list, as JSON.
    fn structure(&mut self, field: Field) -> Option<Json> {
        let path = self.path(field);
        let node = self.node(field)?.clone();
        if matches!(node.value, Value::Map(_) | Value::List(_))
            && let Ok(json) = Json::parse(&node.to_json())
        {
            return Some(json);
        }
        self.problem(&node, format!("{path} is {}, expected a map or a list", found(&node)));
        None
    }
}

/// Longest text of a field, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// A value as a sentence names it.
fn found(node: &Node) -> String {
    let shown = |text: &str| text.chars().take(MAX_QUOTED_CHARS).collect::<String>();
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => shown(number),
        Value::Text(text) => format!("the text {:?}", shown(text)),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
    }
}
