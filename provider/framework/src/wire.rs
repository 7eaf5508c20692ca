//! Between the protocol's messages and ours.

use proto::tfplugin5 as wire;

use crate::cty::{Cty, Type};
use crate::diagnostics::{Diagnostic, Diagnostics, Severity};
use crate::path::{Path, Step};
use crate::schema::{Attribute, Block, NestedBlock, Nesting};
use crate::{json, msgpack, plan};

/// Reads a block's value.
pub(crate) fn read(value: Option<wire::DynamicValue>, block: &Block) -> Result<Cty, Diagnostics> {
    let Some(value) = value else { return Ok(Cty::Null) };
    let ty = block.ty();
    if !value.msgpack.is_empty() {
        return msgpack::decode(&value.msgpack, &ty).map_err(|error| unreadable(&error));
    }
    if value.json.is_empty() {
        return Ok(Cty::Null);
    }
    read_json(&value.json, block)
}

/// Reads a block's value from JSON, leniently: attributes that the schema has not are dropped.
pub(crate) fn read_json(bytes: &[u8], block: &Block) -> Result<Cty, Diagnostics> {
    let json = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    let value = json::decode(json, &block.ty()).map_err(|error| unreadable(&error))?;
    Ok(plan::complete(block, value))
}

/// Writes a value of type `ty`.
pub(crate) fn write(value: &Cty, ty: &Type) -> Result<wire::DynamicValue, Diagnostics> {
    match msgpack::encode(value, ty) {
        Ok(msgpack) => Ok(wire::DynamicValue { msgpack, json: Vec::new() }),
        Err(error) => Err(Diagnostic::error("A value could not be sent")
            .detail(format!("The provider made a value that is not of its schema: {error}. Please report this."))
            .into()),
    }
}

fn unreadable(error: &dyn std::error::Error) -> Diagnostics {
    Diagnostic::error("A value could not be read")
        .detail(format!(
            "What Terraform sent is not of this provider's schema: {error}. If the provider was exchanged during the \
             run, start the run again; if a newer version wrote the state, use that one."
        ))
        .into()
}

/// Diagnostics for the wire.
pub(crate) fn diagnostics(diagnostics: Diagnostics) -> Vec<wire::Diagnostic> {
    diagnostics
        .into_iter()
        .map(|diagnostic| wire::Diagnostic {
            severity: match diagnostic.severity {
                Severity::Error => wire::diagnostic::Severity::Error,
                Severity::Warning => wire::diagnostic::Severity::Warning,
            }
            .into(),
            attribute: (!diagnostic.path.is_root()).then(|| path(&diagnostic.path)),
            summary: diagnostic.summary,
            detail: diagnostic.detail,
        })
        .collect()
}

/// A path for the wire.
pub(crate) fn path(path: &Path) -> wire::AttributePath {
    use wire::attribute_path::step::Selector;
    let steps = path.steps().iter().map(|step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
        };
        wire::attribute_path::Step { selector: Some(selector) }
    });
    wire::AttributePath { steps: steps.collect() }
}

/// A schema for the wire.
pub(crate) fn schema(block: &Block, version: i64) -> wire::Schema {
    wire::Schema { version, block: Some(schema_block(block)) }
}

fn schema_block(block: &Block) -> wire::schema::Block {
    wire::schema::Block {
        attributes: block.attributes.iter().map(|(name, attribute)| schema_attribute(name, attribute)).collect(),
        block_types: block.blocks.iter().map(|(name, nested)| schema_nested(name, nested)).collect(),
        description: block.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        ..wire::schema::Block::default()
    }
}

fn schema_attribute(name: &str, attribute: &Attribute) -> wire::schema::Attribute {
    wire::schema::Attribute {
        name: name.to_owned(),
        r#type: attribute.ty.to_json().to_string().into_bytes(),
        description: attribute.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        required: attribute.required,
        optional: attribute.optional,
        computed: attribute.computed,
        sensitive: attribute.sensitive,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
        write_only: false,
    }
}

fn schema_nested(name: &str, nested: &NestedBlock) -> wire::schema::NestedBlock {
    use wire::schema::nested_block::NestingMode;
    wire::schema::NestedBlock {
        type_name: name.to_owned(),
        block: Some(schema_block(&nested.block)),
        nesting: match nested.nesting {
            Nesting::Single => NestingMode::Single,
            Nesting::Group => NestingMode::Group,
            Nesting::List => NestingMode::List,
            Nesting::Set => NestingMode::Set,
            Nesting::Map => NestingMode::Map,
        }
        .into(),
        min_items: nested.min_items,
        max_items: nested.max_items,
    }
}
