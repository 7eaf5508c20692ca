//! `#[derive(Model)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::fields::{self, Member};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let members: Vec<Member> =
        fields::named(input, &mut errors).into_iter().filter_map(|field| fields::member(field, &mut errors)).collect();
    let description = fields::documentation(&input.attrs);
    if description.is_empty() {
        errors.at(&input.ident, "write a doc comment: it is the block's description");
    }
    errors.or(|| code(input, &members, &description))
}

fn code(input: &DeriveInput, members: &[Member], description: &str) -> TokenStream {
    let ident = &input.ident;
    let schema = members.iter().map(Member::schema);
    let read = members.iter().map(Member::read);
    let write = members.iter().map(Member::write);
    let check = members.iter().map(Member::check);
    quote! {
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic, unused_variables, unused_mut)]
        impl ::tf_provider::derived::BlockValue for #ident {
            const NESTING: ::tf_provider::derived::Nesting = ::tf_provider::derived::Nesting::Single;

            fn block() -> ::tf_provider::derived::Block {
                let mut block = ::tf_provider::derived::Block {
                    description: ::std::string::String::from(#description),
                    ..::std::default::Default::default()
                };
                #(#schema)*
                block
            }

            fn from_cty(
                value: ::tf_provider::derived::Cty,
                path: &::tf_provider::derived::Path,
            ) -> ::std::result::Result<Self, ::tf_provider::derived::Diagnostic> {
                let mut fields = ::tf_provider::derived::Fields::open(value, path)?;
                ::std::result::Result::Ok(Self { #(#read,)* })
            }

            fn to_cty(&self) -> ::tf_provider::derived::Cty {
                ::tf_provider::derived::Cty::Map(::std::convert::From::from([#(#write,)*]))
            }

            fn absent() -> ::tf_provider::Value<Self> {
                ::tf_provider::Value::Null
            }

            fn check(
                &self,
                path: &::tf_provider::derived::Path,
                diagnostics: &mut ::tf_provider::derived::Diagnostics,
            ) {
                #(#check)*
            }
        }

        #[automatically_derived]
        impl ::tf_provider::Model for #ident {}
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenTree;
    use syn::parse_quote;

    use super::*;

    /// What the compiler will say, in order.
    fn said(input: &DeriveInput) -> Vec<String> {
        fn literals(tokens: TokenStream, found: &mut Vec<String>) {
            for token in tokens {
                match token {
                    TokenTree::Group(group) => literals(group.stream(), found),
                    TokenTree::Literal(literal) => {
                        found.push(syn::parse_str::<syn::LitStr>(&literal.to_string()).unwrap().value());
                    }
                    TokenTree::Ident(_) | TokenTree::Punct(_) => {}
                }
            }
        }
        let tokens = derive(input);
        assert!(tokens.to_string().contains("compile_error"), "it compiles: {tokens}");
        let mut found = Vec::new();
        literals(tokens, &mut found);
        found
    }

    #[test]
    fn all_mistakes_are_reported_together() {
        let input = parse_quote! {
            struct Bad {
                /// Documented.
                unmarked: Value<String>,
                #[attr(required)]
                undocumented: Value<String>,
                /// Documented.
                #[attr(sensitive)]
                unowned: Value<String>,
                /// Documented.
                #[attr(required, computed)]
                torn: Value<String>,
                /// Documented.
                #[attr(optional, requiredd)]
                misspelt: Value<String>,
                #[block(sensitive)]
                block: Value<Other>,
                /// Documented.
                #[attr(optional)]
                #[block]
                both: Value<String>,
            }
        };
        assert_eq!(
            said(&input),
            [
                "say once what the field is: `#[attr(…)]` or `#[block]`",
                "write a doc comment: it is the attribute's description",
                "say who sets the attribute: `required`, `optional`, `computed`, or `optional, computed`",
                "what is `required` cannot be `optional` or `computed` or have a `default` too",
                "unknown option: an attribute has `required`, `optional`, `computed`, `sensitive`, `requires_replace`, \
                 `default = …`, `validate = …` and `deprecated = \"…\"`",
                "unknown option: a block has `requires_replace`, `validate = …`, `min_items = …` and `max_items = …`",
                "say once what the field is: `#[attr(…)]` or `#[block]`",
                "write a doc comment: it is the block's description",
            ]
        );
    }

    #[test]
    fn a_model_is_a_struct_with_named_fields_and_one_type() {
        let documented = "write a doc comment: it is the block's description";
        assert_eq!(
            said(&parse_quote! { enum Either { A, B } }),
            ["a model is a struct: Terraform has no types of alternatives", documented]
        );
        assert_eq!(
            said(&parse_quote! { struct Pair(String, String); }),
            ["name the fields: they are the attributes", documented]
        );
        assert_eq!(
            said(&parse_quote! { #[doc = " Documented."] struct Generic<T> { } }),
            ["a model has no type parameters: a schema is one type"]
        );
    }

    #[test]
    fn an_attribute_without_parentheses_is_asked_for_its_use() {
        let input = parse_quote! {
            #[doc = " Documented."]
            struct Bad {
                #[doc = " Documented."]
                #[attr]
                name: Value<String>,
            }
        };
        assert_eq!(said(&input), ["say who sets the attribute: `required`, `optional`, `computed`, or `optional, computed`"]);
    }

    #[test]
    fn a_paragraph_of_several_lines_is_one_line_of_the_description() {
        let input: DeriveInput = parse_quote! {
            #[doc = " First line,"]
            #[doc = " second line"]
            #[doc = " 3 of them."]
            #[doc = ""]
            #[doc = " Another paragraph:"]
            #[doc = " - an item"]
            #[doc = " - another"]
            #[doc = ""]
            #[doc = " ```hcl"]
            #[doc = " a = 1"]
            #[doc = " b = 2"]
            #[doc = " ```"]
            #[doc = " After it."]
            #[doc = "   indented"]
            struct Good;
        };
        assert_eq!(
            fields::documentation(&input.attrs),
            "First line, second line 3 of them.\n\nAnother paragraph:\n- an item\n- another\n\n```hcl\na = 1\nb = 2\n```\nAfter \
             it.\n  indented"
        );
    }
}
