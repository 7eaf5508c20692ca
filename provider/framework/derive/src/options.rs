//! What stands in `#[attr(…)]` and `#[block(…)]`.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, Lit, LitInt, LitStr, Path};

use crate::errors::Errors;

/// The options of one attribute or block.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) required: bool,
    pub(crate) optional: bool,
    pub(crate) computed: bool,
    pub(crate) sensitive: bool,
    pub(crate) requires_replace: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) validators: Vec<Path>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) min_items: Option<LitInt>,
    pub(crate) max_items: Option<LitInt>,
}

/// Which of the two it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Attribute,
    Block,
}

impl Options {
    pub(crate) fn parse(attribute: &Attribute, kind: Kind, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        if matches!(attribute.meta, syn::Meta::Path(_)) {
            if kind == Kind::Attribute {
                errors.at(attribute, NO_USE);
            }
            return options;
        }
        let parsed = attribute.parse_nested_meta(|meta| options.one(&meta, kind));
        match parsed {
            Err(error) => errors.push(error),
            Ok(()) if kind == Kind::Attribute => options.check(attribute, errors),
            Ok(()) => {}
        }
        options
    }

    fn one(&mut self, meta: &ParseNestedMeta<'_>, kind: Kind) -> syn::Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match (kind, name.as_str()) {
            (Kind::Attribute, "required") => self.required = true,
            (Kind::Attribute, "optional") => self.optional = true,
            (Kind::Attribute, "computed") => self.computed = true,
            (Kind::Attribute, "sensitive") => self.sensitive = true,
            (Kind::Attribute, "default") => self.default = Some(meta.value()?.parse()?),
            (Kind::Attribute, "deprecated") => self.deprecated = Some(meta.value()?.parse()?),
            (Kind::Block, "min_items") => self.min_items = Some(meta.value()?.parse()?),
            (Kind::Block, "max_items") => self.max_items = Some(meta.value()?.parse()?),
            (_, "validate") => self.validators.push(meta.value()?.parse()?),
            (_, "requires_replace") => self.requires_replace = true,
            (Kind::Attribute, _) => {
                return Err(meta.error(
                    "unknown option: an attribute has `required`, `optional`, `computed`, `sensitive`, \
                     `requires_replace`, `default = …`, `validate = …` and `deprecated = \"…\"`",
                ));
            }
            (Kind::Block, _) => {
                return Err(meta.error(
                    "unknown option: a block has `requires_replace`, `validate = …`, `min_items = …` and `max_items = …`",
                ));
            }
        }
        Ok(())
    }

    fn check(&self, attribute: &Attribute, errors: &mut Errors) {
        if !(self.required || self.optional || self.computed || self.default.is_some()) {
            errors.at(attribute, NO_USE);
        }
        if self.required && (self.optional || self.computed || self.default.is_some()) {
            errors.at(attribute, "what is `required` cannot be `optional` or `computed` or have a `default` too");
        }
    }

    /// The default as an expression of the attribute's type.
    pub(crate) fn default_value(&self) -> Option<proc_macro2::TokenStream> {
        self.default.as_ref().map(|default| match default {
            Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => {
                quote::quote!(::std::string::String::from(#literal))
            }
            default => quote::quote!(#default),
        })
    }
}

const NO_USE: &str = "say who sets the attribute: `required`, `optional`, `computed`, or `optional, computed`";
