//! Servers that stand in for Google's services.

/// Where Pub/Sub's stand-in serves publishing and delivery (gRPC): `HOST:PORT`.
const PUBSUB: &str = "PUBSUB_EMULATOR_HOST";
/// Where it serves administration (HTTP/JSON), if elsewhere: `HOST:PORT`. Google's own emulator
/// serves both on one port.
const PUBSUB_ADMIN: &str = "PUBSUB_EMULATOR_ADMIN_HOST";
/// Where Cloud Storage's stand-in is: `HOST:PORT` or `http://HOST:PORT`.
const STORAGE: &str = "STORAGE_EMULATOR_HOST";
/// Where BigQuery's stand-in is: `HOST:PORT` or `http://HOST:PORT`.
const BIGQUERY: &str = "BIGQUERY_EMULATOR_HOST";

/// A variable that names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct EmulatorError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub reason: String,
}

/// The two ends of one stand-in for Pub/Sub, as `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PubsubEmulator {
    /// Publishing and delivery, gRPC.
    pub data: String,
    /// Topics and subscriptions, HTTP/JSON.
    pub admin: String,
}

/// The stand-ins a process uses in place of Google's services. Towards them credentials are
/// anonymous; towards Google never.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Emulators {
    /// In place of Pub/Sub.
    pub pubsub: Option<PubsubEmulator>,
    /// In place of Cloud Storage, as `http://HOST:PORT`.
    pub storage: Option<String>,
    /// In place of BigQuery, as `http://HOST:PORT`.
    pub bigquery: Option<String>,
}

impl Emulators {
    /// As the process' environment names them, under the variables that Google's tools use too. An
    /// empty variable counts as none.
    ///
    /// # Errors
    /// A value that is no address: a process that was meant for an emulator must not reach Google.
    pub fn from_process() -> Result<Self, EmulatorError> {
        Self::from_lookup(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EmulatorError> {
        let named = |variable: &'static str| match lookup(variable).as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(value) => endpoint(value).map(Some).map_err(|reason| EmulatorError { variable, reason }),
        };
        let (data, admin) = (named(PUBSUB)?, named(PUBSUB_ADMIN)?);
        let pubsub = match (data, admin) {
            (Some(data), admin) => Some(PubsubEmulator { admin: admin.unwrap_or_else(|| data.clone()), data }),
            (None, None) => None,
            (None, Some(_)) => {
                let reason = format!("set without {PUBSUB}, which says where messages are");
                return Err(EmulatorError { variable: PUBSUB_ADMIN, reason });
            }
        };
        Ok(Self { pubsub, storage: named(STORAGE)?, bigquery: named(BIGQUERY)? })
    }
}

/// `http://HOST:PORT` of what a variable says.
fn endpoint(value: &str) -> Result<String, String> {
    let wrong = || format!("{value:?} is no address (expected HOST:PORT or http://HOST:PORT)");
    let rest = value.strip_prefix("http://").unwrap_or(value).trim_end_matches('/');
    let authority: http::uri::Authority = rest.parse().map_err(|_| wrong())?;
    match authority.port_u16() {
        Some(_) if !authority.host().is_empty() => Ok(format!("http://{authority}")),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Emulators, EmulatorError> {
        Emulators::from_lookup(|name| {
            pairs.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_variable_and_an_empty_one_mean_google() {
        assert_eq!(of(&[]), Ok(Emulators::default()));
        assert_eq!(of(&[(PUBSUB, ""), (STORAGE, " ")]), Ok(Emulators::default()));
    }

    #[test]
    fn a_host_and_port_is_an_endpoint_with_or_without_its_scheme() {
        let both =
            of(&[(PUBSUB, "localhost:8085"), (STORAGE, "http://127.0.0.1:4443/"), (BIGQUERY, "http://localhost:9050")])
                .unwrap();
        assert_eq!(both.bigquery.as_deref(), Some("http://localhost:9050"));
        let pubsub = both.pubsub.unwrap();
        assert_eq!((pubsub.data.as_str(), pubsub.admin.as_str()), ("http://localhost:8085", "http://localhost:8085"));
        assert_eq!(both.storage.as_deref(), Some("http://127.0.0.1:4443"));
        let apart = of(&[(PUBSUB, "[::1]:1"), (PUBSUB_ADMIN, "h:2")]).unwrap().pubsub.unwrap();
        assert_eq!((apart.data.as_str(), apart.admin.as_str()), ("http://[::1]:1", "http://h:2"));
    }

    #[test]
    fn a_value_that_is_no_address_is_an_error_that_names_its_variable() {
        for bad in ["localhost", "https://storage.googleapis.com", "http://", "a b:1", "h:99999", "h:1/path"] {
            for variable in [STORAGE, BIGQUERY] {
                let error = of(&[(variable, bad)]).unwrap_err();
                assert_eq!(error.variable, variable, "{bad:?}");
                assert!(error.to_string().contains("expected HOST:PORT"), "{error}");
            }
        }
        assert_eq!(of(&[(PUBSUB_ADMIN, "h:1")]).unwrap_err().variable, PUBSUB_ADMIN);
    }
}
