//! A real control plane: API server, etcd, controllers, scheduler and pretended kubelets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::servers::{Built, Server};

/// Where the API has roles and their bindings.
pub const ROLES_PATH: &str = "/apis/rbac.authorization.k8s.io/v1";
/// How long a command of the control port may take; starting the API server takes seconds.
const COMMAND_PATIENCE: Duration = Duration::from_secs(120);
/// Objects that are created at the same time.
const CREATED_AT_ONCE: usize = 24;
/// How long an effect of an accepted request may take to be seen: rights, workloads.
const EFFECT_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at something that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A running control plane; it ends when this goes, or with the process.
#[derive(Debug)]
pub struct ControlPlane {
    server: Server,
}

impl ControlPlane {
    /// Starts one with everything. Where it was not built the reason is printed; see
    /// [`Built::find`].
    pub fn start(arguments: &[&str]) -> Option<Self> {
        crate::runtime::install_tls();
        Built::find("kubernetes").map(|built| Self { server: built.start(arguments) })
    }

    /// Starts etcd and the API server alone: what is created stays as it is, pods stay pending.
    pub fn start_api_server_alone(arguments: &[&str]) -> Option<Self> {
        Self::start(&[&["--nodes=0", "--controllers="], arguments].concat())
    }

    /// Where the API is, as `https://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// Where the API is, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        self.server.address("api")
    }

    /// The certificate of its authority, in PEM.
    pub fn authority(&self) -> Vec<u8> {
        std::fs::read(self.server.address("ca")).expect("the server wrote it")
    }

    /// A file of its state directory.
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(self.server.address("directory")).join(name)
    }

    /// The kubeconfig of a user; `admin` is the administrator.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.file(&format!("{user}.kubeconfig"))
    }

    /// The token of a user that was given with `--user`.
    pub fn token(&self, user: &str) -> String {
        let tokens = std::fs::read_to_string(self.file("tokens.csv")).expect("the server wrote it");
        let of_user = |line: &str| {
            let mut fields = line.split(',');
            let token = fields.next()?;
            (fields.next()? == user).then(|| token.to_owned())
        };
        tokens.lines().find_map(of_user).unwrap_or_else(|| panic!("no user is called {user}"))
    }

    /// The configuration of a user, from its kubeconfig.
    pub async fn config(&self, user: &str) -> Config {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig(user)).expect("the server wrote it");
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("it is complete")
    }

    /// The configuration of whoever holds that token.
    pub async fn config_with_token(&self, token: &str) -> Config {
        let mut config = self.config("admin").await;
        config.auth_info = kube::config::AuthInfo { token: Some(token.to_owned().into()), ..Default::default() };
        config
    }

    /// The administrator's client.
    pub async fn admin(&self) -> Client {
        Client::try_from(self.config("admin").await).expect("its configuration is complete")
    }

    /// Drops etcd's history: whatever was listed before can no longer be gone on with.
    pub async fn compact(&self) {
        // A list of the newest version would survive: history is kept from there on.
        let object = json!({"metadata": {"generateName": "compaction-"}});
        self.create("/api/v1/namespaces/default/configmaps", &object).await;
        self.command("compact").await;
    }

    /// Kills the API server; etcd keeps what there is.
    pub async fn kill_api_server(&self) {
        self.command("kill-apiserver").await;
    }

    /// Ends the API server in an orderly way.
    pub async fn stop_api_server(&self) {
        self.command("stop-apiserver").await;
    }

    /// Starts it again where it was, and waits until it is ready.
    pub async fn start_api_server(&self) {
        self.command("start-apiserver").await;
    }

    /// Creates an object under a path; what the server made of it.
    pub async fn create(&self, path: &str, object: &Value) -> Value {
        create(&self.admin().await, path, object).await
    }

    /// Deletes what is at a path.
    pub async fn delete(&self, path: &str) {
        let request = http::Request::delete(path).body(Vec::new()).expect("a path makes a request");
        let deleted = self.admin().await.request::<Value>(request).await;
        deleted.unwrap_or_else(|error| panic!("delete {path}: {error}"));
    }

    /// Puts an object in place of the one at its path.
    pub async fn replace(&self, path: &str, object: &Value) {
        let request = http::Request::put(path).header(http::header::CONTENT_TYPE, "application/json");
        let request = request.body(object.to_string().into_bytes()).expect("a path makes a request");
        let replaced = self.admin().await.request::<Value>(request).await;
        replaced.unwrap_or_else(|error| panic!("replace {path}: {error}"));
    }

    /// The same where somebody else may have written meanwhile: whether it was put there.
    pub async fn try_replace(&self, path: &str, object: &Value) -> bool {
        let request = http::Request::put(path).header(http::header::CONTENT_TYPE, "application/json");
        let request = request.body(object.to_string().into_bytes()).expect("a path makes a request");
        match self.admin().await.request::<Value>(request).await {
            Ok(_) => true,
            Err(kube::Error::Api(refusal)) if refusal.code == 409 => false,
            Err(error) => panic!("replace {path}: {error}"),
        }
    }

    /// What is at a path, as JSON.
    pub async fn get(&self, path: &str) -> Value {
        let request = http::Request::get(path).body(Vec::new()).expect("a path makes a request");
        self.admin().await.request(request).await.unwrap_or_else(|error| panic!("get {path}: {error}"))
    }

    /// Creates a namespace.
    pub async fn create_namespace(&self, name: &str) {
        self.create("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await;
    }

    /// Creates pods `pod-000000` and so on in a namespace that is there.
    pub async fn create_pods(&self, namespace: &str, numbers: std::ops::Range<u64>) {
        let (client, path) = (self.admin().await, format!("/api/v1/namespaces/{namespace}/pods"));
        futures::stream::iter(numbers)
            .map(Ok::<_, std::convert::Infallible>)
            .try_for_each_concurrent(CREATED_AT_ONCE, |number| {
                let (client, path) = (client.clone(), path.clone());
                async move {
                    create(&client, &path, &pod(number)).await;
                    Ok(())
                }
            })
            .await
            .expect("creating pods panics or is done");
    }

    /// A fresh token of a service account, which need not exist before.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> String {
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.create(&accounts, &json!({"metadata": {"name": name}})).await;
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.create(&format!("{accounts}/{name}/token"), &request).await;
        answer["status"]["token"].as_str().expect("a token was asked for").to_owned()
    }

    /// The status of a request by whoever holds that token.
    pub async fn status_for(&self, token: &str, method: &str, path: &str) -> u16 {
        let client = Client::try_from(self.config_with_token(token).await).expect("its configuration is complete");
        let request = http::Request::builder().method(method).uri(path).body(Body::empty());
        let response = client.send(request.expect("a method and a path make a request")).await;
        response.unwrap_or_else(|error| panic!("{method} {path}: {error}")).status().as_u16()
    }

    /// Creates the cluster-wide objects of a file of YAML documents, such as roles and bindings.
    pub async fn create_roles(&self, yaml: &str) {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}"));
        for document in documents {
            let plural = format!("{}s", document["kind"].as_str().expect("a document has a kind").to_lowercase());
            self.create(&format!("{ROLES_PATH}/{plural}"), &document).await;
        }
    }

    async fn command(&self, name: &str) {
        let (control, name) = (self.server.address("control").to_owned(), name.to_owned());
        let done = tokio::task::spawn_blocking(move || command(&control, &name).map_err(|error| (name, error)));
        if let Err((name, error)) = done.await.expect("a command does not panic") {
            panic!("{name}: {error}");
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Lets it remove its directory; if it does not answer, it is killed next.
        if let Err(error) = command(self.server.address("control"), "end") {
            eprintln!("the control plane did not end by itself: {error}");
        }
    }
}

/// Asks the server to do something to its cluster, and waits until it has.
fn command(control: &str, name: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(control)?;
    stream.set_read_timeout(Some(COMMAND_PATIENCE))?;
    stream.write_all(format!("POST /{name} HTTP/1.0\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(std::io::Error::other(answer)),
    }
}

async fn create(client: &Client, path: &str, object: &Value) -> Value {
    let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(object.to_string().into_bytes())).expect("a path makes a request");
    let response = client.send(request).await.unwrap_or_else(|error| panic!("create at {path}: {error}"));
    let (status, body) = (response.status(), response.into_body().collect_bytes().await);
    let body = body.unwrap_or_else(|error| panic!("create at {path}: {error}"));
    assert!(status.is_success(), "create at {path}: {status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("create at {path}: {error}"))
}

/// A pod such as a Deployment makes, about 6 KB as the API lists it, with credentials where people put
/// them.
fn pod(number: u64) -> Value {
    let named = |prefix: &str, count: u64, value: &str| -> serde_json::Map<_, _> {
        (0..count).map(|entry| (format!("example.com/{prefix}-{entry}"), json!(format!("{value}-{entry}")))).collect()
    };
    let variables = |container: &str| -> Vec<_> {
        let value = |variable: u64| format!("secret-of-{number}-{container}-{variable}");
        (0..16).map(|variable| json!({"name": format!("VARIABLE_{variable}"), "value": value(variable)})).collect()
    };
    let container = |name: &str| {
        let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5, "failureThreshold": 3});
        json!({
            "name": name,
            "image": format!("registry.example.com/team/{name}:1.2.3"),
            "env": variables(name),
            "ports": [{"name": format!("{name}-http"), "containerPort": 8080}],
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
            "livenessProbe": probe,
            "readinessProbe": probe,
        })
    };
    json!({
        "metadata": {
            "name": format!("pod-{number:06}"),
            "labels": named("label", 8, "value"),
            "annotations": named("annotation", 6, "something that a tool left behind for itself to find"),
        },
        "spec": {"containers": [container("api"), container("proxy")]},
    })
}

/// Waits until something is so, looking again and again.
///
/// # Panics
/// When it is still not so after a minute.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(EFFECT_PATIENCE, async {
        while !so().await {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not within {EFFECT_PATIENCE:?}");
}
