//! All mistakes of an author, reported together.

use proc_macro2::TokenStream;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn at(&mut self, tokens: impl quote::ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// The code, or what is wrong instead of it.
    pub(crate) fn or(self, code: impl FnOnce() -> TokenStream) -> TokenStream {
        match self.0 {
            Some(error) => error.into_compile_error(),
            None => code(),
        }
    }
}
