//! Pods: about 6.5 KB each, as pods with a sidecar, probes and managed fields are.

use bytes::Bytes;

use super::{Owner, PodCounts, pod_suffix, time};
use crate::kubernetes::sim::history::State;
use crate::kubernetes::sim::workload::Workload;

/// Every pod of a workload at a moment, the newest version first.
pub(in crate::kubernetes::sim) fn pods(workload: &Workload, state: &State, nodes: u64) -> Vec<Bytes> {
    let counts = PodCounts::of(state);
    let new = (0..counts.new).map(|ordinal| (state.version, ordinal, ordinal < counts.new_ready));
    let before = state.version_before.unwrap_or(state.version);
    let old = (0..counts.old).map(|ordinal| (before, ordinal, true));
    let mut versions = Versions::default();
    new.chain(old)
        .map(|(version, ordinal, ready)| pod(workload, versions.of(workload, version), ordinal, ready, nodes))
        .collect()
}

/// What the pods of one version share.
struct Version {
    version: i64,
    hash: String,
    owner_uid: String,
    created: String,
    started: String,
}

/// The version looked at last.
#[derive(Default)]
struct Versions(Option<Version>);

impl Versions {
    fn of(&mut self, workload: &Workload, version: i64) -> &Version {
        if self.0.as_ref().is_none_or(|known| known.version != version) {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| Version {
            version,
            hash: workload.version_hash(version),
            owner_uid: workload.uid(Owner::ReplicaSet, version),
            created: time(version),
            started: time(version + 12),
        })
    }
}

fn pod(workload: &Workload, version: &Version, ordinal: i64, ready: bool, nodes: u64) -> Bytes {
    let mut dice = workload.pod_dice(version.version, ordinal);
    let suffix = pod_suffix(&mut dice, ordinal);
    let uid = dice.uid();
    let node = dice.below(nodes.max(1));
    let address = format!("10.{}.{}.{}", dice.below(200) + 4, dice.below(256), dice.below(254) + 1);
    let container = dice.uid().replace('-', "");
    let (restarts, status) = (i64::from(dice.chance(40)), if ready { "True" } else { "False" });
    let Workload { namespace, name, team, api, cpu_millicores, memory_mebibytes, .. } = workload;
    let Version { hash, owner_uid, created, started, version, .. } = version;
    format!(
        r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"{name}-{hash}-{suffix}","generateName":"{name}-{hash}-","namespace":"{namespace}","uid":"{uid}","resourceVersion":"{version}","creationTimestamp":"{created}","labels":{{"api_id":"{api}","app":"{name}","app.kubernetes.io/managed-by":"Helm","app.kubernetes.io/part-of":"{team}","pod-template-hash":"{hash}","security.istio.io/tlsMode":"istio","service.istio.io/canonical-name":"{name}","service.istio.io/canonical-revision":"latest","team_id":"{team}"}},"annotations":{{"kubectl.kubernetes.io/default-container":"app","kubectl.kubernetes.io/restartedAt":"{created}","prometheus.io/path":"/metrics","prometheus.io/port":"9090","prometheus.io/scrape":"true","sidecar.istio.io/status":"{{\"initContainers\":null,\"containers\":[\"proxy\"],\"volumes\":[\"workload-socket\",\"credential-socket\",\"workload-certs\",\"proxy-envoy\",\"proxy-data\"],\"imagePullSecrets\":null,\"revision\":\"default\"}}"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{name}-{hash}","uid":"{owner_uid}","controller":true,"blockOwnerDeletion":true}}],"managedFields":{MANAGED_FIELDS}}},"spec":{{"volumes":[{{"name":"config","configMap":{{"name":"{name}-config","defaultMode":420}}}},{{"name":"proxy-envoy","emptyDir":{{"medium":"Memory"}}}},{{"name":"kube-api-access-{suffix}","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}},{{"configMap":{{"name":"kube-root-ca.crt","items":[{{"key":"ca.crt","path":"ca.crt"}}]}}}}],"defaultMode":420}}}}],"containers":[{{"name":"app","image":"registry.example.com/{team}/{name}:{version}","ports":[{{"name":"http","containerPort":8080,"protocol":"TCP"}}],"env":[{{"name":"LOG_LEVEL","value":"info"}},{{"name":"API_KEY","value":"simulated-literal-{hash}"}},{{"name":"DB_PASSWORD","valueFrom":{{"secretKeyRef":{{"name":"{name}-db","key":"password"}}}}}},{{"name":"POD_NAME","valueFrom":{{"fieldRef":{{"apiVersion":"v1","fieldPath":"metadata.name"}}}}}}],"resources":{{"limits":{{"cpu":"{cpu_millicores}m","memory":"{memory_mebibytes}Mi"}},"requests":{{"cpu":"{half_cpu}m","memory":"{memory_mebibytes}Mi"}}}},"volumeMounts":[{{"name":"config","readOnly":true,"mountPath":"/etc/app"}},{{"name":"kube-api-access-{suffix}","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],"livenessProbe":{{"httpGet":{{"path":"/healthz","port":"http","scheme":"HTTP"}},"initialDelaySeconds":10,"timeoutSeconds":2,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}},"readinessProbe":{{"httpGet":{{"path":"/readyz","port":"http","scheme":"HTTP"}},"timeoutSeconds":2,"periodSeconds":5,"successThreshold":1,"failureThreshold":3}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{{"capabilities":{{"drop":["ALL"]}},"runAsNonRoot":true,"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false}}}},{{"name":"proxy","image":"registry.example.com/mesh/proxy:1.27.1","args":["proxy","sidecar","--domain","{namespace}.svc.cluster.local","--proxyLogLevel=warning"],"ports":[{{"name":"http-envoy-prom","containerPort":15090,"protocol":"TCP"}}],"resources":{{"limits":{{"cpu":"500m","memory":"256Mi"}},"requests":{{"cpu":"50m","memory":"64Mi"}}}},"volumeMounts":[{{"name":"proxy-envoy","mountPath":"/etc/istio/proxy"}}],"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"{name}","serviceAccount":"{name}","nodeName":"node-{node}","securityContext":{{"runAsUser":1000,"fsGroup":1000}},"schedulerName":"default-scheduler","tolerations":[{{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}},{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}},"status":{{"phase":"Running","conditions":[{{"type":"Initialized","status":"True","lastProbeTime":null,"lastTransitionTime":"{created}"}},{{"type":"Ready","status":"{status}","lastProbeTime":null,"lastTransitionTime":"{started}"}},{{"type":"ContainersReady","status":"{status}","lastProbeTime":null,"lastTransitionTime":"{started}"}},{{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"{created}"}}],"hostIP":"10.0.{high}.{low}","podIP":"{address}","podIPs":[{{"ip":"{address}"}}],"startTime":"{created}","containerStatuses":[{{"name":"app","state":{{"running":{{"startedAt":"{started}"}}}},"lastState":{{}},"ready":{ready},"restartCount":{restarts},"image":"registry.example.com/{team}/{name}:{version}","imageID":"registry.example.com/{team}/{name}@sha256:{container}{container}","containerID":"containerd://{container}{container}","started":true}},{{"name":"proxy","state":{{"running":{{"startedAt":"{started}"}}}},"lastState":{{}},"ready":true,"restartCount":0,"image":"registry.example.com/mesh/proxy:1.27.1","imageID":"registry.example.com/mesh/proxy@sha256:{container}{container}","containerID":"containerd://{container}{container}","started":true}}],"qosClass":"Burstable"}}}}"#,
        half_cpu = cpu_millicores / 2,
        high = node / 250,
        low = node % 250 + 2,
    )
    .into()
}

/// Who set which field, as the API server keeps it for two managers.
const MANAGED_FIELDS: &str = r#"[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{".":{},"f:prometheus.io/port":{},"f:prometheus.io/scrape":{}},"f:generateName":{},"f:labels":{".":{},"f:api_id":{},"f:app":{},"f:pod-template-hash":{},"f:team_id":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"00000000-0000-0000-0000-000000000000\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{".":{},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{},"f:name":{},"f:ports":{},"f:readinessProbe":{},"f:resources":{},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}},{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:12Z","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},"f:containerStatuses":{},"f:hostIP":{},"f:phase":{},"f:podIP":{},"f:startTime":{}}},"subresource":"status"}]"#;
