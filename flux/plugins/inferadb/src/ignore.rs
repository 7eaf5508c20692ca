//! Which files a source leaves out: `.sourceignore`, `spec.ignore` and source-controller's defaults. The rules are
//! gitignore's as source-controller matches them: a pattern without a slash matches any part of a path, one with a slash
//! the start of it, and the last pattern that matches decides.

/// What source-controller leaves out of every artifact, unless a later pattern takes it back in.
const DEFAULTS: [&str; 24] = [
    ".git/",
    ".gitignore",
    ".gitmodules",
    ".gitattributes",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// The patterns of a source, the later ones stronger.
#[derive(Clone, Debug)]
pub(crate) struct Ignore(Vec<Pattern>);

impl Default for Ignore {
    fn default() -> Self {
        let mut ignore = Ignore(Vec::new());
        for pattern in DEFAULTS {
            ignore.0.push(Pattern::new(pattern, ""));
        }
        ignore
    }
}

impl Ignore {
    /// Adds the lines of a file in `folder` (empty for the root).
    pub(crate) fn add(&mut self, lines: &str, folder: &str) {
        for line in lines.lines() {
            if !line.starts_with('#') && !line.trim().is_empty() {
                self.0.push(Pattern::new(line, folder));
            }
        }
    }

    /// Whether the file is left out.
    pub(crate) fn leaves_out(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.0.iter().rev().find(|pattern| pattern.matches(&parts)).is_some_and(|pattern| !pattern.includes)
    }
}

impl Ignore {
    /// Whether the folder itself is left out, and not only what is in it.
    pub(crate) fn leaves_out_folder(&self, path: &str) -> bool {
        // A pattern for folders alone looks for something behind the folder's name.
        self.leaves_out(path) || self.leaves_out(&format!("{path}/"))
    }
}

#[derive(Clone, Debug)]
struct Pattern {
    /// The folder that its file stands in.
    folder: Vec<String>,
    parts: Vec<String>,
    includes: bool,
    folders_only: bool,
}

impl Pattern {
    fn new(line: &str, folder: &str) -> Self {
        let (includes, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let line = if line.ends_with("\\ ") { line } else { line.trim_end_matches(' ') };
        let (folders_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        Pattern {
            folder: folder.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            parts: line.split('/').map(str::to_owned).collect(),
            includes,
            folders_only,
        }
    }

    fn matches(&self, path: &[&str]) -> bool {
        if path.len() <= self.folder.len() || !self.folder.iter().zip(path).all(|(folder, part)| folder == part) {
            return false;
        }
        let path = &path[self.folder.len()..];
        match self.parts.as_slice() {
            [name] => {
                let found = path.iter().position(|part| glob(name, part));
                found.is_some_and(|at| !self.folders_only || at + 1 < path.len())
            }
            parts => self.matches_start(parts, path),
        }
    }

    fn matches_start(&self, parts: &[String], mut path: &[&str]) -> bool {
        let (mut matched, mut skips) = (false, false);
        for (position, part) in parts.iter().enumerate() {
            if part.is_empty() {
                skips = false;
                continue;
            }
            if part == "**" {
                if position + 1 == parts.len() {
                    break;
                }
                skips = true;
                continue;
            }
            if part.contains("**") || path.is_empty() {
                return false;
            }
            if skips {
                skips = false;
                let found = path.iter().position(|name| glob(part, name));
                // A pattern goes on behind a name that was not found, at the end of the path.
                path = found.map_or(&[], |at| &path[at + 1..]);
                matched = found.is_some();
            } else {
                if !glob(part, path[0]) {
                    return false;
                }
                matched = true;
                path = &path[1..];
            }
        }
        matched && !(self.folders_only && path.is_empty())
    }
}

/// One part of a pattern against one name: `*`, `?`, `[a-z]`, `\` for the character behind it.
fn glob(pattern: &str, name: &str) -> bool {
    let is_plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
    if is_plain(pattern) {
        return pattern == name;
    }
    if let Some(end) = pattern.strip_prefix('*').filter(|end| is_plain(end)) {
        return name.ends_with(end);
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    glob_chars(&pattern, &name)
}

fn glob_chars(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|at| glob_chars(rest, &name[at..])),
        ['?', rest @ ..] => name.split_first().is_some_and(|(_, name)| glob_chars(rest, name)),
        ['[', rest @ ..] => {
            let Some((c, name)) = name.split_first() else { return false };
            class(rest, *c).is_some_and(|(matches, rest)| matches && glob_chars(rest, name))
        }
        ['\\', c, rest @ ..] | [c, rest @ ..] => {
            name.split_first().is_some_and(|(first, name)| first == c && glob_chars(rest, name))
        }
    }
}

/// Whether a class holds the character, and what follows the class; nothing where it is malformed.
fn class(pattern: &[char], c: char) -> Option<(bool, &[char])> {
    let (negated, mut rest) = match pattern {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut found, mut members) = (false, 0);
    loop {
        if let [']', after @ ..] = rest
            && members > 0
        {
            return Some((found != negated, after));
        }
        let (low, after) = member(rest)?;
        let (high, after) = match after {
            ['-', after @ ..] => member(after)?,
            after => (low, after),
        };
        found |= (low..=high).contains(&c);
        members += 1;
        rest = after;
    }
}

fn member(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern {
        ['-' | ']', ..] | [] => None,
        ['\\', c, rest @ ..] | [c, rest @ ..] => Some((*c, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(lines: &str, path: &str) -> bool {
        let mut ignore = Ignore::default();
        ignore.add(lines, "");
        ignore.leaves_out(path)
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        for (lines, path, expected) in [
            ("", "a/b.yaml", false),
            ("", "docs/picture.png", true),
            ("", ".github/workflows/ci.yaml", true),
            ("", "a/.sops.yaml", true),
            ("!*.png", "picture.png", false),
            ("/*\n!/flux", "flux/clusters/a.yaml", false),
            ("/*\n!/flux", "docs/a.yaml", true),
            ("docs", "a/docs/b.yaml", true),
            ("docs/", "docs", false),
            ("docs/", "docs/a.yaml", true),
            ("a/docs", "b/a/docs/c.yaml", false),
            ("**/docs/x.yaml", "b/a/docs/x.yaml", true),
            ("a/**", "a/b/c.yaml", true),
            ("# all\n\n*.md", "a/README.md", true),
            ("[a-c]?.yaml", "b1.yaml", true),
            ("[^a-c]?.yaml", "b1.yaml", false),
        ] {
            assert_eq!(left_out(lines, path), expected, "{lines:?} on {path}");
        }
    }

    #[test]
    fn patterns_of_a_folder_hold_below_it() {
        let mut ignore = Ignore::default();
        ignore.add("/x.yaml", "flux/apps");
        assert!(ignore.leaves_out("flux/apps/x.yaml"));
        assert!(!ignore.leaves_out("x.yaml"));
        assert!(!ignore.leaves_out("flux/apps/y/x.yaml"));
    }
}
