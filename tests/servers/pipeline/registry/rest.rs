//! Fields as Firestore's REST interface writes them, as messages of its gRPC interface.
//! <https://cloud.google.com/firestore/docs/reference/rest/Shared.Types/ArrayValue#Value>

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue, Value};
use firestore::gcloud_sdk::google::r#type::LatLng;
use firestore::gcloud_sdk::prost_types::Timestamp;
use platform::ports::Moment;
use serde_json::Value as Json;

/// Every field's message.
pub(super) fn fields(fields: &Json) -> HashMap<String, Value> {
    fields.as_object().unwrap().iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(json: &Json) -> Value {
    let (type_name, inner) = json.as_object().unwrap().iter().next().unwrap();
    let text = || inner.as_str().unwrap().to_owned();
    let value_type = match type_name.as_str() {
        "nullValue" => ValueType::NullValue(0),
        "booleanValue" => ValueType::BooleanValue(inner.as_bool().unwrap()),
        "integerValue" => ValueType::IntegerValue(text().parse().unwrap()),
        // A number, or a word for what JSON has no number.
        "doubleValue" => ValueType::DoubleValue(inner.as_f64().unwrap_or_else(|| text().parse().unwrap())),
        "timestampValue" => {
            let moment = Moment::parse(&text()).unwrap();
            ValueType::TimestampValue(Timestamp {
                seconds: moment.seconds(),
                nanos: moment.nanos().try_into().unwrap(),
            })
        }
        "stringValue" => ValueType::StringValue(text()),
        "bytesValue" => ValueType::BytesValue(STANDARD.decode(text()).unwrap()),
        "referenceValue" => ValueType::ReferenceValue(text()),
        "geoPointValue" => {
            let degrees = |member: &str| inner[member].as_f64().unwrap();
            ValueType::GeoPointValue(LatLng { latitude: degrees("latitude"), longitude: degrees("longitude") })
        }
        "arrayValue" => {
            let values = inner["values"].as_array().unwrap().iter().map(value).collect();
            ValueType::ArrayValue(ArrayValue { values })
        }
        "mapValue" => ValueType::MapValue(MapValue { fields: fields(&inner["fields"]) }),
        other => panic!("{other} is no type of values"),
    };
    Value { value_type: Some(value_type) }
}
