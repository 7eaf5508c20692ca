//! What the command line and the environment ask for.

pub(crate) const HELP: &str = "\
The quickstart: a real Terraform or OpenTofu builds a region, a cluster and a backup store with the provider that stands
beside this program, changes them and takes them down, against a cloud that this program plays on loopback addresses.

usage: quickstart [--keep]

  --keep   leaves all of it standing until Ctrl-C, and says how to look around (KEEP=1 does the same)

TF_BIN names the Terraform or OpenTofu to run; otherwise `terraform` is taken, or `tofu` where there is none.
`make quickstart` builds what it needs and runs it.
";

/// The options, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Nothing is taken down.
    pub(crate) keep: bool,
}

impl Options {
    /// `None` where help is asked for; `keep` is the variable `KEEP`.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub(crate) fn read(arguments: impl Iterator<Item = String>, keep: Option<&str>) -> Result<Option<Self>, String> {
        let mut options = Self { keep: keep.is_some_and(|value| !value.is_empty() && value != "0") };
        for argument in arguments {
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--keep" => options.keep = true,
                other => return Err(format!("`{other}` is no option of `quickstart`")),
            }
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, keep: Option<&str>) -> Result<Option<Options>, String> {
        Options::read(line.split_whitespace().map(str::to_owned), keep)
    }

    #[test]
    fn keep_is_an_option_or_a_variable() {
        for (line, keep, meant) in [
            ("", None, false),
            ("", Some(""), false),
            ("", Some("0"), false),
            ("", Some("1"), true),
            ("--keep", None, true),
            ("--keep", Some("0"), true),
        ] {
            assert_eq!(read(line, keep), Ok(Some(Options { keep: meant })), "{line} KEEP={keep:?}");
        }
    }

    #[test]
    fn nothing_is_run_for_help_or_an_option_that_is_none() {
        assert_eq!(read("--help", None), Ok(None));
        assert_eq!(read("--keep -h", None), Ok(None));
        assert_eq!(read("keep", None), Err("`keep` is no option of `quickstart`".to_owned()));
    }
}
