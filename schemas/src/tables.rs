//! Tables and their columns, read from the row schemas: the one place that knows them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::codec::{AvroRecord, RecordSchema};

macro_rules! tables {
    ($($variant:ident = $name:literal: $record:ident,)+) => {
        /// A table of the warehouse.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl Table {
            /// Every table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The schema of its rows.
            pub fn schema(self) -> &'static RecordSchema {
                match self { $(Self::$variant => crate::$record::schema(),)+ }
            }
        }
    };
}

tables! {
    HpaData = "hpa_data": HpaData,
    GkePods = "gke_pods": GkePods,
    GkeDeployments = "gke_deployments": GkeDeployments,
    GkeNodes = "gke_nodes": GkeNodes,
    GkeClusters = "gke_clusters": GkeClusters,
    GkePodUsage = "gke_pod_usage": GkePodUsage,
    FirestoreDocuments = "firestore_documents": FirestoreDocuments,
    FirestoreApis = "firestore_apis": FirestoreApis,
    FirestoreCapextchannels = "firestore_capextchannels": FirestoreCapextchannels,
    FirestoreBackendservices = "firestore_backendservices": FirestoreBackendservices,
    LimitDeclarations = "limit_declarations": LimitDeclaration,
    ReplicaChanges = "replica_changes": ReplicaChange,
    AlertLog = "alert_log": Violation,
    NotificationLog = "notification_log": Notification,
    RejectedRows = "rejected_rows": RejectedRows,
    DeadLetters = "dead_letters": DeadLetters,
    PipelineLedger = "pipeline_ledger": PipelineLedger,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    String,
    /// 64-bit whole number.
    Int64,
    /// True or false.
    Bool,
    /// A moment in UTC, microseconds.
    Timestamp,
    /// Text that is JSON.
    Json,
    /// Bytes.
    Bytes,
    /// An array of Kubernetes conditions.
    Conditions,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it means.
    pub doc: String,
}

/// What a row schema says of its table.
#[derive(Debug)]
struct Layout {
    columns: Vec<Column>,
    time_column: String,
    cluster_by: Vec<String>,
    key: Vec<String>,
}

static LAYOUTS: LazyLock<BTreeMap<Table, Layout>> =
    LazyLock::new(|| Table::ALL.iter().map(|table| (*table, Layout::of(*table))).collect());

impl Table {
    /// The table of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|table| table.name() == name)
    }

    /// Its columns, in order.
    pub fn columns(self) -> &'static [Column] {
        &LAYOUTS[&self].columns
    }

    /// The column its partitions are days of.
    pub fn time_column(self) -> &'static str {
        &LAYOUTS[&self].time_column
    }

    /// Columns it is clustered by.
    pub fn cluster_by(self) -> &'static [String] {
        &LAYOUTS[&self].cluster_by
    }

    /// Columns that identify a row of a table that is upserted; empty for tables loaded by snapshot.
    pub fn key(self) -> &'static [String] {
        &LAYOUTS[&self].key
    }
}

impl serde::Serialize for Table {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Table {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("{name:?} is not a table")))
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Layout {
    /// Reads the layout from the table's schema file. What is missing there is an empty value,
    /// which the tests of this module refuse.
    fn of(table: Table) -> Self {
        let avsc: Value = serde_json::from_str(table.schema().avsc).unwrap_or_default();
        let names = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        Self {
            columns: avsc["fields"].as_array().into_iter().flatten().map(column).collect(),
            time_column: avsc["timeColumn"].as_str().unwrap_or_default().to_owned(),
            cluster_by: names(&avsc["clusterBy"]),
            key: names(&avsc["key"]),
        }
    }
}

/// One column from its field.
fn column(field: &Value) -> Column {
    let (avro, nullable) = match field["type"].as_array() {
        Some(branches) => (&branches[branches.len() - 1], true),
        None => (&field["type"], false),
    };
    let column_type = match (avro.as_str(), avro["type"].as_str(), field["rust"].as_str()) {
        (_, _, Some("Json")) => ColumnType::Json,
        (Some("long"), ..) => ColumnType::Int64,
        (Some("boolean"), ..) => ColumnType::Bool,
        (Some("bytes"), ..) => ColumnType::Bytes,
        (None, Some("long"), _) => ColumnType::Timestamp,
        (None, Some("array"), _) => ColumnType::Conditions,
        _ => ColumnType::String,
    };
    let text = |key: &str| field[key].as_str().unwrap_or_default().to_owned();
    Column { name: text("name"), column_type, nullable, doc: text("doc") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_columns_a_time_column_and_known_clustering() {
        for table in Table::ALL {
            let column = |name: &str| table.columns().iter().find(|column| column.name == name);
            assert_eq!(column(table.time_column()).unwrap().column_type, ColumnType::Timestamp, "{table}");
            for name in table.cluster_by().iter().chain(table.key()) {
                assert!(column(name).is_some(), "{table}: no column {name}");
            }
            assert!(table.columns().iter().all(|column| !column.doc.is_empty()), "{table}");
        }
    }
}
