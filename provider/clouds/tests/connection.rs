//! How AWS is reached, and as whom. What hangs on the environment runs in a process of its own.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::JoinHandle;

use clouds::Error;
use clouds::aws::AwsSettings;

const STS: &str = "https://sts.us-east-1.amazonaws.com";

/// A proxy that refuses whoever comes; tells what the first one asked for.
fn proxy() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let read = stream.read(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned()
    });
    (url, asked)
}

fn settings() -> AwsSettings {
    AwsSettings { max_retries: Some(0), endpoints: [("sts".to_owned(), STS.to_owned())].into(), ..AwsSettings::default() }
}

/// Runs [`child_asks_for_the_account`] with this environment and no other.
fn child(environment: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_asks_for_the_account", "--ignored", "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[tokio::test]
#[ignore = "run by the others in a process of its own"]
async fn child_asks_for_the_account() {
    let profile = std::env::var("PROFILE_OF_THE_SETTINGS").ok();
    let settings = AwsSettings { skip_credentials_validation: profile.is_some(), profile, ..settings() };
    let cloud = clouds::aws::connect("us-east-1", settings).await.unwrap();
    match cloud.account().await {
        Ok(account) => println!("account {account}"),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn the_environments_proxy_is_used() {
    let (url, asked) = proxy();
    child(&[("HTTPS_PROXY", &url), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]);
    assert_eq!(asked.join().unwrap(), "CONNECT sts.us-east-1.amazonaws.com:443 HTTP/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_proxy_is_used() {
    let (url, asked) = proxy();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("credentials");
    std::fs::write(&keys, "[ops]\naws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    let settings = AwsSettings {
        http_proxy: Some(url),
        no_proxy: Some("example.com".to_owned()),
        profile: Some("ops".to_owned()),
        shared_credentials_files: vec![keys],
        ..settings()
    };
    let cloud = clouds::aws::connect("us-east-1", settings).await.unwrap();
    cloud.account().await.unwrap_err();
    assert_eq!(asked.join().unwrap(), "CONNECT sts.us-east-1.amazonaws.com:443 HTTP/1.1");
}

#[test]
fn missing_credentials_are_named_with_where_they_were_looked_for() {
    let output = child(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    for place in ["no credentials for aws", "AWS_ACCESS_KEY_ID", "~/.aws/credentials", "instance metadata service"] {
        assert!(said.contains(place), "`{place}` is not in: {said}");
    }
}

#[test]
fn a_profile_of_the_settings_goes_before_keys_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("credentials");
    std::fs::write(&keys, "[ops]\naws_access_key_id = a\naws_secret_access_key = b\naws_account_id = 111111111111\n").unwrap();
    let account = |profile: &str| {
        let output = child(&[
            ("PROFILE_OF_THE_SETTINGS", profile),
            ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap()),
            ("AWS_ACCESS_KEY_ID", "c"),
            ("AWS_SECRET_ACCESS_KEY", "d"),
            ("AWS_ACCOUNT_ID", "222222222222"),
        ]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = account("ops");
    assert!(said.contains("account 111111111111"), "{said}");
    let said = account("absent");
    assert!(!said.contains("222222222222"), "{said}");
    assert!(said.contains("looked in profile absent in ~/.aws/config and ~/.aws/credentials"), "{said}");
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named() {
    let missing = AwsSettings { custom_ca_bundle: Some(PathBuf::from("/nonexistent.pem")), ..settings() };
    let wrong = AwsSettings { http_proxy: Some("socks5://127.0.0.1:1".to_owned()), ..settings() };
    for (settings, name) in [(missing, "custom_ca_bundle"), (wrong, "http_proxy")] {
        let error = clouds::aws::connect("us-east-1", settings).await.err().expect("an error");
        assert!(matches!(error, Error::Settings { setting, .. } if setting == name), "{error:?}");
    }
}
