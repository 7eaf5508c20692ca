//! Nulls where a configuration must hold a value. Core lets `required = null` and `[null]` through to the provider: an
//! unset variable comes so.

use crate::cty::Cty;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::Path;
use crate::schema::{Attribute, Block};

/// Says which required attributes are null, and which lists and sets hold a null. A null entry of a map counts as not there.
pub(crate) fn check(block: &Block, config: &Cty, path: &Path, diagnostics: &mut Diagnostics) {
    if !matches!(config, Cty::Map(_)) {
        return;
    }
    for (name, attribute) in &block.attributes {
        check_attribute(attribute, name, config.get(name), path.clone().attribute(name), diagnostics);
    }
    for (name, nested) in &block.blocks {
        let path = path.clone().attribute(name);
        match config.get(name) {
            Cty::List(blocks) => {
                for (index, config) in blocks.iter().enumerate() {
                    check(&nested.block, config, &path.clone().element(index), diagnostics);
                }
            }
            Cty::Map(blocks) if nested.nesting == crate::schema::Nesting::Map => {
                for (label, config) in blocks {
                    check(&nested.block, config, &path.clone().element(label.as_str()), diagnostics);
                }
            }
            config => check(&nested.block, config, &path, diagnostics),
        }
    }
}

fn check_attribute(attribute: &Attribute, name: &str, value: &Cty, path: Path, diagnostics: &mut Diagnostics) {
    match value {
        Cty::Null if attribute.required => diagnostics.push(
            Diagnostic::error(format!("`{name}` is null"))
                .detail(format!("`{path}` is required, and what it is set to is null: a variable without a value, for example."))
                .at(path),
        ),
        Cty::List(elements) => {
            for (index, _) in elements.iter().enumerate().filter(|(_, element)| element.is_null()) {
                let path = path.clone().element(index);
                diagnostics.push(
                    Diagnostic::error(format!("`{name}` holds a null"))
                        .detail(format!("`{path}` is null. Leave the element out, with `compact` or a `for … if` expression."))
                        .at(path),
                );
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cty::Type;
    use crate::schema::{NestedBlock, Nesting};

    fn attribute(ty: Type, required: bool) -> Attribute {
        Attribute {
            ty,
            description: String::new(),
            required,
            optional: !required,
            computed: false,
            sensitive: false,
            deprecated: None,
            requires_replace: false,
            default: None,
        }
    }

    fn map(entries: impl IntoIterator<Item = (&'static str, Cty)>) -> Cty {
        Cty::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn said(config: &Cty) -> Vec<String> {
        let texts = Type::List(Box::new(Type::String));
        let pool = Block { attributes: [("count".to_owned(), attribute(Type::Number, true))].into(), ..Block::default() };
        let pools = NestedBlock { block: pool, nesting: Nesting::Map, min_items: 0, max_items: 0, requires_replace: false };
        let block = Block {
            attributes: BTreeMap::from([
                ("name".to_owned(), attribute(Type::String, true)),
                ("zones".to_owned(), attribute(texts, false)),
            ]),
            blocks: [("pool".to_owned(), pools)].into(),
            ..Block::default()
        };
        let mut diagnostics = Diagnostics::new();
        check(&block, config, &Path::root(), &mut diagnostics);
        diagnostics.into_iter().map(|diagnostic| diagnostic.to_string()).collect()
    }

    #[test]
    fn nulls_are_named_and_unknowns_pass() {
        let text = |text: &str| Cty::String(text.to_owned());
        let pool = |count: Cty| map([("general", map([("count", count)]))]);
        let fine = map([("name", text("a")), ("zones", Cty::Null), ("pool", pool(Cty::unknown()))]);
        assert_eq!(said(&fine), Vec::<String>::new());
        let wrong = map([("name", Cty::Null), ("zones", Cty::List(vec![text("a"), Cty::Null])), ("pool", pool(Cty::Null))]);
        insta::assert_snapshot!(said(&wrong).join("\n"), @r#"
        name: `name` is null: `name` is required, and what it is set to is null: a variable without a value, for example.
        zones[1]: `zones` holds a null: `zones[1]` is null. Leave the element out, with `compact` or a `for … if` expression.
        pool["general"].count: `count` is null: `pool["general"].count` is required, and what it is set to is null: a variable without a value, for example.
        "#);
    }
}
