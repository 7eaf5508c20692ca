//! What SOPS encrypted, without its keys: each value becomes a placeholder, under the same key and of the same type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::yaml;

/// What stands for a value that only the cluster can decrypt.
pub(crate) const PLACEHOLDER: &str = "sops-placeholder";

/// How a file is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Binary,
    Dotenv,
    Ini,
    Json,
    Yaml,
}

impl Format {
    pub(crate) fn of_path(path: &str) -> Self {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "yaml" | "yml" => Format::Yaml,
            "json" | "dockerconfigjson" => Format::Json,
            "env" => Format::Dotenv,
            "ini" => Format::Ini,
            _ => Format::Binary,
        }
    }

    /// An env file's: dotenv unless its name says otherwise.
    pub(crate) fn of_env(path: &str) -> Self {
        match Self::of_path(path) {
            Format::Binary => Format::Dotenv,
            format => format,
        }
    }

    fn marker(self) -> &'static str {
        match self {
            Format::Binary | Format::Json => "\"mac\": \"ENC[",
            Format::Dotenv => "sops_mac=ENC[",
            Format::Ini => "[sops]",
            Format::Yaml => "mac: ENC[",
        }
    }
}

/// A file with placeholders; nothing where it is not encrypted.
pub(crate) fn file(bytes: &[u8], format: Format) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.contains(format.marker()) {
        return None;
    }
    let plain = match format {
        Format::Binary => PLACEHOLDER.to_owned(),
        Format::Json => {
            let mut value: Value = serde_json::from_str(text).ok()?;
            document(&mut value, false);
            value.to_string()
        }
        Format::Yaml => {
            let mut documents: Vec<Value> = yaml::parse(text).ok()?.iter().map(yaml::Node::to_json).collect();
            for value in &mut documents {
                document(value, false);
            }
            documents.iter().map(yaml::emit).collect::<Vec<_>>().join("---\n")
        }
        Format::Dotenv => lines(text.lines().filter(|line| !line.starts_with("sops_"))),
        Format::Ini => lines(text.lines().scan(false, |metadata, line| {
            *metadata = if line.starts_with('[') { line.trim() == "[sops]" } else { *metadata };
            Some(if *metadata { "" } else { line })
        })),
    };
    Some(plain.into_bytes())
}

fn lines<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    let mut out = String::new();
    for line in lines {
        match line.split_once('=') {
            Some((key, value)) if is_encrypted(value.trim()) => {
                out.push_str(key);
                out.push('=');
                out.push_str(PLACEHOLDER);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn is_encrypted(value: &str) -> bool {
    value.starts_with("ENC[AES256_GCM,") && value.ends_with(']')
}

/// Whether an object carries SOPS' metadata.
pub(crate) fn is_encrypted_object(object: &Value) -> bool {
    object["sops"]["mac"].as_str().is_some_and(|mac| !mac.is_empty())
}

/// Replaces what is encrypted in an object: the whole of it, or files inside of a Secret's data.
pub(crate) fn object(object: &mut Value) {
    let is_secret = object["kind"] == "Secret" && object["apiVersion"] == "v1";
    if is_encrypted_object(object) {
        document(object, is_secret);
        return;
    }
    if object["kind"] != "Secret" {
        return;
    }
    for (key, value) in object["data"].as_object_mut().into_iter().flatten() {
        let Some(bytes) = value.as_str().and_then(|text| STANDARD.decode(text).ok()) else { continue };
        let formats = [Format::of_path(key), Format::Yaml, Format::Dotenv, Format::Ini, Format::Binary];
        if let Some(plain) = formats.into_iter().find_map(|format| file(&bytes, format)) {
            *value = json!(STANDARD.encode(plain));
        }
    }
}

fn document(value: &mut Value, is_secret: bool) {
    if let Some(map) = value.as_object_mut() {
        map.remove("sops");
        for (key, value) in map {
            replace(value, is_secret && key == "data");
        }
    }
}

fn replace(value: &mut Value, is_base64: bool) {
    match value {
        Value::String(text) if is_encrypted(text) => {
            *value = match text.trim_end_matches(']').rsplit_once("type:").map(|(_, kind)| kind) {
                Some("int") => json!(0),
                Some("float") => json!(0.5),
                Some("bool") => json!(false),
                _ if is_base64 => json!(STANDARD.encode(PLACEHOLDER)),
                _ => json!(PLACEHOLDER),
            };
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, is_base64)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, is_base64)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENC: &str = "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]";

    #[test]
    fn an_encrypted_object_keeps_its_keys_and_types() {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"token": ENC}, "stringData": {"user": ENC, "plain": "x"},
            "count": ENC.replace("str", "int"), "sops": {"mac": ENC},
        });
        object(&mut secret);
        let token = STANDARD.encode(PLACEHOLDER);
        assert_eq!(
            secret,
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
                "data": {"token": token}, "stringData": {"user": PLACEHOLDER, "plain": "x"}, "count": 0,
            })
        );
    }

    #[test]
    fn files_of_each_format_are_taken_apart() {
        let read = |text: &str, format| file(text.as_bytes(), format).map(|bytes| String::from_utf8(bytes).unwrap());
        let env = format!("A={ENC}\nB=plain\nsops_version=3\nsops_mac={ENC}\n");
        assert_eq!(read(&env, Format::Dotenv), Some(format!("A={PLACEHOLDER}\nB=plain\n")));
        let ini = format!("[a]\nb = {ENC}\n[sops]\nmac = {ENC}\n");
        assert_eq!(read(&ini, Format::Ini), Some(format!("[a]\nb ={PLACEHOLDER}\n\n\n")));
        let yaml = format!("a:\n  b: {ENC}\nsops:\n  mac: {ENC}\n");
        assert_eq!(read(&yaml, Format::Yaml), Some(format!("a:\n  b: {PLACEHOLDER}\n")));
        assert_eq!(read("a: b\n", Format::Yaml), None);
    }
}
