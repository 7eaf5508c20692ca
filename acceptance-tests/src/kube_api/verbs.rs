//! What each verb does.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::cluster::KubeCluster;
use super::discovery;
use super::patch;
use super::refusal::Refusal;
use super::request::{Objects, Part, Request, Target};
use super::selector::{Selector, has_labels};
use super::store::{Key, Resource, Store};
use super::watch::Watch;

/// An answer to a request that was carried out.
pub(super) enum Reply {
    Json(StatusCode, Json),
    Text(StatusCode, String),
    Watch(Watch),
}

pub(super) fn carry_out(cluster: &Arc<KubeCluster>, request: &Request) -> Result<Reply, Refusal> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.target() {
        Target::Objects(objects) => on_objects(cluster, request, objects),
        Target::Unknown => Ok(Reply::Text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned())),
        _ if !reads => Err(Refusal::method_not_allowed()),
        Target::Health(check) if request.query("verbose").is_some() || request.flag("verbose") => {
            Ok(Reply::Text(StatusCode::OK, discovery::verbose_health(check)))
        }
        Target::Health(_) => Ok(Reply::Text(StatusCode::OK, "ok".to_owned())),
        Target::Version => Ok(Reply::Json(StatusCode::OK, discovery::version(&cluster.version))),
        Target::Document(document) => Ok(Reply::Json(StatusCode::OK, document.clone())),
    }
}

fn on_objects(cluster: &Arc<KubeCluster>, request: &Request, objects: &Objects) -> Result<Reply, Refusal> {
    let verb = request.verb();
    if verb == "list" || verb == "watch" {
        let selector = Selector::parse(objects.resource, request.query("labelSelector"), request.query("fieldSelector"))?;
        return match verb {
            "watch" => Watch::start(cluster, request, objects, selector).map(Reply::Watch),
            _ => list(&cluster.store(), request, objects, &selector).map(|list| Reply::Json(StatusCode::OK, list)),
        };
    }
    let key = objects.key().ok_or_else(Refusal::method_not_allowed)?;
    let changeable = matches!(objects.resource, Resource::Nodes | Resource::Pods);
    match (verb, objects.part) {
        ("get", None | Some(Part::Status)) => {
            let store = cluster.store();
            let object = store.get(&key).cloned().ok_or_else(|| Refusal::not_found(&key))?;
            Ok(Reply::Json(StatusCode::OK, object))
        }
        ("patch" | "update", None | Some(Part::Status)) if changeable => {
            let object = cluster.change(|store| update(store, request, &key, objects.part))?;
            Ok(Reply::Json(StatusCode::OK, object))
        }
        ("delete", None) if changeable => {
            let options = request.json()?;
            let answer = cluster.change(|store| delete(store, &key, &options, request.dry_run()))?;
            Ok(Reply::Json(StatusCode::OK, answer))
        }
        ("create", Some(Part::Eviction)) => {
            let eviction = request.json()?;
            cluster.change(|store| evict(store, &key, &eviction, request.dry_run()))?;
            let done = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
            Ok(Reply::Json(StatusCode::CREATED, done))
        }
        _ => Err(Refusal::method_not_allowed()),
    }
}

/// Pages as `limit` and `continue` ask; a page begins behind the last object of the one before.
fn list(store: &Store, request: &Request, objects: &Objects, selector: &Selector) -> Result<Json, Refusal> {
    let limit = match request.query("limit") {
        Some(limit) => limit.parse().map_err(|_| Refusal::bad_request(format!("invalid limit: {limit}")))?,
        None => 0,
    };
    let limit = if limit == 0 { usize::MAX } else { limit };
    let behind = match request.query("continue") {
        Some(token) => Some(read_token(token).ok_or_else(|| Refusal::bad_request("continue key is not valid"))?),
        None => None,
    };
    let mut found = store
        .list(objects.resource, objects.namespace.as_deref())
        .filter(|(_, object)| selector.fits(object))
        .filter(|(key, _)| behind.as_ref().is_none_or(|(namespace, name)| (&key.namespace, &key.name) > (namespace, name)));
    let mut last = None;
    let mut items = Vec::new();
    for (key, object) in found.by_ref().take(limit) {
        let mut item = object.clone();
        // Within a list the objects do not repeat what they are.
        if let Json::Object(item) = &mut item {
            item.shift_remove("kind");
            item.shift_remove("apiVersion");
        }
        items.push(item);
        last = Some(key);
    }
    let mut metadata = json!({ "resourceVersion": store.version().to_string() });
    let rest = found.count();
    if let (Some(key), true) = (last, rest > 0) {
        metadata["continue"] = json!(BASE64_URL_SAFE_NO_PAD.encode(format!("{}/{}", key.namespace, key.name)));
        metadata["remainingItemCount"] = json!(rest);
    }
    Ok(json!({
        "kind": format!("{}List", objects.resource.kind()),
        "apiVersion": objects.resource.api_version(),
        "metadata": metadata,
        "items": items,
    }))
}

fn read_token(token: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (namespace, name) = text.split_once('/')?;
    Some((namespace.to_owned(), name.to_owned()))
}

/// PATCH and PUT, of an object or of its status.
fn update(store: &mut Store, request: &Request, key: &Key, part: Option<Part>) -> Result<Json, Refusal> {
    let stored = store.get(key).cloned().ok_or_else(|| Refusal::not_found(key))?;
    let body = request.json()?;
    let mut wanted = stored.clone();
    match request.content_type() {
        _ if request.method() == Method::PUT => wanted = body,
        "application/merge-patch+json" => patch::merge(&mut wanted, &body),
        "application/strategic-merge-patch+json" => patch::strategic(&mut wanted, &body),
        "application/json-patch+json" => patch::operations(&mut wanted, &body).map_err(Refusal::unprocessable)?,
        _ => return Err(Refusal::unsupported_media_type()),
    }
    if !wanted.is_object() {
        return Err(Refusal::bad_request("the body of the request is not an object"));
    }
    if wanted["metadata"]["name"] != stored["metadata"]["name"] {
        return Err(Refusal::bad_request("the name of the object does not match the name on the URL"));
    }
    if let Some(uid) = wanted["metadata"]["uid"].as_str().filter(|uid| Some(*uid) != stored["metadata"]["uid"].as_str()) {
        let uid_now = stored["metadata"]["uid"].as_str().unwrap_or_default();
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_now}");
        return Err(Refusal::conflict(key, &why));
    }
    let version = &wanted["metadata"]["resourceVersion"];
    if !version.is_null() && *version != stored["metadata"]["resourceVersion"] {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Refusal::conflict(key, why));
    }
    // What a client does not decide, and what belongs to the other endpoint, stays.
    let mut result = if part == Some(Part::Status) {
        let mut result = stored.clone();
        result["status"] = wanted["status"].take();
        result
    } else {
        let mut result = wanted;
        result["status"] = stored["status"].clone();
        result
    };
    for fixed in ["kind", "apiVersion"] {
        result[fixed] = stored[fixed].clone();
    }
    for fixed in ["namespace", "uid", "creationTimestamp", "resourceVersion"] {
        if !stored["metadata"][fixed].is_null() {
            result["metadata"][fixed] = stored["metadata"][fixed].clone();
        }
    }
    if request.dry_run() {
        return Ok(result);
    }
    Ok(store.put(key.clone(), result))
}

/// Gives back what real API servers do: the pod that was, but of a node only that it is gone.
fn delete(store: &mut Store, key: &Key, options: &Json, dry_run: bool) -> Result<Json, Refusal> {
    let object = store.get(key).cloned().ok_or_else(|| Refusal::not_found(key))?;
    check_preconditions(key, &object, options)?;
    if !dry_run {
        store.remove(key);
        if key.resource == Resource::Nodes {
            // Real clusters' garbage collection takes a little longer.
            let pods: Vec<Key> = store
                .list(Resource::Pods, None)
                .filter(|(_, pod)| pod["spec"]["nodeName"].as_str() == Some(&key.name))
                .map(|(pod, _)| pod.clone())
                .collect();
            for pod in pods {
                store.remove(&pod);
            }
        }
    }
    if key.resource == Resource::Pods {
        return Ok(object);
    }
    let details = json!({ "name": key.name, "kind": key.resource.plural(), "uid": object["metadata"]["uid"] });
    Ok(json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }))
}

fn evict(store: &mut Store, key: &Key, eviction: &Json, dry_run: bool) -> Result<(), Refusal> {
    let pod = store.get(key).cloned().ok_or_else(|| Refusal::not_found(key))?;
    check_preconditions(key, &pod, &eviction["deleteOptions"])?;
    let budgets: Vec<(Key, Json)> = store
        .list(Resource::Budgets, Some(&key.namespace))
        .filter(|(_, budget)| covers(budget, &pod))
        .map(|(key, budget)| (key.clone(), budget.clone()))
        .collect();
    if budgets.len() > 1 {
        return Err(Refusal::several_budgets());
    }
    if let Some((budget_key, mut budget)) = budgets.into_iter().next() {
        let Some(left) = budget["status"]["disruptionsAllowed"].as_u64().and_then(|allowed| allowed.checked_sub(1)) else {
            return Err(Refusal::budget(&budget_key.name));
        };
        if !dry_run {
            budget["status"]["disruptionsAllowed"] = json!(left);
            store.put(budget_key, budget);
        }
    }
    if !dry_run {
        store.remove(key);
    }
    Ok(())
}

fn covers(budget: &Json, pod: &Json) -> bool {
    let labels = budget["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
    let labels: BTreeMap<String, String> =
        labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    has_labels(pod, &labels)
}

fn check_preconditions(key: &Key, object: &Json, options: &Json) -> Result<(), Refusal> {
    for (name, field) in [("UID", "uid"), ("ResourceVersion", "resourceVersion")] {
        let now = object["metadata"][field].as_str().unwrap_or_default();
        if let Some(wanted) = options["preconditions"][field].as_str().filter(|wanted| *wanted != now) {
            let why = format!("Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {now}");
            return Err(Refusal::conflict(key, &why));
        }
    }
    Ok(())
}
