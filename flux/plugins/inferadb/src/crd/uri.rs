//! Texts that are a URI or an absolute path, as Go's `url.ParseRequestURI` takes them.

/// Nothing where it is beyond this: addresses in brackets with a zone, and hosts with several colons, which Go's versions
/// read in different ways.
pub(super) fn is_request(text: &str) -> Option<bool> {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) || text.is_empty() {
        return Some(false);
    }
    if text == "*" {
        return Some(true);
    }
    let Some((scheme, rest)) = scheme(text) else { return Some(false) };
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    if !rest.starts_with('/') {
        return Some(!scheme.is_empty());
    }
    let with_authority = rest.strip_prefix("//").filter(|_| !scheme.is_empty());
    let Some(rest) = with_authority else { return Some(is_escaped(rest)) };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_user = |letter: char| letter.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(letter);
    if !user.chars().all(is_user) || !is_escaped(user) || !is_escaped(path) {
        return Some(false);
    }
    is_host(host)
}

/// The scheme, empty where there is none, and what follows; nothing where a colon stands first.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (position, letter) in text.char_indices() {
        match letter {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if position > 0 => {}
            ':' if position > 0 => return text.split_once(':'),
            ':' => return None,
            _ => break,
        }
    }
    Some(("", text))
}

/// Whether two hexadecimal digits follow each `%`.
fn is_escaped(text: &str) -> bool {
    let is_code = |after: &str| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_code)
}

fn is_host(host: &str) -> Option<bool> {
    if host.contains(['[', ']', '%']) || host.matches(':').count() > 1 {
        return None;
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let is_name = |letter: char| !letter.is_ascii() || letter.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=<>\"".contains(letter);
    Some(name.chars().all(is_name) && port.bytes().all(|byte| byte.is_ascii_digit()))
}
