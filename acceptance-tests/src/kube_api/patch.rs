//! PATCH: merge patch (RFC 7396), Kubernetes' strategic merge, JSON patch (RFC 6902).

use serde_json::{Map, Value as Json};

/// Applies a merge patch.
pub(super) fn merge(target: &mut Json, patch: &Json) {
    merge_with(target, patch, None);
}

/// Applies a strategic merge patch: as a merge patch, but lists that the API declares as merged are merged by their key.
/// Of what is served that is conditions, addresses and owners; taints are replaced as a whole.
pub(super) fn strategic(target: &mut Json, patch: &Json) {
    merge_with(target, patch, Some(merge_key));
}

fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "conditions" | "addresses" => Some("type"),
        "ownerReferences" => Some("uid"),
        _ => None,
    }
}

type MergeKey = Option<fn(&str) -> Option<&'static str>>;

fn merge_with(target: &mut Json, patch: &Json, keys: MergeKey) {
    let Json::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Json::Object(target) = target else { return };
    for (name, value) in patch {
        // `$setElementOrder/…` and the like say how, not what.
        if keys.is_some() && name.starts_with('$') {
            continue;
        }
        let merged_by = keys.and_then(|key| key(name));
        match (value, merged_by) {
            (Json::Null, _) => {
                target.remove(name);
            }
            (Json::Array(entries), Some(key)) => merge_list(target.entry(name.clone()).or_insert(Json::Null), entries, key, keys),
            _ => merge_with(target.entry(name.clone()).or_insert(Json::Null), value, keys),
        }
    }
}

fn merge_list(target: &mut Json, entries: &[Json], key: &str, keys: MergeKey) {
    if !target.is_array() {
        *target = Json::Array(Vec::new());
    }
    let Json::Array(list) = target else { return };
    for entry in entries {
        let place = list.iter().position(|known| known[key] == entry[key]);
        match (place, entry["$patch"] == "delete") {
            (Some(place), true) => {
                list.remove(place);
            }
            (None, true) => {}
            (Some(place), false) => merge_with(&mut list[place], entry, keys),
            (None, false) => list.push(entry.clone()),
        }
    }
}

/// Applies a JSON patch, wholly or not at all.
pub(super) fn operations(target: &mut Json, operations: &Json) -> Result<(), String> {
    let operations = operations.as_array().ok_or("a JSON patch is a list of operations")?;
    let mut result = target.clone();
    for operation in operations {
        let text = |name: &str| operation[name].as_str().ok_or(format!("an operation lacks `{name}`"));
        let path = text("path")?;
        let value = || operation.get("value").cloned().ok_or(format!("`{path}`: an operation lacks `value`"));
        match text("op")? {
            "add" => add(&mut result, path, value()?)?,
            "remove" => drop(remove(&mut result, path)?),
            "replace" => *result.pointer_mut(path).ok_or(missing(path))? = value()?,
            "test" => {
                if result.pointer(path) != Some(&value()?) {
                    return Err(format!("testing value {path} failed"));
                }
            }
            "move" => {
                let moved = remove(&mut result, text("from")?)?;
                add(&mut result, path, moved)?;
            }
            "copy" => {
                let from = text("from")?;
                let copied = result.pointer(from).cloned().ok_or(missing(from))?;
                add(&mut result, path, copied)?;
            }
            other => return Err(format!("unexpected operation `{other}`")),
        }
    }
    *target = result;
    Ok(())
}

fn add(target: &mut Json, path: &str, value: Json) -> Result<(), String> {
    let Some((parent, name)) = path.rsplit_once('/') else {
        *target = value;
        return Ok(());
    };
    match target.pointer_mut(parent).ok_or(missing(path))? {
        Json::Object(object) => {
            object.insert(unescape(name), value);
        }
        Json::Array(list) if name == "-" => list.push(value),
        Json::Array(list) => {
            let place: usize = name.parse().map_err(|_| missing(path))?;
            if place > list.len() {
                return Err(missing(path));
            }
            list.insert(place, value);
        }
        _ => return Err(missing(path)),
    }
    Ok(())
}

fn remove(target: &mut Json, path: &str) -> Result<Json, String> {
    let (parent, name) = path.rsplit_once('/').ok_or(missing(path))?;
    match target.pointer_mut(parent) {
        Some(Json::Object(object)) => object.remove(&unescape(name)).ok_or(missing(path)),
        Some(Json::Array(list)) => match name.parse::<usize>() {
            Ok(place) if place < list.len() => Ok(list.remove(place)),
            _ => Err(missing(path)),
        },
        _ => Err(missing(path)),
    }
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

fn missing(path: &str) -> String {
    format!("doc is missing path: {path}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_replaces_lists_and_null_removes() {
        let mut node = json!({ "spec": { "unschedulable": true, "taints": [{ "key": "a" }] } });
        merge(&mut node, &json!({ "spec": { "unschedulable": null, "taints": [{ "key": "b" }] } }));
        assert_eq!(node, json!({ "spec": { "taints": [{ "key": "b" }] } }));
    }

    #[test]
    fn a_strategic_merge_keeps_the_conditions_it_does_not_name() {
        let mut node = json!({ "conditions": [{ "type": "Ready", "status": "True", "reason": "x" }, { "type": "DiskPressure" }], "taints": [{ "key": "a" }] });
        let patch = json!({
            "$setElementOrder/conditions": [],
            "conditions": [{ "type": "Ready", "status": "False" }, { "type": "DiskPressure", "$patch": "delete" }, { "type": "New" }],
            "taints": [{ "key": "b" }],
        });
        strategic(&mut node, &patch);
        assert_eq!(
            node,
            json!({ "conditions": [{ "type": "Ready", "status": "False", "reason": "x" }, { "type": "New" }], "taints": [{ "key": "b" }] })
        );
    }

    #[test]
    fn a_json_patch_is_applied_wholly_or_not_at_all() {
        let mut node = json!({ "metadata": { "labels": { "a/b": "1" } }, "list": [1, 3] });
        let good = json!([
            { "op": "test", "path": "/metadata/labels/a~1b", "value": "1" },
            { "op": "remove", "path": "/metadata/labels/a~1b" },
            { "op": "add", "path": "/list/1", "value": 2 },
            { "op": "add", "path": "/list/-", "value": 4 },
        ]);
        assert_eq!(operations(&mut node, &good), Ok(()));
        assert_eq!(node, json!({ "metadata": { "labels": {} }, "list": [1, 2, 3, 4] }));
        let bad = json!([{ "op": "add", "path": "/x", "value": 1 }, { "op": "replace", "path": "/y", "value": 2 }]);
        assert_eq!(operations(&mut node, &bad), Err("doc is missing path: /y".to_owned()));
        assert!(node.get("x").is_none());
    }
}
