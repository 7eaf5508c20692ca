//! Which program is driven.

use std::env;
use std::path::{Path, PathBuf};

use super::{Error, Result};

/// Terraform or OpenTofu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// HashiCorp's.
    Terraform,
    /// The Linux Foundation's.
    OpenTofu,
}

/// A program that was found.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Which of the two.
    pub kind: Kind,
    /// Where it is.
    pub program: PathBuf,
}

impl Tool {
    /// Finds the program: Terraform by `$TERRAFORM`, else on `PATH`; OpenTofu by `$TOFU`, else where `make tofu` builds it,
    /// else on `PATH`.
    pub fn find(kind: Kind) -> Result<Self> {
        let program = match kind {
            Kind::Terraform => named_by("TERRAFORM").or_else(|| on_path("terraform")),
            Kind::OpenTofu => named_by("TOFU").or_else(built_here).or_else(|| on_path("tofu")),
        };
        program.map(|program| Self { kind, program }).ok_or_else(|| Error::NoTool {
            program: kind.program().to_owned(),
            hint: match kind {
                Kind::Terraform => "see https://developer.hashicorp.com/terraform/install",
                Kind::OpenTofu => "run `make tofu`",
            },
        })
    }

    /// Finds whichever a user has: `$TF_BIN`, else Terraform, else OpenTofu.
    pub fn any() -> Result<Self> {
        if let Some(program) = named_by("TF_BIN") {
            let kind = match program.file_stem().and_then(|name| name.to_str()) {
                Some(name) if name.contains("tofu") => Kind::OpenTofu,
                _ => Kind::Terraform,
            };
            return Ok(Self { kind, program });
        }
        Self::find(Kind::Terraform).or_else(|_| Self::find(Kind::OpenTofu)).map_err(|_| Error::NoTool {
            program: "terraform` or `tofu".to_owned(),
            hint: "see https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install/",
        })
    }

    /// As its users write it.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }
}

impl Kind {
    /// As its users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terraform => "Terraform",
            Self::OpenTofu => "OpenTofu",
        }
    }

    /// The program's usual name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::OpenTofu => "tofu",
        }
    }

    /// The registry that a bare provider source stands for.
    pub fn registry(self) -> &'static str {
        match self {
            Self::Terraform => "registry.terraform.io",
            Self::OpenTofu => "registry.opentofu.org",
        }
    }
}

/// The repository's root.
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn named_by(variable: &str) -> Option<PathBuf> {
    let name = env::var(variable).ok().filter(|name| !name.is_empty())?;
    if name.contains('/') {
        // Commands run in folders of their own.
        Some(std::path::absolute(&name).unwrap_or_else(|_| PathBuf::from(name)))
    } else {
        on_path(&name)
    }
}

fn built_here() -> Option<PathBuf> {
    Some(repository().join(".build/bin/tofu")).filter(|program| program.is_file())
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|program| program.is_file())
}
