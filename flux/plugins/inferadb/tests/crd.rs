//! `validate` with CustomResourceDefinitions at hand: objects fit their schema and keep their rules.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use support::{APPS as ROOT, Ran, Repo, built};

const CRD: &str = r#"apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names:
    kind: Widget
    plural: widgets
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          x-kubernetes-validations:
            - rule: self.metadata.name != 'forbidden'
              message: this name is taken
          properties:
            spec:
              type: object
              required: [replicas]
              x-kubernetes-validations:
                - rule: self.min <= self.replicas
                  messageExpression: "'at least ' + string(self.min) + ' replicas'"
                  message: too few replicas
                - rule: self.replicas == oldSelf.replicas
                  message: replicas stay as they are
                - rule: "!oldSelf.hasValue() || oldSelf.value().min == self.min"
                  optionalOldSelf: true
                - rule: "!has(self.__namespace__) || self.__namespace__ != self.a__dash__b"
                  message: another namespace
                - rule: "!has(self.mode) || self.mode != 'Timed' || self.every >= duration('1m')"
                  fieldPath: .every
              properties:
                replicas:
                  type: integer
                min:
                  type: integer
                  default: 2
                namespace:
                  type: string
                a-b:
                  type: string
                  default: system
                mode:
                  type: string
                  enum: [Plain, Timed]
                every:
                  type: string
                  format: duration
                size:
                  x-kubernetes-int-or-string: true
                  anyOf: [{type: integer}, {type: string}]
                  x-kubernetes-validations:
                    - rule: "type(self) == int ? self < 10 : self.endsWith('%')"
                      message: under 10, or a share
                hosts:
                  type: array
                  items:
                    type: string
                    x-kubernetes-validations:
                      - rule: self.matches('^[a-z.]+$') || isIP(self)
                        message: a name or an address
                ports:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name]
                  items:
                    type: object
                    required: [name]
                    properties:
                      name:
                        type: string
                      port:
                        type: integer
                        default: 80
                labels:
                  type: object
                  additionalProperties:
                    type: string
                    x-kubernetes-validations:
                      - rule: self.size() > 1
                        message: longer
                free:
                  type: object
                  x-kubernetes-preserve-unknown-fields: true
    - name: v0
      served: false
      storage: false
      schema:
        openAPIV3Schema:
          type: object
"#;

const WIDGET: &str = "apiVersion: example.com/v1
kind: Widget
metadata:
  name: one
  namespace: default
spec:
  replicas: 3
  size: 20%
  mode: Timed
  every: 90s
  hosts:
    - example.com
    - fd00::1
  ports:
    - name: web
    - name: api
      port: 81
  labels:
    app.kubernetes.io/name: web
  free:
    anything: [goes]
";

fn repo(widget: &str) -> Repo {
    let repo = Repo::new(&[("clusters/one/root.yaml", ROOT), ("apps/widget.yaml", widget), ("crds/widgets.yaml", CRD)]);
    repo.write("apps/kustomization.yaml", "resources: [widget.yaml]\n");
    repo
}

fn validate(repo: &Repo, more: &[&str]) -> (Ran, Value) {
    let ran = repo.run(&[&["validate", "--clusters=clusters", "--output=json"], more].concat());
    let out = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
    (ran, out)
}

/// Rule, line and message of what is found in the widget.
fn found(repo: &Repo, more: &[&str]) -> Vec<(String, u64, String)> {
    let (_, out) = validate(repo, more);
    let findings = out["findings"].as_array().unwrap().iter();
    let own = findings.filter(|one| one["object"] == "Widget.example.com default/one" || one["file"] == "apps/widget.yaml");
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    own.map(|one| (text(one, "rule"), one["line"].as_u64().unwrap(), text(one, "message"))).collect()
}

const CRDS: &str = "--crd-location=crds";

#[test]
fn an_object_that_keeps_all_rules_has_no_finding() {
    let (ran, out) = validate(&repo(WIDGET), &[CRDS, "--require-schemas"]);
    let widgets = out["findings"].as_array().unwrap().iter().filter(|one| one["file"] == "apps/widget.yaml");
    assert_eq!(widgets.collect::<Vec<_>>(), Vec::<&Value>::new(), "{}", ran.err);
    assert_eq!(out["notEvaluated"], json!({}));
}

#[test]
fn each_broken_rule_is_found_at_its_line() {
    let cases = [
        ("name: one\n  n", "name: forbidden\n  n", "crd-rule", 1, "the object: this name is taken"),
        // The least number is a default.
        ("replicas: 3", "replicas: 1", "crd-rule", 6, "`spec`: at least 2 replicas"),
        ("replicas: 3", "replicas: 3\n  namespace: system", "crd-rule", 6, "`spec`: another namespace"),
        (
            "every: 90s",
            "every: 30s",
            "crd-rule",
            10,
            "`spec.every`: failed rule: !has(self.mode) || self.mode != 'Timed' || self.every >= duration('1m')",
        ),
        (
            "  every: 90s\n",
            "",
            "crd-rule",
            6,
            "`spec.every`: no such key: every evaluating rule: failed rule: !has(self.mode) || self.mode != 'Timed' || self.every >= duration('1m')",
        ),
        ("size: 20%", "size: 20", "crd-rule", 8, "`spec.size`: under 10, or a share"),
        ("fd00::1", "'::ffff:1.2.3.4'", "crd-rule", 13, "`spec.hosts.1`: a name or an address"),
        ("name: web\n  free", "name: w\n  free", "crd-rule", 19, "`spec.labels.app.kubernetes.io/name`: longer"),
        ("name: api", "name: web", "schema", 16, "`spec.ports.1`: an item before it has the same `name`"),
        ("mode: Timed", "mode: Other", "schema", 9, "`spec.mode`: value is not one of \"Plain\" or \"Timed\""),
        ("size: 20%", "sise: 20%", "schema", 6, "`spec`: Additional properties are not allowed ('sise' was unexpected)"),
        ("replicas: 3", "min: 3", "schema", 6, "`spec`: \"replicas\" is a required property"),
    ];
    for (from, to, rule, line, message) in cases {
        let widget = WIDGET.replacen(from, to, 1);
        assert_ne!(widget, WIDGET, "{from}");
        assert_eq!(found(&repo(&widget), &[CRDS]), [(rule.to_owned(), line, message.to_owned())], "{to}");
    }
}

#[test]
fn definitions_stand_beside_the_schemas_or_in_a_file_or_come_from_a_cluster() {
    let wrong = WIDGET.replace("replicas: 3", "replicas: 1");
    let message = [("crd-rule".to_owned(), 6, "`spec`: at least 2 replicas".to_owned())];
    let repo = repo(&wrong);
    assert_eq!(found(&repo, &["--crd-location=crds/widgets.yaml"]), message);
    assert_eq!(found(&repo, &[]), []);
    // One that a Kustomization brings forth goes before another.
    repo.write("apps/crd.yaml", &CRD.replace("default: 2", "default: 1"));
    repo.write("apps/kustomization.yaml", "resources: [widget.yaml, crd.yaml]\n");
    assert_eq!(found(&repo, &[CRDS]), []);
    repo.write("apps/crd.yaml", CRD);
    assert_eq!(found(&repo, &[]), message);
}

#[test]
fn a_definition_goes_before_a_json_schema() {
    let repo = repo(&WIDGET.replace("replicas: 3", "replicas: three"));
    repo.write(
        "schemas/example.com/widget_v1.json",
        r#"{"properties": {"spec": {"properties": {"replicas": {"type": "integer"}}}}}"#,
    );
    let schemas = "--schema-location=schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
    let message = [("schema".to_owned(), 7, "`spec.replicas`: value is not of type \"integer\"".to_owned())];
    assert_eq!(found(&repo, &[schemas]), message);
    assert_eq!(found(&repo, &[schemas, CRDS]), message);
}

#[test]
fn a_kind_that_is_misspelt_is_found() {
    let schemas = "--schema-location=schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
    let with = |kind: &str, arguments: &[&str]| {
        let repo = repo(&WIDGET.replace("kind: Widget", &format!("kind: {kind}")));
        repo.write("schemas/example.com/widget_v1.json", "{}");
        found(&repo, arguments)
    };
    let meant = |kind: &str, known: &str| {
        let message = format!(
            "`kind`: nothing is known of a `{kind}` in example.com/v1, where there is a `{known}`: correct it, or give its schema with `--schema-location`"
        );
        vec![("schema".to_owned(), 2, message)]
    };
    assert_eq!(with("Wigdet", &[CRDS]), meant("Wigdet", "Widget"));
    assert_eq!(with("Widgets", &[CRDS]), meant("Widgets", "Widget"));
    assert_eq!(with("Wigdet", &[schemas]), meant("Wigdet", "widget"));
    // Another one, which nothing is known of.
    assert_eq!(with("Gadget", &[schemas, CRDS]), []);
    // Whoever defines a kind may have it start small, but not those who use it.
    assert_eq!(with("widget", &[schemas]), []);
    assert_eq!(with("widget", &[schemas, CRDS]), meant("widget", "Widget"));
    assert_eq!(with("wIdget", &[CRDS]), meant("wIdget", "Widget"));
    let own = repo("apiVersion: v1\nkind: configMap\nmetadata: {name: a, namespace: default}\n");
    own.write("schemas/core/configmap_v1.json", "{}");
    let small = "`kind`: there is no `configMap`: Kubernetes' own kinds start with a capital letter".to_owned();
    assert_eq!(found(&own, &[schemas]), [("schema".to_owned(), 2, small)]);
}

#[test]
fn a_location_of_schemas_that_holds_none_is_refused() {
    let repo = repo(WIDGET);
    for (location, why) in [
        ("nowhere/{{.ResourceKind}}.json", "there is no folder `nowhere`"),
        ("https://example.com/{{.ResourceKind}}.json", "schemas are not fetched: name a path on this machine"),
        ("default", "it leaves no place for a kind: write it as `DIR/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`"),
        (
            "./{{ .NormalizedKubernetesVersion }}/{{.ResourceKind}}.json",
            "it asks for something else than `{{.Group}}`, `{{.ResourceKind}}`, `{{.ResourceAPIVersion}}`, `{{.KindSuffix}}`, `{{.StrictSuffix}}`",
        ),
    ] {
        let ran = repo.run(&["validate", "--schema-location", location]);
        assert_eq!((ran.code, ran.err), (2, format!("error: `--schema-location {location}`: {why}\n")));
    }
}

#[test]
fn a_version_that_is_not_served_is_found() {
    let repo = repo(&WIDGET.replace("example.com/v1", "example.com/v0"));
    let message = "`apiVersion`: its CustomResourceDefinition serves v1";
    assert_eq!(found(&repo, &[CRDS]), [("schema".to_owned(), 1, message.to_owned())]);
}

#[test]
fn a_rule_that_is_not_understood_is_counted_and_a_finding_where_schemas_must_be_there() {
    let deep = format!("{}true{}", "(".repeat(5000), ")".repeat(5000));
    let long = format!("true{}", " && true".repeat(5000));
    for rule in [
        "cidr(self.mode).ip() == ip('::1')",
        "this is no CEL",
        "self.nothing.matches('(?=x)') || unknown",
        "'a'.matches('(?=x)')",
        &deep,
        &long,
    ] {
        let repo = repo(WIDGET);
        repo.write("crds/widgets.yaml", &CRD.replace("self.metadata.name != 'forbidden'", &Value::from(rule).to_string()));
        let (ran, out) = validate(&repo, &[CRDS]);
        assert_eq!(out["notEvaluated"], json!({"example.com/v1 Widget": [rule]}));
        assert!(ran.err.contains("; 1 rule not evaluated, of example.com/v1 Widget"), "{}", ran.err);
        assert_eq!(found(&repo, &[CRDS]), []);
        let message = format!("a rule of its CustomResourceDefinition is not understood here: {rule}");
        assert_eq!(found(&repo, &[CRDS, "--require-schemas"]), [("schema-missing".to_owned(), 1, message)]);
    }
}

#[test]
fn what_a_broken_rule_says_is_written_for_people() {
    let ran = repo(&WIDGET.replace("replicas: 3", "replicas: 1")).run(&["validate", "--clusters=clusters", CRDS]);
    assert_eq!(ran.code, 1);
    let line = "apps/widget.yaml:6: crd-rule: Widget.example.com default/one: `spec`: at least 2 replicas [one]";
    assert!(ran.out.lines().any(|one| one == line), "{}", ran.out);
}

#[test]
fn a_definition_that_is_none_is_said() {
    let repo = repo(WIDGET);
    repo.write("crds/widgets.yaml", &CRD.replace("openAPIV3Schema", "openAPISchema"));
    let message = "the CustomResourceDefinition in `crds/widgets.yaml` has no schema for v1: it has no `openAPIV3Schema`";
    assert_eq!(found(&repo, &[CRDS]), [("schema-missing".to_owned(), 1, message.to_owned())]);
    let ran = repo.run(&["validate", "--clusters=clusters", "--crd-location=nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("cannot read `nowhere`"), "{}", ran.err);
}

/// The rules that are not evaluated when the widget's first is this one.
fn not_evaluated(rule: &str) -> Value {
    let repo = repo(WIDGET);
    repo.write("crds/widgets.yaml", &CRD.replace("self.metadata.name != 'forbidden'", &Value::from(rule).to_string()));
    validate(&repo, &[CRDS]).1["notEvaluated"].clone()
}

#[test]
fn a_rule_that_would_take_too_long_is_not_evaluated() {
    let forty = format!("[{}]", ["1"; 40].join(","));
    let nested = |depth: usize, call: &str| {
        let open = format!("{forty}.{call}(x, ").repeat(depth);
        format!("{open}true{}", ")".repeat(depth))
    };
    let grown = format!("'aaaaaaaaaa'{} != ''", ".replace('a', 'aaaaaaaaaa')".repeat(40));
    let lists = format!("{forty}.map(x, {forty}.map(y, {forty}.map(z, {forty}.map(w, {forty})))).size() > 0");
    for rule in [&nested(7, "all"), &nested(7, "exists"), &format!("{}.size() > 0", nested(6, "map")), &grown, &lists] {
        assert_eq!(not_evaluated(rule), json!({"example.com/v1 Widget": [rule]}));
    }
    for rule in [
        &nested(2, "all"),
        "self.spec.hosts.all(a, self.spec.hosts.exists_one(b, a.size() == b.size()))",
        "'aaa'.replace('a', 'bb') == 'bbbbbb'",
    ] {
        assert_eq!(not_evaluated(rule), json!({}), "{rule}");
    }
}

#[test]
fn rules_are_not_evaluated_where_no_thread_starts() {
    let repo = repo(&WIDGET.replace("replicas: 3", "replicas: 1"));
    let kustomize = repo.path().join("kustomize.sh");
    let script = format!("#!/bin/sh\nulimit -S -v unlimited\nexec '{}' \"$@\"\n", built("KUSTOMIZE_CLI", "kustomize").display());
    repo.write("kustomize.sh", &script);
    std::fs::set_permissions(&kustomize, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Less than the stack of one thread.
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -S -v 240000 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_flux-inferadb")])
        .args(["validate", "--clusters=clusters", "--output=json", CRDS])
        .current_dir(repo.path())
        .env("KUSTOMIZE", &kustomize)
        .env("FLUX_INFERADB_CACHE", repo.cache())
        .output()
        .unwrap();
    let out: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let rules = out["notEvaluated"]["example.com/v1 Widget"].as_array().unwrap_or_else(|| panic!("{out:#}"));
    assert_eq!(rules.len(), 9, "{rules:#?}");
}

#[test]
fn all_values_are_listed_where_another_stands() {
    let repo = repo(&WIDGET.replace("mode: Timed", "mode: Other"));
    let with = |values: &str| {
        repo.write("crds/widgets.yaml", &CRD.replace("[Plain, Timed]", values));
        found(&repo, &[CRDS])
    };
    let said = |message: &str| [("schema".to_owned(), 9, format!("`spec.mode`: value is not one of {message}"))];
    assert_eq!(with("[A, B, C, D]"), said(r#""A", "B", "C" or "D""#));
    let many = r#""A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L" or 1 more"#;
    assert_eq!(with("[A, B, C, D, E, F, G, H, I, J, K, L, M]"), said(many));
}

#[test]
fn a_kind_leads_to_no_other_folder() {
    let repo = repo(&WIDGET.replace("kind: Widget", "kind: ../secret/widget"));
    repo.write("schemas/secret/widget_v1.json", "no schema");
    let schemas = "--schema-location=schemas/x/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
    repo.write("schemas/x/y", "");
    let (_, out) = validate(&repo, &[schemas]);
    assert!(out["withoutSchema"]["example.com/v1 ../secret/widget"] == 1, "{out:#}");
}
