//! A project on the stand-in for Pub/Sub, and the program run on it.

use std::collections::BTreeMap;
use std::process::Stdio;

use platform::testkit::servers::{Built, Server};
use serde_json::{Value, json};
use tokio::process::Command;

/// The program under test.
const PODLEDGER: &str = env!("CARGO_BIN_EXE_podledger");

/// A running server, and one project of it.
pub(crate) struct Project {
    pub(crate) pubsub: Server,
    pub(crate) id: String,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program, without settings of the machine's user.
pub(crate) fn podledger(arguments: &[&str]) -> Command {
    let mut command = Command::new(PODLEDGER);
    command.arg("provision").args(arguments).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) async fn ended(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Ended {
    /// The output, where the run ended as it should.
    pub(crate) fn with(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.out
    }
}

impl Project {
    /// An empty project; none where the server was not built.
    pub(crate) fn start(id: &str) -> Option<Self> {
        platform::runtime::install_tls();
        let pubsub = Built::find("pubsub")?.start(&[]);
        Some(Self { pubsub, id: id.to_owned() })
    }

    /// The program on this project.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_through(self.pubsub.address("rest"), arguments)
    }

    /// The same, with administration through another address.
    pub(crate) fn command_through(&self, admin: &str, arguments: &[&str]) -> Command {
        let mut command = podledger(arguments);
        command
            .env("PODLEDGER_BROKER", format!("pubsub:{}", self.id))
            .env("PUBSUB_EMULATOR_HOST", self.pubsub.address("grpc"))
            .env("PUBSUB_EMULATOR_ADMIN_HOST", admin);
        command
    }

    /// Runs the program on this project.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/projects/{}/{path}", self.pubsub.url("rest"), self.id)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        reqwest::get(self.url(path)).await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: Value) {
        let sent = reqwest::Client::new().put(self.url(path)).json(&body).send().await.unwrap();
        sent.error_for_status().unwrap();
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let sent = reqwest::Client::new().post(self.url(path)).json(&body).send().await.unwrap();
        sent.error_for_status().unwrap().json().await.unwrap()
    }

    /// Puts a definition of `Notification` in the place of the program's, as its only revision and as
    /// the only one that the topic takes. The subscription is gone then.
    pub(crate) async fn with_notifications_of(&self, definition: &Value) {
        self.delete("topics/notifications").await;
        self.delete("subscriptions/notifications--loader").await;
        self.delete("schemas/Notification").await;
        let schema = json!({"type": "AVRO", "definition": definition.to_string()});
        let revision = self.post("schemas?schemaId=Notification", schema).await["revisionId"].clone();
        let settings = json!({
            "schema": format!("projects/{}/schemas/Notification", self.id), "encoding": "BINARY",
            "firstRevisionId": revision, "lastRevisionId": revision,
        });
        self.put("topics/notifications", json!({"schemaSettings": settings})).await;
    }

    /// The definition of `Notification` that the program made.
    pub(crate) async fn notification(&self) -> Value {
        let held = self.get("schemas/Notification:listRevisions?view=FULL").await;
        serde_json::from_str(held["schemas"][0]["definition"].as_str().unwrap()).unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) {
        reqwest::Client::new().delete(self.url(path)).send().await.unwrap().error_for_status().unwrap();
    }

    /// Changes one field of a topic or a subscription, as somebody at a console would.
    pub(crate) async fn patch(&self, kind: &str, id: &str, field: &str, value: Value) {
        let resource = json!({"name": format!("projects/{}/{kind}s/{id}", self.id), field: value});
        let body = json!({kind: resource, "updateMask": field});
        let sent = reqwest::Client::new().patch(self.url(&format!("{kind}s/{id}"))).json(&body).send().await.unwrap();
        sent.error_for_status().unwrap();
    }

    /// Makes every following call of a method fail with a code; 0 ends it.
    pub(crate) async fn fault(&self, method: &str, code: i32) {
        let url = format!("{}/_test/fault", self.pubsub.url("rest"));
        let fault = json!({"method": method, "code": code, "times": 1_000_000});
        reqwest::Client::new().post(url).json(&fault).send().await.unwrap().error_for_status().unwrap();
    }

    /// Makes every call that changes anything fail.
    pub(crate) async fn freeze(&self) {
        const PERMISSION_DENIED: i32 = 7;
        let subjects = ["Topic", "Subscription", "Schema"];
        for verb in ["Create", "Update", "Commit", "Delete", "Rollback", "Modify"] {
            for subject in subjects {
                self.fault(&format!("{verb}{subject}"), PERMISSION_DENIED).await;
            }
        }
    }

    /// Everything the project holds, revisions included.
    pub(crate) async fn dump(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        for kind in ["topics", "subscriptions", "schemas"] {
            let listed = self.get(&format!("{kind}?pageSize=1000")).await;
            for resource in listed[kind].as_array().into_iter().flatten() {
                let name = resource["name"].as_str().unwrap().to_owned();
                let id = name.rsplit('/').next().unwrap();
                let held = match kind {
                    "schemas" => self.get(&format!("schemas/{id}:listRevisions?view=FULL")).await,
                    _ => resource.clone(),
                };
                all.insert(format!("{kind}/{id}"), held);
            }
        }
        all
    }
}

/// A dump as text in which projects' names and revisions are the same everywhere.
pub(crate) fn comparable(dump: &BTreeMap<String, Value>, project: &str) -> String {
    let mut revisions = Vec::new();
    let mut dump = dump.clone();
    for (name, held) in dump.iter_mut().filter(|(name, _)| name.starts_with("schemas/")) {
        for (index, revision) in held["schemas"].as_array_mut().unwrap().iter_mut().enumerate() {
            revisions.push((revision["revisionId"].as_str().unwrap().to_owned(), format!("{name}@{index}")));
            revision["revisionCreateTime"] = json!("then");
        }
    }
    let text = serde_json::to_string_pretty(&dump).unwrap().replace(&format!("projects/{project}/"), "projects/P/");
    revisions.iter().fold(text, |text, (id, name)| text.replace(&format!("\"{id}\""), &format!("\"{name}\"")))
}
