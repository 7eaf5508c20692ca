//! `#[derive(Object)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::fields;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let fields = fields::named(input, &mut errors);
    errors.or(|| {
        let ident = &input.ident;
        let idents: Vec<_> = fields.iter().filter_map(|field| field.ident.as_ref()).collect();
        let names: Vec<_> = idents.iter().map(|ident| fields::terraform_name(ident)).collect();
        let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
        quote! {
            #[automatically_derived]
            #[allow(clippy::all, clippy::pedantic, unused_variables, unused_mut)]
            impl ::tf_provider::derived::AttributeValue for #ident {
                fn ty() -> ::tf_provider::derived::Type {
                    ::tf_provider::derived::Type::Object(::std::convert::From::from([#((
                        ::std::string::String::from(#names),
                        <<#types as ::tf_provider::derived::AttributeField>::Inner
                            as ::tf_provider::derived::AttributeValue>::ty(),
                    ),)*]))
                }

                fn from_cty(
                    value: ::tf_provider::derived::Cty,
                    path: &::tf_provider::derived::Path,
                ) -> ::std::result::Result<Self, ::tf_provider::derived::Diagnostic> {
                    let mut fields = ::tf_provider::derived::Fields::open(value, path)?;
                    ::std::result::Result::Ok(Self { #(#idents: fields.attribute(#names)?,)* })
                }

                fn to_cty(&self) -> ::tf_provider::derived::Cty {
                    ::tf_provider::derived::Cty::Map(::std::convert::From::from([#((
                        ::std::string::String::from(#names),
                        ::tf_provider::derived::AttributeField::write(&self.#idents),
                    ),)*]))
                }
            }
        }
    })
}
