//! Each call of the protocol, as Terraform makes it, on the example provider.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy knows tests by their attribute only

mod client;

use std::process::Stdio;

use client::{Client, State, UNKNOWN, apply_request, json_of, note, said, value};
use proto::tfplugin5 as wire;
use serde_json::{Value as Json, json};
use tokio::process::Command;

#[tokio::test]
async fn a_create_plan_fills_in_defaults_and_leaves_the_rest_unknown() {
    let mut client = Client::configured().await;
    let config = note(&json!({ "reader": { "bob": { "until": null, "number": null } } }));
    let planned = client.plan(&Json::Null, &config, &[]).await;
    assert_eq!(planned.said, "");
    let id = client.folder.path().join("alpha");
    assert_eq!(
        planned.state,
        note(&json!({
            "text": "empty", "id": id, "revision": UNKNOWN, "lines": UNKNOWN,
            "reader": { "bob": { "until": "always", "number": UNKNOWN } },
        }))
    );
    assert!(planned.requires_replace.is_empty());
}

#[tokio::test]
async fn a_create_returns_the_state_and_hides_the_private_part_in_its_own_bytes() {
    let mut client = Client::configured().await;
    let state = client.create(&note(&json!({ "text": "one\ntwo" }))).await;
    assert_eq!(state.state["revision"], 1);
    assert_eq!(state.state["lines"]["1"], json!({ "text": "two", "length": 3 }));
    assert_eq!(serde_json::from_slice::<Json>(&state.private).unwrap(), json!({ "private": { "secret": "created in private" } }));
    let (read, private) = client.read(&state.state, &state.private).await;
    assert_eq!((read, private), (state.state, state.private));
}

#[tokio::test]
async fn a_plan_without_a_change_is_the_prior_state() {
    let mut client = Client::configured().await;
    let config = note(&json!({ "text": "same", "reader": { "bob": { "until": "noon", "number": null } } }));
    let State { state, private, .. } = client.create(&config).await;
    let planned = client.plan(&state, &config, &private).await;
    assert_eq!((planned.said.as_str(), planned.state), ("", state));
}

#[tokio::test]
async fn an_update_keeps_what_does_not_change_known() {
    let mut client = Client::configured().await;
    let State { state, private, .. } = client.create(&note(&json!({ "text": "one" }))).await;
    let planned = client.plan(&state, &note(&json!({ "text": "two", "tags": { "a": "b" } })), &private).await;
    assert_eq!(planned.said, "warning at tags: Tags change.");
    assert_eq!(planned.state["id"], state["id"]);
    assert_eq!(planned.state["revision"], UNKNOWN);
    assert!(planned.requires_replace.is_empty());
    let updated = client.apply(&state, &planned).await;
    assert_eq!(updated.said, "");
    assert_eq!(updated.state["revision"], 2);
    assert_eq!(updated.private, private);
}

#[tokio::test]
async fn only_changed_attributes_require_a_replacement() {
    let mut client = Client::configured().await;
    let before = note(&json!({ "subject": { "title": "a" } }));
    let State { state, private, .. } = client.create(&before).await;
    let both = note(&json!({ "name": "beta", "subject": { "title": "b" } }));
    assert_eq!(client.plan(&state, &both, &private).await.requires_replace, ["name", "subject.title"]);
    let unknown = note(&json!({ "name": UNKNOWN, "subject": { "title": "a" } }));
    assert_eq!(client.plan(&state, &unknown, &private).await.requires_replace, ["name"]);
    let gone = note(&json!({}));
    assert!(client.plan(&state, &gone, &private).await.requires_replace.is_empty());
}

#[tokio::test]
async fn a_dynamic_block_that_is_unknown_stays_unknown() {
    let mut client = Client::configured().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "reader": UNKNOWN })), &[]).await;
    assert_eq!((planned.said.as_str(), &planned.state["reader"]), ("", &json!(UNKNOWN)));
}

#[tokio::test]
async fn a_destroy_is_planned_and_its_note_reaches_the_delete() {
    let mut client = Client::configured().await;
    let State { state, private, .. } = client.create(&note(&json!({ "text": "keep" }))).await;
    let planned = client.plan(&state, &Json::Null, &private).await;
    assert_eq!((planned.said.as_str(), &planned.state), ("warning: `alpha` is burnt.", &Json::Null));
    let refused = client.apply(&state, &planned).await;
    // Null beside an error makes core keep the row, with its private state.
    assert_eq!((refused.said.as_str(), refused.state), ("error: Kept. Was burnt.", Json::Null));
}

#[tokio::test]
async fn the_delete_half_of_a_replacement_is_given_the_note_of_the_create_plan() {
    let mut client = Client::configured().await;
    let State { state, .. } = client.create(&note(&json!({ "text": "keep" }))).await;
    let mut planned = client.plan(&Json::Null, &note(&json!({})), &[]).await;
    planned.state = Json::Null;
    assert_eq!(client.apply(&state, &planned).await.said, "error: Kept. Was created.");
}

#[tokio::test]
async fn a_delete_leaves_nothing() {
    let mut client = Client::configured().await;
    let State { state, private, .. } = client.create(&note(&json!({}))).await;
    let planned = client.plan(&state, &Json::Null, &private).await;
    let deleted = client.apply(&state, &planned).await;
    assert_eq!((deleted.said.as_str(), deleted.state, deleted.private.len()), ("", Json::Null, 0));
    assert_eq!(client.read(&state, &private).await, (Json::Null, Vec::new()));
}

#[tokio::test]
async fn a_failed_create_leaves_its_last_checkpoint() {
    let mut client = Client::configured().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "text": "refuse" })), &[]).await;
    let failed = client.apply(&Json::Null, &planned).await;
    assert_eq!(failed.said, "error at text: Refused. The text asks for it.");
    assert_eq!(failed.state["revision"], 1);
    assert!(!failed.private.is_empty());
}

#[tokio::test]
async fn a_create_that_made_nothing_leaves_no_row() {
    let mut client = Client::configured().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "name": "no/such/folder" })), &[]).await;
    let failed = client.apply(&Json::Null, &planned).await;
    assert!(failed.said.starts_with("error: No file."), "{}", failed.said);
    assert_eq!((failed.state, failed.private.len()), (Json::Null, 0));
}

#[tokio::test]
async fn a_panic_becomes_a_diagnostic_and_the_provider_goes_on() {
    // What it logs of the panic would look like this test's own end.
    let silently = |command: &mut Command| {
        command.stderr(Stdio::null());
    };
    let mut client = Client::start_as(silently).await;
    client.configure().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "text": "panic" })), &[]).await;
    let failed = client.apply(&Json::Null, &planned).await;
    assert!(failed.said.starts_with("error: The provider crashed. Creating `notes_note` ran into"), "{}", failed.said);
    assert!(failed.said.contains("notes.rs:") && failed.said.contains("asked to"), "{}", failed.said);
    assert_eq!(failed.state["revision"], 1);
    client.create(&note(&json!({ "name": "beta" }))).await;
}

#[tokio::test]
async fn a_stop_abandons_the_operation_and_keeps_its_checkpoint() {
    let mut client = Client::configured().await;
    let planned = client.plan(&Json::Null, &note(&json!({ "text": "hang" })), &[]).await;
    let mut other = client.provider.clone();
    let request = apply_request(&Json::Null, &planned);
    let apply = tokio::spawn(async move { other.apply_resource_change(request).await.unwrap().into_inner() });
    // The note's file is written right before its checkpoint.
    let file = client.folder.path().join("alpha");
    while !file.exists() {
        tokio::task::yield_now().await;
    }
    let stopped = client.provider.stop(wire::stop::Request {}).await.unwrap().into_inner();
    assert_eq!(stopped.error, "");
    let answer = State::of(tokio::time::timeout(client::PATIENCE, apply).await.unwrap().unwrap());
    assert_eq!(
        answer.said,
        "error: Stopped. Creating `notes_note` was stopped before it was done. What exists by now is in the state \
         where it could be noted. Apply again to go on."
    );
    // After a stop nothing is begun.
    let planned = client.plan(&Json::Null, &note(&json!({ "name": "beta" })), &[]).await;
    assert!(planned.said.starts_with("error: Stopped."), "{}", planned.said);
    assert!(!client.folder.path().join("beta").exists());
}

#[tokio::test]
async fn an_operation_ends_with_its_timeout() {
    let mut client = Client::configured().await;
    let timeouts = json!({ "create": "1s", "read": null, "update": null, "delete": null });
    let planned = client.plan(&Json::Null, &note(&json!({ "text": "hang", "timeouts": timeouts })), &[]).await;
    let failed = client.apply(&Json::Null, &planned).await;
    assert_eq!(
        failed.said,
        "error: Timeout. Creating `notes_note` was not done within 1s. What exists by now is in the state where it \
         could be noted. Apply again to go on. `timeouts.create` says how long it may take."
    );
    assert_eq!(failed.state["revision"], 1);
}

#[tokio::test]
async fn validators_name_the_attribute_and_let_unknown_values_pass() {
    let mut client = Client::start().await;
    for (config, expected) in [
        (
            json!({ "name": "Alpha" }),
            "error at name: Invalid `name`. `Alpha` is not made of lower-case letters and dashes. Rename it.",
        ),
        (
            json!({ "timeouts": { "create": "soon", "read": null, "update": null, "delete": null } }),
            "error at timeouts.create: Invalid `timeouts.create`. `soon` is not a duration. Write it as numbers with units \
             (`h`, `m`, `s`), the largest first: `30m`, `1h30m`, `90s`.",
        ),
        (json!({ "text": "alpha" }), "error at text: A note that is its own name."),
        (json!({ "name": UNKNOWN, "text": UNKNOWN, "reader": UNKNOWN, "subject": UNKNOWN }), ""),
    ] {
        let request = wire::validate_resource_type_config::Request {
            type_name: "notes_note".into(),
            config: Some(value(&note(&config))),
            client_capabilities: None,
        };
        let answer = client.provider.validate_resource_type_config(request).await.unwrap().into_inner();
        assert_eq!(said(&answer.diagnostics), expected);
    }
}

async fn upgrade(client: &mut Client, version: i64, json: &Json) -> Result<Json, String> {
    let request = wire::upgrade_resource_state::Request {
        type_name: "notes_note".into(),
        version,
        raw_state: Some(wire::RawState { json: json.to_string().into_bytes(), ..Default::default() }),
    };
    let answer = client.provider.upgrade_resource_state(request).await.unwrap().into_inner();
    answer.upgraded_state.as_ref().map(json_of).ok_or_else(|| said(&answer.diagnostics))
}

#[tokio::test]
async fn a_state_of_this_version_is_read_without_attributes_that_are_no_more() {
    let mut client = Client::start().await;
    let stored = json!({ "name": "alpha", "text": "t", "colour": "red", "repeat": 2, "lines": { "0": { "text": "t" } } });
    let expected = note(&json!({ "text": "t", "repeat": 2, "lines": { "0": { "text": "t", "length": null } } }));
    assert_eq!(upgrade(&mut client, 1, &stored).await, Ok(expected));
}

#[tokio::test]
async fn a_state_of_another_version_says_what_to_do() {
    let mut client = Client::start().await;
    let newer = upgrade(&mut client, 2, &json!({})).await.unwrap_err();
    assert!(newer.contains("has version 2, and this provider knows versions up to 1"), "{newer}");
    let older = upgrade(&mut client, 0, &json!({})).await.unwrap_err();
    assert!(older.contains("has version 0, and this provider cannot bring it to version 1"), "{older}");
}

#[tokio::test]
async fn an_import_finds_the_note_or_says_that_there_is_none() {
    let mut client = Client::configured().await;
    std::fs::write(client.folder.path().join("found"), "text").unwrap();
    let request =
        |id: &str| wire::import_resource_state::Request { type_name: "notes_note".into(), id: id.into(), ..Default::default() };
    let answer = client.provider.import_resource_state(request("found")).await.unwrap().into_inner();
    let [imported] = answer.imported_resources.as_slice() else { panic!("{answer:?}") };
    assert_eq!(imported.type_name, "notes_note");
    assert_eq!(json_of(imported.state.as_ref().unwrap())["text"], "text");
    assert!(!imported.private.is_empty());

    let answer = client.provider.import_resource_state(request("lost")).await.unwrap().into_inner();
    assert!(answer.imported_resources.is_empty());
    assert!(said(&answer.diagnostics).starts_with("error: No such note."));
}

#[tokio::test]
async fn a_data_source_is_read_with_its_defaults() {
    let mut client = Client::configured().await;
    for name in ["a", "b"] {
        client.create(&note(&json!({ "name": name }))).await;
    }
    for (prefix, expected) in
        [(Json::Null, json!({ "prefix": "", "number": 2 })), (json!("a"), json!({ "prefix": "a", "number": 1 }))]
    {
        let request = wire::read_data_source::Request {
            type_name: "notes_count".into(),
            config: Some(value(&json!({ "prefix": prefix, "number": null }))),
            ..Default::default()
        };
        let answer = client.provider.read_data_source(request).await.unwrap().into_inner();
        assert_eq!(said(&answer.diagnostics), "");
        assert_eq!(json_of(answer.state.as_ref().unwrap()), expected);
    }
}

#[tokio::test]
async fn what_the_provider_has_not_is_an_error_that_names_it() {
    let mut client = Client::start().await;
    let request = wire::validate_resource_type_config::Request { type_name: "notes_song".into(), ..Default::default() };
    let answer = client.provider.validate_resource_type_config(request).await.unwrap().into_inner();
    assert_eq!(said(&answer.diagnostics), "error: Unknown resource. This version of the provider has no resource `notes_song`.");
    let request = wire::call_function::Request { name: "sing".into(), arguments: Vec::new() };
    let answer = client.provider.call_function(request).await.unwrap().into_inner();
    assert_eq!(answer.error.unwrap().text, "This version of the provider has no function `sing`.");
}

#[tokio::test]
async fn before_it_is_configured_nothing_is_planned() {
    let mut client = Client::start().await;
    let planned = client.plan(&Json::Null, &note(&json!({})), &[]).await;
    assert!(planned.said.starts_with("error: The provider is not configured."), "{}", planned.said);
}

#[tokio::test]
async fn a_value_of_many_megabytes_passes_both_ways() {
    let mut client = Client::configured().await;
    let text = "x".repeat(9 << 20);
    let state = client.create(&note(&json!({ "text": text }))).await;
    assert_eq!(state.state["lines"]["0"]["length"], 9 << 20);
}

#[tokio::test]
async fn bytes_that_are_no_value_are_an_error_and_no_more() {
    let mut client = Client::configured().await;
    for msgpack in [vec![0xa5, 0x61], vec![0xdf, 0xff, 0xff, 0xff, 0xff], vec![0x91; 100_000], vec![0x81, 0xa1, 0x78, 0xc0]] {
        let request = wire::read_resource::Request {
            type_name: "notes_note".into(),
            current_state: Some(wire::DynamicValue { msgpack, json: Vec::new() }),
            ..Default::default()
        };
        let answer = client.provider.read_resource(request).await.unwrap().into_inner();
        assert!(said(&answer.diagnostics).starts_with("error: A value could not be read."));
    }
}

#[tokio::test]
async fn the_schema_is_the_one_that_is_checked_in() {
    let mut client = Client::start().await;
    let schema = client.provider.get_schema(wire::get_provider_schema::Request {}).await.unwrap().into_inner();
    assert!(schema.server_capabilities.is_some_and(|can| can.plan_destroy && can.get_provider_schema_optional));
    let mut lines = Vec::new();
    let blocks = [("provider", schema.provider.as_ref())]
        .into_iter()
        .chain(schema.resource_schemas.iter().map(|(name, schema)| (name.as_str(), Some(schema))))
        .chain(schema.data_source_schemas.iter().map(|(name, schema)| (name.as_str(), Some(schema))));
    for (name, schema) in blocks {
        let schema = schema.unwrap();
        lines.push(format!("{name} (version {})", schema.version));
        describe(schema.block.as_ref().unwrap(), 1, &mut lines);
    }
    insta::assert_snapshot!(lines.join("\n"));
}

fn describe(block: &wire::schema::Block, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    lines.push(format!("{indent}\"{}\"", block.description));
    for attribute in &block.attributes {
        let flags = [
            (attribute.required, "required"),
            (attribute.optional, "optional"),
            (attribute.computed, "computed"),
            (attribute.sensitive, "sensitive"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag).collect();
        let (name, flags, description) = (&attribute.name, flags.join(" "), &attribute.description);
        let ty = String::from_utf8_lossy(&attribute.r#type);
        lines.push(format!("{indent}{name}: {ty} {flags} \"{description}\""));
    }
    for nested in &block.block_types {
        lines.push(format!("{indent}{} {{}} {}", nested.type_name, nested.nesting().as_str_name()));
        describe(nested.block.as_ref().unwrap(), depth + 1, lines);
    }
}
