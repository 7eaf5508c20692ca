//! `scripts/release-plugin.sh`: what it packs is what `flux plugin install` takes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// First bytes of programs for other machines, as far as the script looks.
const MACH_O_ARM64: &[u8] = b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01 and so on";
const ELF_AMD64: &[u8] = b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x3e\x00 and so on";

fn exe_amd64() -> Vec<u8> {
    let mut bytes = vec![0; 0x90];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3c] = 0x80;
    bytes[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
    bytes
}

/// Which of the platforms this is.
fn here() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    format!("{system}_{processor}")
}

fn script(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/release-plugin.sh");
    let mut command = Command::new(script);
    command.args(arguments).current_dir(folder).env("SOURCE_DATE_EPOCH", "1700000000").envs(environment.iter().copied());
    command.output().unwrap()
}

fn packed(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) {
    let done = script(folder, arguments, environment);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn manifest(path: &Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn sum(path: &Path) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(std::fs::read(path).unwrap()) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// What Flux 2.9 reads of a manifest, and what its catalog takes: no field besides, addresses by TLS, versions without `v`.
fn is_a_manifest(value: &Value) {
    let text = json!({"type": "string", "minLength": 1});
    let name = json!({"type": "string", "pattern": "^[a-z][a-z0-9-]*$"});
    let address = json!({"type": "string", "pattern": "^https://"});
    let platform = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["os", "arch", "url", "checksum"],
        "properties": {
            "os": {"enum": ["darwin", "linux", "windows"]},
            "arch": {"enum": ["amd64", "arm64"]},
            "url": address,
            "checksum": {"type": "string", "pattern": "^sha256:[a-f0-9]{64}$"},
        },
    });
    let version = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "platforms"],
        "properties": {
            "version": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+(-.+)?$"},
            "platforms": {"type": "array", "minItems": 1, "items": platform},
        },
    });
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["apiVersion", "kind", "name", "description", "homepage", "source", "bin", "versions"],
        "properties": {
            "apiVersion": {"const": "cli.fluxcd.io/v1beta1"},
            "kind": {"const": "Plugin"},
            "name": name,
            "description": text,
            "homepage": address,
            "source": address,
            "bin": {"const": "flux-inferadb"},
            "versions": {"type": "array", "minItems": 1, "items": version},
        },
    });
    let said: Vec<String> = jsonschema::validator_for(&schema).unwrap().iter_errors(value).map(|e| e.to_string()).collect();
    assert_eq!(said, Vec::<String>::new(), "{value:#}");
}

#[test]
fn the_built_program_is_packed_verified_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let tag = format!("v{VERSION}");
    let given = format!("{}={}", here(), env!("CARGO_BIN_EXE_flux-inferadb"));
    packed(folder.path(), &[&tag, "out", &given], &[]);
    let out = folder.path().join("out");
    let (archive, checksums) =
        (format!("flux-inferadb_{VERSION}_{}.tar.gz", here()), format!("flux-inferadb_{VERSION}_checksums.txt"));
    assert_eq!(names(&out), [checksums.as_str(), archive.as_str(), "inferadb.yaml"].map(str::to_owned).as_slice());

    let checksum = sum(&out.join(&archive));
    assert_eq!(std::fs::read_to_string(out.join(&checksums)).unwrap(), format!("{checksum}  {archive}\n"));
    let manifest = manifest(&out.join("inferadb.yaml"));
    is_a_manifest(&manifest);
    assert_eq!(manifest["name"], "inferadb", "what stands behind `flux`");
    let version = &manifest["versions"][0];
    assert_eq!(version["version"], VERSION);
    let platform = &version["platforms"][0];
    assert_eq!(format!("{}_{}", platform["os"].as_str().unwrap(), platform["arch"].as_str().unwrap()), here());
    assert_eq!(platform["checksum"], format!("sha256:{checksum}"));
    assert_eq!(platform["url"], format!("https://github.com/inferadb/deploy/releases/download/{tag}/{archive}"));

    // Flux takes the entry whose name is `bin`.
    let unpacked = Command::new("tar").args(["-xzf", &archive]).current_dir(&out).status().unwrap();
    assert!(unpacked.success());
    let ran = Command::new(out.join(manifest["bin"].as_str().unwrap())).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), format!("flux-inferadb {VERSION}\n"));
}

/// Programs of other platforms, which cannot run here.
fn programs() -> (TempDir, [String; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("mac", MACH_O_ARM64);
    write("elf", ELF_AMD64);
    write("exe", &exe_amd64());
    (folder, ["windows_amd64=exe", "linux_amd64=elf", "darwin_arm64=mac"].map(str::to_owned))
}

#[test]
fn each_platform_has_its_archive_in_the_catalogs_order() {
    let (folder, given) = programs();
    let tag = format!("v{VERSION}");
    packed(folder.path(), &[&tag, "out", &given[0], &given[1], &given[2]], &[("REPOSITORY", "https://example.com/a/b")]);
    let out = folder.path().join("out");
    let manifest = manifest(&out.join("inferadb.yaml"));
    is_a_manifest(&manifest);
    let platforms = manifest["versions"][0]["platforms"].as_array().unwrap();
    let ends = ["darwin_arm64.tar.gz", "linux_amd64.tar.gz", "windows_amd64.zip"];
    assert_eq!(platforms.len(), ends.len());
    for (platform, end) in platforms.iter().zip(ends) {
        let archive = format!("flux-inferadb_{VERSION}_{end}");
        assert_eq!(platform["url"], format!("https://example.com/a/b/releases/download/{tag}/{archive}"));
        assert_eq!(platform["checksum"], format!("sha256:{}", sum(&out.join(&archive))));
        assert!(end.starts_with(&format!("{}_{}.", platform["os"].as_str().unwrap(), platform["arch"].as_str().unwrap())));
    }
    // A zip's entries are named in plain bytes.
    let zip = std::fs::read(out.join(format!("flux-inferadb_{VERSION}_windows_amd64.zip"))).unwrap();
    assert!(zip.starts_with(b"PK\x03\x04") && zip.windows(17).any(|bytes| bytes == b"flux-inferadb.exe"));
}

#[test]
fn the_same_programs_give_the_same_bytes() {
    let (folder, given) = programs();
    let tag = format!("v{VERSION}");
    packed(folder.path(), &[&tag, "one", &given[0], &given[1], &given[2]], &[("TZ", "UTC")]);
    for name in ["exe", "elf", "mac"] {
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    packed(folder.path(), &[&tag, "two", &given[2], &given[1], &given[0]], &[("TZ", "Asia/Tokyo")]);
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    assert_eq!(names(&one), names(&two));
    for name in names(&one) {
        assert!(std::fs::read(one.join(&name)).unwrap() == std::fs::read(two.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn versions_of_the_release_before_stay() {
    let (folder, given) = programs();
    let tag = format!("v{VERSION}");
    packed(folder.path(), &[&tag, "one", &given[1]], &[]);
    let before = folder.path().join("before.yaml");
    let text = std::fs::read_to_string(folder.path().join("one/inferadb.yaml")).unwrap();
    std::fs::write(&before, text.replace(VERSION, "0.0.9")).unwrap();
    packed(folder.path(), &[&tag, "two", &given[1]], &[("PREVIOUS", before.to_str().unwrap())]);
    let both = manifest(&folder.path().join("two/inferadb.yaml"));
    is_a_manifest(&both);
    assert_eq!(both["versions"][0]["version"], VERSION, "Flux takes the first one");
    assert_eq!(both["versions"][1], manifest(&before)["versions"][0]);
    assert_eq!(both["versions"].as_array().unwrap().len(), 2);
}

#[test]
fn the_newest_release_comes_first_and_what_comes_before_a_release_last() {
    let (folder, given) = programs();
    let tag = format!("v{VERSION}");
    packed(folder.path(), &[&tag, "one", &given[1]], &[]);
    let text = std::fs::read_to_string(folder.path().join("one/inferadb.yaml")).unwrap();
    let (head, own) = text.split_once("versions:\n").unwrap();
    let others = ["99.0.0-rc.1", "0.0.9", "99.1.0", "0.0.10", "99.0.0-rc.2"].map(|other| own.replace(VERSION, other));
    let before = folder.path().join("before.yaml");
    std::fs::write(&before, format!("{head}versions:\n{}", others.concat())).unwrap();
    packed(folder.path(), &[&tag, "two", &given[1]], &[("PREVIOUS", before.to_str().unwrap())]);
    let all = manifest(&folder.path().join("two/inferadb.yaml"));
    is_a_manifest(&all);
    let versions: Vec<&str> = all["versions"].as_array().unwrap().iter().map(|one| one["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["99.1.0", VERSION, "0.0.10", "0.0.9", "99.0.0-rc.2", "99.0.0-rc.1"]);
}

#[test]
fn what_is_no_release_is_refused_and_nothing_written() {
    let (folder, _) = programs();
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/file"), "").unwrap();
    let previous: PathBuf = folder.path().join("previous.yaml");
    std::fs::write(&previous, format!("versions:\n  - version: {VERSION}\n")).unwrap();
    let before = names(folder.path());
    let tag = format!("v{VERSION}");
    let right = ["linux_amd64=elf"];
    for (tag, out, given, environment, saying) in [
        (VERSION, "out", &right[..], None, "no tag of a release"),
        ("v1", "out", &right, None, "no tag of a release"),
        ("v01.0.0", "out", &right, None, "no tag of a release"),
        ("v99.0.0", "out", &right, None, "Cargo.toml has version"),
        (&tag, "full", &right, None, "not empty"),
        (&tag, "out", &["linux_amd64=nothing"], None, "there is no program 'nothing'"),
        (&tag, "out", &["linux_arm64=elf"], None, "is a program for linux_amd64"),
        (&tag, "out", &["darwin_amd64=mac"], None, "is a program for darwin_arm64"),
        (&tag, "out", &["windows_arm64=exe"], None, "is a program for windows_amd64"),
        (&tag, "out", &["linux_amd64=previous.yaml"], None, "something else"),
        (&tag, "out", &["linux_riscv64=elf"], None, "PLATFORM=PROGRAM"),
        (&tag, "out", &["elf"], None, "PLATFORM=PROGRAM"),
        (&tag, "out", &["linux_amd64=elf", "linux_amd64=elf"], None, "given twice"),
        (&tag, "out", &right, Some(("REPOSITORY", "http://example.com/a")), "https://"),
        (&tag, "out", &right, Some(("PREVIOUS", "elf")), "no manifest"),
        (&tag, "out", &right, Some(("PREVIOUS", previous.to_str().unwrap())), "already"),
        (&tag, "out", &[], None, "usage:"),
    ] {
        let arguments: Vec<&str> = [tag, out].into_iter().chain(given.iter().copied()).collect();
        let refused = script(folder.path(), &arguments, environment.as_slice());
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(saying), "{arguments:?}: {said}");
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    }
}
