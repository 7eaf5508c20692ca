//! From parts to text.

use super::glob::Glob;
use super::{Call, EnvsubstError, Part, parse};

/// Expands a text. A variable that `value` does not know is refused, unless its call has a default.
pub(crate) fn expand<'v>(text: &str, value: &impl Fn(&str) -> Option<&'v str>) -> Result<String, EnvsubstError> {
    let mut out = String::with_capacity(text.len());
    for part in parse(text)? {
        out.push_str(&evaluate(&part, value)?);
    }
    Ok(out)
}

fn evaluate<'v>(part: &Part, value: &impl Fn(&str) -> Option<&'v str>) -> Result<String, EnvsubstError> {
    match part {
        Part::Text(text) => Ok(text.clone()),
        Part::Call(call) => {
            let arguments = call.arguments.iter().map(|part| evaluate(part, value)).collect::<Result<Vec<_>, _>>()?;
            let value = match value(&call.name) {
                Some(value) => value,
                None if call.has_default() => "",
                None => return Err(EnvsubstError::Missing(call.name.clone())),
            };
            apply(call, value, &arguments)
        }
    }
}

fn apply(call: &Call, value: &str, arguments: &[String]) -> Result<String, EnvsubstError> {
    let first = arguments.first().map_or("", String::as_str);
    let second = arguments.get(1).map(String::as_str);
    let cut = || EnvsubstError::Cut(call.name.clone());
    Ok(match call.function.as_str() {
        "," => first_changed(value, lower),
        ",," => value.chars().map(lower).collect(),
        "^" => first_changed(value, upper),
        "^^" => value.chars().map(upper).collect(),
        "#" if arguments.is_empty() => value.len().to_string(),
        "#" => Glob::new(first).trim(value.as_bytes(), false).ok_or_else(cut)?,
        "##" => Glob::new(first).trim(value.as_bytes(), true).ok_or_else(cut)?,
        function @ ("%" | "%%") => {
            let backwards = Glob::new(&reverse(first)).trim(reverse(value).as_bytes(), function == "%%").ok_or_else(cut)?;
            reverse(&backwards)
        }
        ":" => substring(call, value, first, second)?,
        "/" => value.replacen(first, second.unwrap_or_default(), 1),
        "//" => value.replace(first, second.unwrap_or_default()),
        // With one argument these two do nothing.
        "/#" => match second {
            Some(second) if value.starts_with(first) => value.replacen(first, second, 1),
            _ => value.to_owned(),
        },
        "/%" => match (second, value.strip_suffix(first)) {
            (Some(second), Some(start)) => format!("{start}{second}"),
            _ => value.to_owned(),
        },
        // Each of `=`, `:=`, `:-`, `:+`, `:?` is the default here, and no function is too.
        _ if value.is_empty() => arguments.concat(),
        _ => value.to_owned(),
    })
}

fn substring(call: &Call, value: &str, start: &str, length: Option<&str>) -> Result<String, EnvsubstError> {
    // Bytes count, and what is no number leaves the value alone.
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let Ok(mut start) = start.parse::<i64>() else { return Ok(value.to_owned()) };
    if start < 0 {
        start = (size + start).max(0);
    }
    let mut end = size;
    if let Some(length) = length {
        let Ok(length) = length.parse::<i64>() else { return Ok(value.to_owned()) };
        end = start.wrapping_add(length);
    }
    if end >= size {
        end = size;
        if start >= size {
            return Ok(String::new());
        }
    }
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(EnvsubstError::Range(call.name.clone()));
    };
    if to < from {
        return Err(EnvsubstError::Range(call.name.clone()));
    }
    value.get(from..to).map(str::to_owned).ok_or_else(|| EnvsubstError::Cut(call.name.clone()))
}

fn first_changed(value: &str, change: fn(char) -> char) -> String {
    let mut chars = value.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

fn reverse(value: &str) -> String {
    value.chars().rev().collect()
}

/// Go maps one character to one, and leaves those that would become more.
fn lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        // Greek with an iota below has capitals of one character, beside the ones of two.
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(c) + 8).unwrap_or(c)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(u32::from(c) + 9).unwrap_or(c),
            _ => c,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VARIABLES: [(&str, &str); 6] =
        [("a", "abcABC123ABCabc"), ("path", "/home/me/notes.tar.gz"), ("empty", ""), ("é", "élan"), ("n", "42"), ("B_1", "x y")];

    fn value(name: &str) -> Option<&'static str> {
        VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn read(text: &str) -> String {
        match expand(text, &value) {
            Ok(text) => text,
            Err(EnvsubstError::Syntax { .. }) => "(syntax)".to_owned(),
            Err(EnvsubstError::Missing(name)) => format!("(missing {name})"),
            Err(EnvsubstError::Range(_)) => "(range)".to_owned(),
            Err(EnvsubstError::Cut(_)) => "(cut)".to_owned(),
        }
    }

    #[test]
    fn each_function_gives_what_envsubst_gives() {
        for (text, expected) in [
            ("plain $a {a} $", "plain $a {a} $"),
            ("${a}", "abcABC123ABCabc"),
            ("<${empty}>", "<>"),
            ("${no}", "(missing no)"),
            ("${no:=x}${no=y}${no:-z}${no:+p}${no:?q}", "xyzpq"),
            ("${empty:=x}", "x"),
            ("${a:=x}", "abcABC123ABCabc"),
            ("${no:=pre-${n}-post}", "pre-42-post"),
            ("${no:=${nope}}", "(missing nope)"),
            ("${#a} ${#é}", "15 5"),
            ("${a^} ${a^^} ${B_1^^}", "AbcABC123ABCabc ABCABC123ABCABC X Y"),
            ("${a,} ${a,,}", "abcABC123ABCabc abcabc123abcabc"),
            ("${a,^}", "abcABC123ABCabc"),
            ("${a:3} ${a:3:3} ${a:-3}", "ABC123ABCabc ABC abcABC123ABCabc"),
            ("${a:0-3}", "abcABC123ABCabc"),
            ("${a:20}|${a:2:100}|${a:x}", "|cABC123ABCabc|abcABC123ABCabc"),
            ("${a:0:-1}", "(range)"),
            ("${é:1}", "(cut)"),
            ("${é:2}", "lan"),
            ("${a:${n}}", ""),
            ("${a/abc/x} ${a//abc/x} ${a//abc/}", "xABC123ABCabc xABC123ABCx ABC123ABC"),
            ("${a/#abc/x} ${a/%abc/x} ${a/#abc/}", "xABC123ABCabc abcABC123ABCx abcABC123ABCabc"),
            ("${path//\\//-}", "-home-me-notes.tar.gz"),
            ("${path#*/} ${path##*/}", "home/me/notes.tar.gz notes.tar.gz"),
            ("${path%.*} ${path%%.*}", "/home/me/notes.tar /home/me/notes"),
            ("${path#[!x]} ${path#[a-z/]}", "/home/me/notes.tar.gz home/me/notes.tar.gz"),
            ("${path#[}", "/home/me/notes.tar.gz"),
            ("${é#?}", "(cut)"),
            ("${é##?}", "lan"),
            ("$${a} $$a $$$$ $$${a}", "${a} $a $$ $abcABC123ABCabc"),
            ("${no:=$$x}", "$$x"),
            ("${}", "(syntax)"),
            ("${a", "(syntax)"),
            ("${a-x}", "(syntax)"),
            ("${a b}", "(syntax)"),
            ("${a:}", "(syntax)"),
            ("${a/x}", "(syntax)"),
            ("${a[0]}", "(syntax)"),
            ("${a/x} and/or}", "abcABC123ABCabc"),
            ("${!a}", "(syntax)"),
            ("$(a) `a` $", "$(a) `a` $"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let Err(error) = expand("a\nb\n  c: ${x-y} z\n", &value) else { panic!("accepted") };
        assert_eq!(error.to_string().split(':').next(), Some("line 3"));
        assert!(error.to_string().contains("`${x-y} z`"), "{error}");
    }

    proptest! {
        #[test]
        fn text_without_a_dollar_is_left_alone(text in "[^$\0]{0,40}") {
            prop_assert_eq!(read(&text), text);
        }

        #[test]
        fn escaped_text_comes_out_as_it_went_in(text in "[a-z${}/:=\\\\ \n]{0,40}") {
            prop_assert_eq!(read(&text.replace('$', "$$")), text);
        }

        #[test]
        fn values_are_not_expanded_again(text in "[ -~]{0,20}") {
            let expanded = expand("<${v}${v:=x}>", &|_| Some(text.as_str()));
            let twice = if text.is_empty() { "x".to_owned() } else { format!("{text}{text}") };
            prop_assert_eq!(expanded, Ok(format!("<{twice}>")));
        }

        #[test]
        fn nothing_makes_it_panic(text in "[a$${}}#%^,:/=?+\\-\\[\\]*!0-9é\\\\]{0,30}", v in "[a-c/.é]{0,8}") {
            let _ = expand(&text, &|_| Some(v.as_str()));
        }

        #[test]
        fn a_trimmed_prefix_and_the_rest_make_the_value(v in "[ab/.]{1,10}") {
            let short = expand("${v#*/}", &|_| Some(v.as_str())).unwrap_or_default();
            let long = expand("${v##*/}", &|_| Some(v.as_str())).unwrap_or_default();
            prop_assert!(v.ends_with(&short) && v.ends_with(&long) && long.len() <= short.len());
            prop_assert_eq!(short, v.split_once('/').map_or(v.as_str(), |(_, rest)| rest));
        }
    }
}
