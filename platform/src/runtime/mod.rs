//! What every stage shares: configuration, ports, consuming, health, shutdown.
//!
//! A stage's `main` names the stage, what it needs and how it is built; [`main`] does the rest. A
//! process with several stages (`podledger up`) makes the same steps itself: [`open()`] once,
//! [`layered`] and [`run`] per stage under one [`Shutdown`], [`serve_http`] once.

/// Implements `Deserialize` through `FromStr`, for what settings hold.
macro_rules! deserialize_from_text {
    ($($name:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

mod address;
mod clock;
mod config_error;
mod consume;
mod documented;
mod entry;
mod env;
mod handle;
mod health;
mod http;
mod logs;
mod metrics;
mod open;
mod period;
mod ports;
mod push;
mod secret;
mod settings;
mod settle;
mod shutdown;
mod trace;

pub use address::{
    AddressError, BrokerAddress, ClusterAddress, ClusterAddresses, DocumentsAddress, DocumentsAddresses, GkeVia,
    ObjectsAddress, WarehouseAddress,
};
pub use clock::ClockSetting;
pub use config_error::ConfigError;
pub use consume::run;
pub use documented::{Documented, FieldDoc, markdown_table, read_field};
pub use entry::{install_tls, main};
pub use env::{Env, PREFIX, UnknownVariable};
pub use handle::{Consumer, Handle, HandleError, HandleIncoming, MessageContext, Receive, Stage};
pub use health::Monitor;
pub use http::{HttpServer, serve_http};
pub use logs::{LogFormat, init_logs};
pub use metrics::{Counters, Durations, Gauges, Metrics};
pub use open::{Needs, layered, open, open_broker, open_objects, open_warehouse};
pub use period::Period;
pub use ports::Ports;
pub use push::{PushAuth, PushDelivery, PushServer, PushSettings, serve_push};
pub use secret::Secret;
pub use settings::{DeliveryMode, RuntimeSettings};
pub use shutdown::Shutdown;
pub use trace::{TraceContext, TracedBroker, current_trace};
