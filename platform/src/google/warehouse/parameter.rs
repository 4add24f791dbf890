//! Typed query parameters: what comes from outside reaches SQL as these and never as text.
//! <https://cloud.google.com/bigquery/docs/parameterized-queries>

use std::collections::HashMap;

use gcp_bigquery_client::model::query_parameter::QueryParameter;
use gcp_bigquery_client::model::query_parameter_type::QueryParameterType;
use gcp_bigquery_client::model::query_parameter_type_struct_types::QueryParameterTypeStructTypes;
use gcp_bigquery_client::model::query_parameter_value::QueryParameterValue;
use schemas::Timestamp;

/// `STRING`; none is null.
pub(super) fn text(name: &str, value: Option<&str>) -> QueryParameter {
    parameter(name, scalar("STRING"), scalar_value(value.map(str::to_owned)))
}

/// `INT64`.
pub(super) fn number(name: &str, value: i64) -> QueryParameter {
    parameter(name, scalar("INT64"), scalar_value(Some(value.to_string())))
}

/// `BOOL`.
pub(super) fn truth(name: &str, value: bool) -> QueryParameter {
    parameter(name, scalar("BOOL"), scalar_value(Some(value.to_string())))
}

/// `TIMESTAMP`; none is null.
pub(super) fn moment(name: &str, value: Option<Timestamp>) -> QueryParameter {
    parameter(name, scalar("TIMESTAMP"), scalar_value(value.map(|moment| moment.to_string())))
}

/// `ARRAY<STRING>`.
pub(super) fn texts<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> QueryParameter {
    let values = values.map(|value| scalar_value(Some(value.to_owned()))).collect();
    parameter(name, array(scalar("STRING")), array_value(values))
}

/// A field of a struct: its name and its type as SQL writes it.
pub(super) type Field<'a> = (&'a str, &'static str);

/// `ARRAY<STRUCT<…>>`: each row has one value per field, none for null.
pub(super) fn structs(name: &str, fields: &[Field<'_>], rows: Vec<Vec<Option<String>>>) -> QueryParameter {
    let types = fields
        .iter()
        .map(|(field, type_name)| QueryParameterTypeStructTypes {
            description: None,
            name: Some((*field).to_owned()),
            r#type: Some(scalar(type_name)),
        })
        .collect();
    let element = QueryParameterType { array_type: None, struct_types: Some(types), r#type: "STRUCT".to_owned() };
    let values = rows
        .into_iter()
        .map(|row| {
            let named = fields.iter().map(|(field, _)| (*field).to_owned()).zip(row.into_iter().map(scalar_value));
            let values: HashMap<_, _> = named.collect();
            QueryParameterValue { array_values: None, struct_values: Some(values), value: None }
        })
        .collect();
    parameter(name, array(element), array_value(values))
}

fn parameter(name: &str, type_: QueryParameterType, value: QueryParameterValue) -> QueryParameter {
    QueryParameter { name: Some(name.to_owned()), parameter_type: Some(type_), parameter_value: Some(value) }
}

fn scalar(type_name: &str) -> QueryParameterType {
    QueryParameterType { array_type: None, struct_types: None, r#type: type_name.to_owned() }
}

fn array(element: QueryParameterType) -> QueryParameterType {
    QueryParameterType { array_type: Some(Box::new(element)), struct_types: None, r#type: "ARRAY".to_owned() }
}

fn scalar_value(value: Option<String>) -> QueryParameterValue {
    QueryParameterValue { array_values: None, struct_values: None, value }
}

fn array_value(values: Vec<QueryParameterValue>) -> QueryParameterValue {
    QueryParameterValue { array_values: Some(values), struct_values: None, value: None }
}
