//! What asking a rule may take, before it is asked: the library that evaluates CEL has no bound of its own.

use std::collections::HashMap;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value as Json;

/// The most steps that asking one rule of one value may take, and that all rules of a run may: else it is not evaluated. An API
/// server ends rules much earlier.
pub(super) const MOST: u64 = 10_000_000;
pub(super) const MOST_OF_ALL: u64 = 1_000_000_000;

/// No list or mapping in a value has more items, no text is longer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    items: u64,
    text: u64,
}

/// A number, a time or a type as text.
const SCALAR: Size = Size { items: 0, text: 40 };

impl Size {
    pub(super) fn of(value: &Json) -> Self {
        match value {
            Json::String(text) => Size { items: 0, text: length(text.len()) },
            Json::Array(items) => items.iter().map(Size::of).fold(Size { items: length(items.len()), ..SCALAR }, Size::most),
            Json::Object(map) => {
                let keys = map.keys().map(|key| Size { items: 0, text: length(key.len()) });
                let parts = map.values().map(Size::of).chain(keys);
                // The type and the name of an object are there in any case.
                parts.fold(Size { items: length(map.len()).saturating_add(3), ..SCALAR }, Size::most)
            }
            _ => SCALAR,
        }
    }

    fn most(self, other: Self) -> Self {
        Size { items: self.items.max(other.items), text: self.text.max(other.text) }
    }

    fn and(self, other: Self) -> Self {
        Size { items: self.items.saturating_add(other.items), text: self.text.saturating_add(other.text) }
    }

    fn steps(self) -> u64 {
        self.items.saturating_add(self.text) / 64
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// An upper bound of the steps that evaluating takes, where `self` is that large.
pub(super) fn bound(expression: &IdedExpr, own: Size) -> u64 {
    let mut names = HashMap::from([("self", own), ("oldSelf", own)]);
    of(expression, &mut names).0
}

type Names<'e> = HashMap<&'e str, Size>;

/// Steps, and the size of what comes out.
fn of<'e>(expression: &'e IdedExpr, names: &mut Names<'e>) -> (u64, Size) {
    let mut steps = 1_u64;
    let mut part = |part: &'e IdedExpr, names: &mut Names<'e>| {
        let (more, size) = of(part, names);
        steps = steps.saturating_add(more);
        size
    };
    let size = match &expression.expr {
        Expr::Ident(name) => names.get(name.as_str()).copied().unwrap_or(SCALAR),
        Expr::Literal(LiteralValue::String(text)) => Size { items: 0, text: length(text.inner().len()) },
        Expr::Literal(_) | Expr::Unspecified | Expr::Struct(_) => SCALAR,
        Expr::Select(select) => part(&select.operand, names),
        Expr::List(list) => {
            let items = Size { items: length(list.elements.len()), ..SCALAR };
            list.elements.iter().fold(items, |size, item| size.most(part(item, names)))
        }
        Expr::Map(map) => {
            let mut size = Size { items: length(map.entries.len()), ..SCALAR };
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    size = size.most(part(&entry.key, names)).most(part(&entry.value, names));
                }
            }
            size
        }
        Expr::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            let sizes: Vec<Size> = parts.map(|one| part(one, names)).collect();
            let (more, size) = called(&call.func_name, &sizes);
            steps = steps.saturating_add(more);
            size
        }
        Expr::Comprehension(one) => {
            let range = part(&one.iter_range, names);
            let start = part(&one.accu_init, names);
            let before = [&one.iter_var, &one.accu_var].map(|name| (name.as_str(), names.get(name.as_str()).copied()));
            names.insert(&one.iter_var, range);
            // What a step adds is found with nothing gathered.
            names.insert(&one.accu_var, Size::default());
            let condition = of(&one.loop_cond, names).0;
            let (step, added) = of(&one.loop_step, names);
            let turns = range.items;
            steps = steps.saturating_add(turns.saturating_mul(condition.saturating_add(step)));
            let gathered =
                Size { items: start.items.saturating_add(turns.saturating_mul(added.items.max(1))), ..start.most(added) };
            names.insert(&one.accu_var, gathered);
            let (result, size) = of(&one.result, names);
            steps = steps.saturating_add(result);
            for (name, size) in before {
                match size {
                    Some(size) => names.insert(name, size),
                    None => names.remove(name),
                };
            }
            size
        }
    };
    (steps, size)
}

/// What a function takes, and gives.
fn called(name: &str, sizes: &[Size]) -> (u64, Size) {
    let at = |position: usize| sizes.get(position).copied().unwrap_or_default();
    let all = sizes.iter().copied().fold(Size::default(), Size::and);
    let times = |one: u64, other: u64| one.saturating_add(1).saturating_mul(other.saturating_add(1));
    let size = match name {
        "replace" => Size { items: 0, text: times(at(0).text, at(2).text) },
        "join" => Size { items: 0, text: times(at(0).items, at(0).text.saturating_add(at(1).text)) },
        "split" => Size { items: at(0).text.saturating_add(1), text: at(0).text },
        "_?_:_" => at(1).most(at(2)),
        "_[_]" | "_?._" | "_[?_]" => at(0),
        "_+_" | "substring" | "trim" | "lowerAscii" | "upperAscii" | "charAt" | "optional.of" => all,
        _ => all.most(SCALAR),
    };
    let steps = match name {
        "contains" | "indexOf" | "lastIndexOf" | "split" | "replace" => times(at(0).text, at(1).text) / 64,
        // The pattern is read, too.
        "matches" => times(at(0).text, at(1).text) / 16,
        "_&&_" | "_||_" | "!_" | "_?_:_" | "_[_]" => 0,
        _ => all.steps(),
    };
    (steps.saturating_add(size.steps()), size)
}
