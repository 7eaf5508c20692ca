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
