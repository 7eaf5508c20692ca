//! The fields of a model or object.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Ident, Lit, Meta, Type};

use crate::errors::Errors;
use crate::options::{Kind, Options};

/// One field with all that its attributes say.
pub(crate) struct Member {
    pub(crate) ident: Ident,
    /// Its name in Terraform.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) options: Options,
}

/// The named fields of a struct without type parameters.
pub(crate) fn named<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<&'a Field> {
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, "a model has no type parameters: a schema is one type");
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return fields.named.iter().collect(),
            Fields::Unnamed(fields) => errors.at(fields, "name the fields: they are the attributes"),
            Fields::Unit => return Vec::new(),
        },
        Data::Enum(data) => errors.at(data.enum_token, "a model is a struct: Terraform has no types of alternatives"),
        Data::Union(data) => errors.at(data.union_token, "a model is a struct"),
    }
    Vec::new()
}

/// Reads a model's field.
pub(crate) fn member(field: &Field, errors: &mut Errors) -> Option<Member> {
    let ident = field.ident.clone()?;
    let marks: Vec<(&Attribute, Kind)> = field
        .attrs
        .iter()
        .filter_map(|attribute| {
            if attribute.path().is_ident("attr") {
                Some((attribute, Kind::Attribute))
            } else if attribute.path().is_ident("block") {
                Some((attribute, Kind::Block))
            } else {
                None
            }
        })
        .collect();
    let [(mark, kind)] = marks.as_slice() else {
        errors.at(&ident, "say once what the field is: `#[attr(…)]` or `#[block]`");
        return None;
    };
    let options = Options::parse(mark, *kind, errors);
    let doc = documentation(&field.attrs);
    if doc.is_empty() && *kind == Kind::Attribute {
        errors.at(&ident, "write a doc comment: it is the attribute's description");
    }
    Some(Member { name: terraform_name(&ident), ident, ty: field.ty.clone(), doc, kind: *kind, options })
}

/// The name that the field has in Terraform.
pub(crate) fn terraform_name(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The doc comment as Markdown, a paragraph a line: how wide the source is set is nothing to its readers.
pub(crate) fn documentation(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(doc) => match &doc.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .flat_map(|text| text.split('\n').map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect::<Vec<_>>())
        .collect();
    let mut text = String::new();
    let mut fenced = false;
    for line in &lines {
        let fence = line.trim_start().starts_with("```");
        let glue = if !fenced && !fence && goes_on(text.rsplit('\n').next().unwrap_or_default(), line) { " " } else { "\n" };
        text.push_str(glue);
        text.push_str(line);
        fenced ^= fence;
    }
    text.trim().to_owned()
}

/// Whether a line belongs to the paragraph of the one before it, rather than beginning a list item, table row or the like.
fn goes_on(before: &str, line: &str) -> bool {
    let begins = |line: &str, marks: &[&str]| marks.iter().any(|mark| line.starts_with(mark));
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = number.len() < line.len() && begins(number, &[". ", ") "]);
    !before.is_empty()
        && !begins(before, &["#", "|", "```"])
        && !before.ends_with("  ")
        && !line.is_empty()
        && !numbered
        && !begins(line, &[" ", "\t", "#", "|", ">", "- ", "* ", "+ "])
}

impl Member {
    /// Statements that add the field to the schema `block`.
    pub(crate) fn schema(&self) -> TokenStream {
        let Self { name, ty, doc, options, .. } = self;
        let requires_replace = options.requires_replace;
        if self.kind == Kind::Block {
            let describe = (!doc.is_empty()).then(|| quote!(nested.block.description = ::std::string::String::from(#doc);));
            let min_items = options.min_items.iter();
            let max_items = options.max_items.iter();
            return quote! {
                let mut nested = <#ty as ::tf_provider::derived::BlockField>::nested();
                #describe
                nested.requires_replace = #requires_replace;
                #(nested.min_items = #min_items;)*
                #(nested.max_items = #max_items;)*
                block.blocks.insert(::std::string::String::from(#name), nested);
            };
        }
        let Options { required, sensitive, .. } = *options;
        let has_default = options.default.is_some();
        let optional = options.optional || has_default;
        let computed = options.computed || has_default;
        let default = if let Some(value) = options.default_value() {
            let inner = quote!(<#ty as ::tf_provider::derived::AttributeField>::Inner);
            quote!(::std::option::Option::Some({
                let default: #inner = #value;
                ::tf_provider::derived::AttributeValue::to_cty(&default)
            }))
        } else {
            quote!(::std::option::Option::None)
        };
        let deprecated = if let Some(note) = &options.deprecated {
            quote!(::std::option::Option::Some(::std::string::String::from(#note)))
        } else {
            quote!(::std::option::Option::None)
        };
        quote! {
            let default = #default;
            block.attributes.insert(::std::string::String::from(#name), ::tf_provider::derived::Attribute {
                ty: <<#ty as ::tf_provider::derived::AttributeField>::Inner as ::tf_provider::derived::AttributeValue>::ty(),
                description: ::tf_provider::derived::description(
                    #doc,
                    ::std::option::Option::as_ref(&default),
                    #requires_replace,
                ),
                required: #required,
                optional: #optional,
                computed: #computed,
                sensitive: #sensitive,
                deprecated: #deprecated,
                requires_replace: #requires_replace,
                default,
            });
        }
    }

    /// The field's part of a struct expression that reads it from `fields`.
    pub(crate) fn read(&self) -> TokenStream {
        let Self { ident, name, .. } = self;
        match self.kind {
            Kind::Attribute => quote!(#ident: fields.attribute(#name)?),
            Kind::Block => quote!(#ident: fields.block(#name)?),
        }
    }

    /// The field as an entry of a map.
    pub(crate) fn write(&self) -> TokenStream {
        let Self { ident, name, .. } = self;
        match self.kind {
            Kind::Attribute => quote! {
                (::std::string::String::from(#name), ::tf_provider::derived::AttributeField::write(&self.#ident))
            },
            Kind::Block => quote! {
                (::std::string::String::from(#name), ::tf_provider::derived::BlockField::write(&self.#ident))
            },
        }
    }

    /// Statements that run the field's validators.
    pub(crate) fn check(&self) -> TokenStream {
        let Self { ident, name, options, .. } = self;
        let validators = &options.validators;
        let nested = (self.kind == Kind::Block).then(|| {
            quote! {
                ::tf_provider::derived::BlockField::check(&self.#ident, &path.clone().attribute(#name), diagnostics);
            }
        });
        quote! {
            #(::tf_provider::derived::validated(
                &self.#ident,
                |value| #validators(value),
                path.clone().attribute(#name),
                diagnostics,
            );)*
            #nested
        }
    }
}
