//! CustomResourceDefinitions at hand, and what an API server holds an object that is created to by them: the structural schema,
//! after defaults were filled in, and the rules in CEL.

mod bind;
mod cost;
mod defaults;
mod engine;
mod exact;
mod find;
mod formats;
mod lists;
mod re2;
mod rules;
mod schema;
mod shape;
mod uri;

use serde_json::Value;

pub(crate) use find::{Crds, Found};
pub(crate) use lists::repeated;
pub(crate) use rules::judge;
pub(crate) use schema::Schema;
use shape::Shape;

/// A version of a CustomResourceDefinition.
pub(crate) struct Version {
    pub(crate) schema: Schema,
    pub(crate) shape: Shape,
}

impl Version {
    /// Reads an entry of `spec.versions`.
    fn read(raw: &Value) -> Result<Self, String> {
        let schema = &raw["schema"]["openAPIV3Schema"];
        if !schema.is_object() {
            return Err("it has no `openAPIV3Schema`".to_owned());
        }
        let shape = shape::shape(schema, raw["subresources"]["status"].is_object())?;
        Ok(Version { schema: Schema::read(schema), shape })
    }

    /// An object as an API server has it before it is looked at: with defaults.
    pub(crate) fn filled(&self, object: &Value) -> Value {
        defaults::filled(object.clone(), &self.schema)
    }
}

/// Whether this is a CustomResourceDefinition.
fn is_crd(document: &Value) -> bool {
    document["kind"] == "CustomResourceDefinition"
        && document["apiVersion"].as_str().is_some_and(|version| version.starts_with("apiextensions.k8s.io/"))
}
