//! Conversions that the library makes in another way than an API server, for some values: those are not made.

use cel::common::ast::{CallExpr, Expr};
use cel::common::types::{
    BOOL_TYPE, BYTES_TYPE, CelDouble, CelString, CelTimestamp, DOUBLE_TYPE, DURATION_TYPE, INT_TYPE, STRING_TYPE, TIMESTAMP_TYPE,
    Type, UINT_TYPE,
};
use cel::common::value::CowVal;
use cel::parser::Macro;
use cel::{DeclarationError, Env, ExecutionError};

use super::re2;

/// What looks at a value before it is converted. No rule can name these.
pub(super) const LOOKS: [&str; 5] = ["@of_string", "@of_timestamp", "@of_uint", "@of_duration", "@of_double"];

/// Has the values looked at that `string`, `timestamp`, `uint`, `duration` and `double` get.
pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    for (function, look) in ["string", "timestamp", "uint", "duration", "double"].into_iter().zip(LOOKS) {
        env.add_macro(Macro::global(function, 1, move |helper, _, arguments| {
            let call = |name: &str, args| Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args });
            let looked_at = helper.next_expr(call(look, std::mem::take(arguments)));
            Ok(Some(helper.next_expr(call(function, vec![looked_at]))))
        }))?;
    }
    let [string, timestamp, uint, duration, double] = LOOKS;
    let any: [(&str, Vec<Type>); 5] = [
        (string, vec![BOOL_TYPE, BYTES_TYPE, DURATION_TYPE, INT_TYPE, STRING_TYPE, UINT_TYPE]),
        (timestamp, vec![INT_TYPE, TIMESTAMP_TYPE]),
        (uint, vec![DOUBLE_TYPE, INT_TYPE, UINT_TYPE]),
        (duration, vec![DURATION_TYPE]),
        (double, vec![DOUBLE_TYPE, INT_TYPE, UINT_TYPE]),
    ];
    for (name, types) in any {
        for one in types {
            let id = format!("{name}_{}", one.name());
            env.add_overload(name, &id, vec![one], same)?;
        }
    }
    cel::add_overload!(env, fn in_utc: (CelTimestamp) -> Result<CelTimestamp>, name = "@of_string", id = "@of_string_timestamp")?;
    cel::add_overload!(env, fn span: (CelString) -> Result<CelString>, name = "@of_duration", id = "@of_duration_string")?;
    cel::add_overload!(env, fn decimal: (CelString) -> Result<CelString>, name = "@of_double", id = "@of_double_string")?;
    cel::add_overload!(env, fn plain: (CelDouble) -> Result<CelDouble>, name = "@of_string", id = "@of_string_double")?;
    cel::add_overload!(env, fn time: (CelString) -> Result<CelString>, name = "@of_timestamp", id = "@of_timestamp_string")?;
    cel::add_overload!(env, fn digits: (CelString) -> Result<CelString>, name = "@of_uint", id = "@of_uint_string")
}

fn same<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    arguments.pop().ok_or_else(|| inexact("value"))
}

fn inexact(what: &str) -> ExecutionError {
    ExecutionError::function_error("conversion", format!("this {what} is not converted here"))
}

/// A time without an offset, which an API server writes out.
fn in_utc(time: &CelTimestamp) -> Result<CelTimestamp, ExecutionError> {
    let is_plain = time.inner().offset().to_string() == "+00:00";
    if is_plain { Ok(time.clone()) } else { Err(inexact("time")) }
}

fn span(text: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    taken(text, r"^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|\x{B5}s|ms|s|m|h))+)$")
}

fn decimal(text: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    taken(text, r"^[-+]?[0-9]{1,200}(\.[0-9]{1,200})?$")
}

/// A number that is written without an exponent.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "what is declared takes references")]
fn plain(number: &CelDouble) -> Result<CelDouble, ExecutionError> {
    let value = *number.inner();
    let is_plain = (value == 0.0 && value.is_sign_positive()) || (1e-4..1e6).contains(&value.abs());
    if is_plain { Ok(CelDouble::from(value)) } else { Err(inexact("number")) }
}

fn taken(text: &CelString<'_>, pattern: &str) -> Result<CelString<'static>, ExecutionError> {
    if re2::matches(pattern, text.inner()) == Some(true) {
        Ok(CelString::from(text.inner().to_owned()))
    } else {
        Err(inexact("text"))
    }
}

fn time(text: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    let clock = "([01][0-9]|2[0-3]):[0-5][0-9]";
    taken(text, &format!(r"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{clock}:[0-5][0-9](\.[0-9]{{1,9}})?(Z|[+-]{clock})$"))
}

fn digits(text: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    taken(text, "^[0-9]+$")
}
