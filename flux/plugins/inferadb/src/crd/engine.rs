//! The CEL that rules are written in: what of it is understood here, and what a rule gives.

use std::sync::Arc;

use cel::common::ast::Expr;
use cel::common::types::{CelBool, CelString};
use cel::{Context, Env, ExecutionError, IdedExpr, Program, Value, extensions};

use super::{exact, re2};

/// Longer rules, and those with more brackets within each other, are not read: the parser takes stack for each.
const LONGEST: usize = 4096;
const DEEPEST: usize = 48;

/// The stack of a thread that reads and asks rules, at those limits, in a build without optimisation.
pub(super) const STACK: usize = 256 << 20;

/// Functions and operators that give here what they give in an API server.
const KNOWN: [&str; 61] = [
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "_[_]",
    "@not_strictly_false",
    "@in",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "type",
    "dyn",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "replace",
    "split",
    "substring",
    "trim",
    "hasValue",
    "value",
    "or",
    "_?._",
    "_[?_]",
    "orValue",
    "isIP",
];

/// What a rule gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Holds,
    Broken,
    /// It cannot be decided, which refuses the object too.
    Failed(String),
    /// It is beyond this engine.
    Unknown,
}

/// The environment of all rules.
pub(super) struct Engine {
    env: Arc<Env>,
    duration: Option<Program>,
    timestamp: Option<Program>,
    none: Option<Program>,
}

impl Engine {
    /// Nothing where the functions cannot be declared, which is a fault of this program.
    pub(super) fn new() -> Option<Self> {
        let mut env = Env::stdlib();
        extensions::strings(&mut env).ok()?;
        cel::add_overload!(env, fn is_ip: (CelString) -> CelBool, name = "isIP").ok()?;
        cel::add_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>).ok()?;
        cel::add_member_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>).ok()?;
        exact::declare(&mut env).ok()?;
        let [duration, timestamp, none] =
            ["duration(self)", "timestamp(self)", "optional.none()"].map(|text| env.compile(text).ok());
        Some(Engine { env: Arc::new(env), duration, timestamp, none })
    }

    /// Reads a rule; nothing where it says what is not understood here.
    pub(super) fn read(&self, text: &str) -> Option<Program> {
        let mut depth = 0_usize;
        for letter in text.bytes() {
            match letter {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > DEEPEST {
                return None;
            }
        }
        if text.len() > LONGEST {
            return None;
        }
        let program = self.env.compile(text).ok()?;
        let known = program.references().functions().iter().all(|name| KNOWN.contains(name) || exact::LOOKS.contains(name));
        known.then_some(program)
    }

    pub(super) fn context(&self) -> Context<'static, 'static> {
        Context::with_env(Arc::clone(&self.env))
    }

    pub(super) fn duration(&self, text: &str) -> Option<Value> {
        self.converted(self.duration.as_ref()?, text)
    }

    pub(super) fn timestamp(&self, text: &str) -> Option<Value> {
        self.converted(self.timestamp.as_ref()?, text)
    }

    /// What is not there.
    pub(super) fn none(&self) -> Option<Value> {
        self.none.as_ref()?.execute(&self.context()).ok()
    }

    fn converted(&self, program: &Program, text: &str) -> Option<Value> {
        let mut context = self.context();
        context.add_variable_from_value("self", text.to_owned());
        program.execute(&context).ok()
    }
}

/// What a rule gives for what is bound.
pub(super) fn ask(program: &Program, context: &Context<'_, '_>) -> Outcome {
    match program.execute(context) {
        Ok(Value::Bool(true)) => Outcome::Holds,
        Ok(Value::Bool(false)) => Outcome::Broken,
        Err(ExecutionError::NoSuchKey(key)) => Outcome::Failed(format!("no such key: {key}")),
        Err(ExecutionError::IndexOutOfBounds(_)) => Outcome::Failed("index out of bounds".to_owned()),
        Err(ExecutionError::DivisionByZero(_)) => Outcome::Failed("division by zero".to_owned()),
        Err(ExecutionError::RemainderByZero(_)) => Outcome::Failed("modulus by zero".to_owned()),
        Err(ExecutionError::Overflow(..)) => Outcome::Failed("integer overflow".to_owned()),
        Err(ExecutionError::FunctionError { function, .. }) if function == "substring" || function == "charAt" => {
            Outcome::Failed(format!("`{function}` beyond the end"))
        }
        Ok(_) | Err(_) => Outcome::Unknown,
    }
}

fn is_ip(text: &CelString<'_>) -> CelBool {
    let address = text.inner().parse::<std::net::IpAddr>();
    let mapped = |address: &std::net::IpAddr| matches!(address, std::net::IpAddr::V6(six) if six.to_ipv4_mapped().is_some());
    CelBool::from(address.is_ok_and(|address| !mapped(&address)))
}

fn matches(text: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    let matches = re2::matches(pattern.inner(), text.inner());
    matches.map(CelBool::from).ok_or_else(|| ExecutionError::function_error("matches", "not understood"))
}

/// Calls for each part of an expression.
pub(super) fn each_part<'e>(expression: &'e IdedExpr, call: &mut impl FnMut(&'e Expr)) {
    use cel::common::ast::EntryExpr;
    call(&expression.expr);
    match &expression.expr {
        Expr::Call(one) => {
            for part in one.target.as_deref().into_iter().chain(&one.args) {
                each_part(part, call);
            }
        }
        Expr::Comprehension(one) => {
            for part in [&one.iter_range, &one.accu_init, &one.loop_cond, &one.loop_step, &one.result] {
                each_part(part, call);
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|part| each_part(part, call)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    each_part(&entry.key, call);
                    each_part(&entry.value, call);
                }
            }
        }
        Expr::Select(select) => each_part(&select.operand, call),
        Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// On a stack as rules have it, in a build as tests have it.
    fn on_its_stack<T: Send>(job: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, job).unwrap().join().unwrap()
        })
    }

    fn outcome(engine: &Engine, text: &str) -> Outcome {
        let Some(program) = engine.read(text) else { return Outcome::Unknown };
        let mut context = engine.context();
        let values = [("text", Value::from("a.b".to_owned())), ("number", Value::Int(3)), ("none", Value::Null)];
        context.add_variable_from_value("self", HashMap::from(values.map(|(name, value)| (name.to_owned(), value))));
        ask(&program, &context)
    }

    #[test]
    fn rules_mean_what_they_mean_to_kubernetes() {
        let cases = [
            ("self.number == 3.0 && self.number < 3.5 && 3u == self.number", Outcome::Holds),
            ("self.nothing == 1 || true", Outcome::Holds),
            ("false && self.nothing == 1", Outcome::Broken),
            ("self.nothing == 1 || false", Outcome::Failed("no such key: nothing".to_owned())),
            ("has(self.none) && self.none == null && !has(self.nothing)", Outcome::Holds),
            ("self.?nothing.orValue(7) == 7 && self.?number.orValue(7) == 3", Outcome::Holds),
            ("[0, 1].exists(x, 1 / x == 1)", Outcome::Holds),
            ("[0, 1].all(x, 1 / x == 1)", Outcome::Failed("division by zero".to_owned())),
            ("9223372036854775807 + self.number > 0", Outcome::Failed("integer overflow".to_owned())),
            ("[1][self.number] == 1", Outcome::Failed("index out of bounds".to_owned())),
            ("'aé€'.size() == 3 && 'aé€'.substring(1) == 'é€'", Outcome::Holds),
            (r"!'a\u00e9'.matches(r'^a\w$') && 'ab'.matches(r'^a\w$') && matches('a', '[[:alpha:]]')", Outcome::Holds),
            (r"!'\u0663'.matches(r'\d') && !'\u00a0'.matches(r'\s') && !'\u00e9'.matches(r'\b')", Outcome::Holds),
            ("duration('1h30m') > duration('90s') && duration('1.5h') == duration('90m')", Outcome::Holds),
            (
                "isIP('1.2.3.4') && isIP('::1') && !isIP('::ffff:1.2.3.4') && !isIP('1.2.3') && !isIP('fe80::1%eth0')",
                Outcome::Holds,
            ),
            ("self.number", Outcome::Unknown),
            ("unknown == 1", Outcome::Unknown),
            ("[1, 2].sum() == 3", Outcome::Unknown),
            ("[1].all(i, v, v == 1)", Outcome::Unknown),
            ("'a'.matches('(')", Outcome::Unknown),
            (
                "string(1.5) == '1.5' && string(self.number) == '3' && string(timestamp(0)) == '1970-01-01T00:00:00Z'",
                Outcome::Holds,
            ),
            ("uint('01') == 1u && uint(self.number) == 3u", Outcome::Holds),
            ("string(1e21) == '1e+21'", Outcome::Unknown),
            ("timestamp('2024-01-01 00:00:00Z') == timestamp(0)", Outcome::Unknown),
            ("timestamp('2024-01-01T00:00:60Z') == timestamp(0)", Outcome::Unknown),
            ("uint('+1') == 1u", Outcome::Unknown),
        ];
        let engine = Engine::new().unwrap();
        for (text, expected) in cases {
            assert_eq!(outcome(&engine, text), expected, "{text}");
        }
    }

    #[test]
    fn the_worst_rules_that_are_read_fit_on_the_stack() {
        let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEEPEST), close.repeat(DEEPEST));
        let mut rules = vec![nested("(", ")"), nested("[", "]"), nested("{1:", "}"), nested("size(", ")"), nested("[0][", "]")];
        for link in [" + 1", ".a", " || x", " && x", "?1:1", "[0]", ".a()", " == 1", " in x", ".?a", "-1", "*1"] {
            let chain = format!("x{}", link.repeat((LONGEST - 200) / link.len()));
            rules.push(format!("{}{chain}{}", "(".repeat(DEEPEST), ")".repeat(DEEPEST)));
        }
        rules.extend(["!", "-", "1?", "!-"].map(|sign| format!("{}x", sign.repeat((LONGEST - 10) / sign.len()))));
        on_its_stack(|| {
            let engine = Engine::new().unwrap();
            for rule in &rules {
                assert!(rule.len() <= LONGEST);
                outcome(&engine, rule);
            }
        });
    }

    /// Pieces of rules, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            proptest::sample::select(vec![
                "self",
                ".text",
                ".number",
                "none",
                "'a'",
                "\"",
                "'",
                "1",
                "0",
                "-9223372036854775808",
                "9223372036854775807",
                "1u",
                "1e308",
                "(",
                ")",
                "[",
                "]",
                "{",
                "}",
                ",",
                ".",
                "?",
                ":",
                " + ",
                " - ",
                " * ",
                " / ",
                " % ",
                " == ",
                " < ",
                " in ",
                " && ",
                " || ",
                "!",
                "-",
                ".all(x, ",
                ".exists_one(x, ",
                ".filter(x, ",
                ".map(x, ",
                "has(",
                "size(",
                ".matches(",
                ".split(",
                ".join(",
                ".substring(",
                ".charAt(",
                ".indexOf(",
                ".replace(",
                "duration(",
                "timestamp(",
                "int(",
                "uint(",
                "double(",
                "string(",
                "bytes(",
                "type(",
                "b'\\xff'",
                "r'\\d'",
                "'\\u00e9'",
                "'\\'",
                "'99999999999999h'",
                "'-1.5h'",
                "'2024-01-01T00:00:00Z'",
                "'9999-12-31T23:59:59Z'",
                ".getHours(",
                "'UTC'",
                ".?x",
                "[?",
                ".orValue(",
                "cel.bind(x, ",
                "{'a': 1}",
                "[1, 2]",
                "x",
            ])
            .prop_map(str::to_owned),
            "\\PC{0,3}",
        ];
        proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_rule_brings_the_program_down(text in pieces()) {
            on_its_stack(|| outcome(&Engine::new().unwrap(), &text));
        }

        #[test]
        fn no_value_of_a_format_brings_the_program_down(text in "[-+]?[0-9]{0,20}[.]?[0-9]{0,20}(h|m|s|ms|us|µs|ns|d|)([0-9]{1,20}(h|m|s))?") {
            let engine = Engine::new().unwrap();
            engine.duration(&text);
            engine.timestamp(&text);
        }
    }
}
