//! The same questions about a tree in which something is wrong: each fault is refused, under its name, and nothing else is.

use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::cluster::{self, Cluster};
use crate::definitions;
use crate::dry_run::{DryRun, Refusal, name};
use crate::pods;

/// What is to be refused, and a part of the server's words.
type Expected = (&'static str, &'static str);

#[test]
fn what_is_wrong_is_refused_by_name() {
    let Some(definitions) = definitions("what_is_wrong_is_refused_by_name") else { return };
    let mut cluster = cluster("prod-nyc1");
    let server = ApiServer::start(&cluster.pod_security(), &definitions);

    cluster.set("HelmRelease kube-system/cilium", "/spec/intervall", json!("5m"));
    cluster.set(
        "HelmRelease cert-manager/cert-manager",
        "/spec/chart",
        json!({"spec": {"chart": "a", "sourceRef": {"kind": "HelmRepository", "name": "a"}}}),
    );
    cluster.set("Kustomization flux-system/apps", "/spec/sourceRef/kind", json!("HelmChart"));
    cluster.set("Deployment kubelet-serving-cert-approver/kubelet-serving-cert-approver", "/spec/replica", json!(1));
    cluster.set(
        "Deployment kubelet-serving-cert-approver/kubelet-serving-cert-approver",
        "/spec/template/spec/serviceAccountName",
        json!("aprover"),
    );
    cluster.set(
        "Deployment inferadb/inferadb-engine",
        "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation",
        json!(true),
    );
    cluster.set("Service inferadb/inferadb-engine", "/spec/ports/0/port", json!(70000));
    cluster.set("PodDisruptionBudget inferadb/inferadb-engine", "/metadata/namespace", json!("inferdb"));
    cluster
        .objects
        .push(json!({"apiVersion": "example.com/v1", "kind": "Unheard", "metadata": {"name": "of", "namespace": "default"}}));
    cluster.objects.push(pod("default", &json!({"allowPrivilegeEscalation": true}), None));
    cluster.objects.push(pod("inferadb", &restricted(), Some("urgent")));

    expect(
        &refused(&server, &cluster.objects),
        &[
            ("HelmRelease kube-system/cilium", "field not declared in schema"),
            ("HelmRelease cert-manager/cert-manager", "either chart or chartRef must be set"),
            ("Kustomization flux-system/apps", "Unsupported value: \"HelmChart\""),
            ("Deployment kubelet-serving-cert-approver/kubelet-serving-cert-approver", "field not declared in schema"),
            ("Service inferadb/inferadb-engine", "must be between 1 and 65535"),
            ("PodDisruptionBudget inferdb/inferadb-engine", "namespaces \"inferdb\" not found"),
            ("Unheard default/of", "there is no kind Unheard in example.com/v1"),
            ("Pod default/one", "violates PodSecurity \"restricted:latest\""),
            ("Pod inferadb/one", "no PriorityClass with name urgent"),
            ("Pod kubelet-serving-cert-approver/kubelet-serving-cert-approver-", "serviceaccount \"aprover\" not found"),
            ("Pod inferadb/inferadb-engine-", "violates PodSecurity \"restricted:latest\""),
            ("Pod default/one-", "violates PodSecurity \"restricted:latest\""),
            ("Pod inferadb/one-", "no PriorityClass with name urgent"),
        ],
    );
}

#[test]
fn pods_of_dev_meet_the_level_that_talos_sets() {
    let Some(definitions) = definitions("pods_of_dev_meet_the_level_that_talos_sets") else { return };
    let cluster = cluster("dev-local");
    let server = ApiServer::start(&cluster.pod_security(), &definitions);
    let privileged = json!({"privileged": true});
    let pods = [
        pod("default", &json!({"allowPrivilegeEscalation": true}), None),
        pod("flux-system", &privileged, None),
        pod("kube-system", &privileged, Some("system-node-critical")),
    ];
    let refusals = DryRun::of(&server.api, &cluster.objects).create(&pods);
    expect(&words(refusals), &[("Pod flux-system/one", "violates PodSecurity \"baseline:latest\"")]);
}

/// The tree has not one of each, and a template that breaks Pod Security is accepted.
#[test]
fn a_pod_is_asked_for_of_each_kind_of_template() {
    let Some(definitions) = definitions("a_pod_is_asked_for_of_each_kind_of_template") else { return };
    let cluster = cluster("staging-nyc1");
    let server = ApiServer::start(&cluster.pod_security(), &definitions);
    let dry_run = DryRun::of(&server.api, &cluster.objects);
    let labels = json!({"app": "one"});
    let mut spec = pod("inferadb", &json!({"privileged": true}), None)["spec"].take();
    let template = |spec: &Value| json!({"metadata": {"labels": labels}, "spec": spec});
    let always = json!({"selector": {"matchLabels": labels}, "template": template(&spec)});
    let mut stateful = always.clone();
    stateful["serviceName"] = "one".into();
    stateful["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }}]);
    stateful["template"]["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    spec["restartPolicy"] = "Never".into();
    let once = json!({"template": template(&spec)});
    let objects = [
        ("apps/v1", "Deployment", always.clone()),
        ("apps/v1", "DaemonSet", always.clone()),
        ("apps/v1", "ReplicaSet", always),
        ("apps/v1", "StatefulSet", stateful),
        ("batch/v1", "Job", once.clone()),
        ("batch/v1", "CronJob", json!({"schedule": "@daily", "jobTemplate": {"spec": once}})),
    ]
    .map(|(version, kind, spec)| {
        let metadata = json!({"name": kind.to_lowercase(), "namespace": "inferadb"});
        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    });
    expect(&words(dry_run.apply(&objects)), &[]);
    let violates = "violates PodSecurity \"restricted:latest\"";
    expect(
        &words(dry_run.create(&objects.iter().filter_map(pods::of).collect::<Vec<_>>())),
        &[
            ("Pod inferadb/deployment-", violates),
            ("Pod inferadb/daemonset-", violates),
            ("Pod inferadb/replicaset-", violates),
            ("Pod inferadb/statefulset-", violates),
            ("Pod inferadb/job-", violates),
            ("Pod inferadb/cronjob-", violates),
        ],
    );
    // What is not refused for its privileges is a pod in all else.
    let elsewhere = objects.iter().filter_map(pods::of).map(|mut pod| {
        pod["metadata"]["namespace"] = "kube-system".into();
        pod
    });
    expect(&words(dry_run.create(&elsewhere.collect::<Vec<_>>())), &[]);
}

fn words(refusals: Vec<Refusal>) -> Vec<(String, String)> {
    refusals.into_iter().map(|refusal| (refusal.object, refusal.words)).collect()
}

fn cluster(name: &str) -> Cluster {
    cluster::all().into_iter().find(|one| one.name == name).unwrap_or_else(|| panic!("no cluster {name}"))
}

fn refused(server: &ApiServer, objects: &[Value]) -> Vec<(String, String)> {
    let dry_run = DryRun::of(&server.api, objects);
    let pods: Vec<_> = objects.iter().filter_map(pods::of).collect();
    words([dry_run.apply(objects), dry_run.create(&pods)].concat())
}

fn expect(refused: &[(String, String)], expected: &[Expected]) {
    for (object, words) in expected {
        let said = refused.iter().find(|(refused, _)| refused == object).map(|(_, said)| said);
        let said = said.unwrap_or_else(|| panic!("{object} is accepted; refused: {refused:#?}"));
        assert!(said.contains(words), "{object} is refused with other words than {words:?}: {said}");
    }
    let surprise: Vec<_> = refused.iter().filter(|(object, _)| !expected.iter().any(|(name, _)| name == object)).collect();
    assert!(surprise.is_empty(), "refused without a fault: {surprise:#?}");
}

impl Cluster {
    /// Sets a field of one object, which may be new.
    fn set(&mut self, object: &str, pointer: &str, value: Value) {
        let object = self.objects.iter_mut().find(|one| name(one) == object).unwrap_or_else(|| panic!("no {object}"));
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap_or_else(|| panic!("there is no {parent}"))[field] = value;
    }
}

fn pod(namespace: &str, security_context: &Value, priority_class: Option<&str>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": namespace},
        "spec": {"containers": [{"name": "one", "image": "example.com/one:v1", "securityContext": security_context}]},
    });
    if let Some(class) = priority_class {
        pod["spec"]["priorityClassName"] = class.into();
    }
    pod
}

fn restricted() -> Value {
    json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    })
}
