//! An environment under `terraform/environments`: which regions it can have, and which it makes.

use std::path::Path;

use hcl_edit::expr::{Array, Expression};
use hcl_edit::structure::{Block, Structure};

use crate::error::Result;

use super::Refused;
use super::changes::Changes;
use super::environments::{ENVIRONMENTS, files, names};
use super::hcl::{Hcl, entries, replaced, text_of};
use super::ranges::Ranges;
use super::region::Region;

/// An environment, as its files say.
pub(super) struct Environment {
    pub(super) name: String,
    folder: String,
    regions: Hcl,
    values: Hcl,
    /// Labels of all modules, with their files.
    modules: Vec<(String, String)>,
}

/// A region that is made.
struct Made<'e> {
    name: &'e str,
    failover: Option<&'e str>,
    /// Its entry's value.
    written: &'e str,
}

impl Environment {
    pub(super) fn find(root: &Path, name: &str) -> Result<Self> {
        let known = names(root);
        if !known.iter().any(|known| known == name) {
            let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(Refused::NoEnvironment { name: name.to_owned(), known }.into());
        }
        let folder = format!("{ENVIRONMENTS}/{name}");
        let mut modules = Vec::new();
        for file in files(root, &folder, "tf")? {
            let hcl = Hcl::read(root, &format!("{folder}/{file}"))?;
            modules.extend(blocks(&hcl, "module").filter_map(|block| Some((label(block)?.to_owned(), hcl.path.clone()))));
        }
        let regions = Hcl::read(root, &format!("{folder}/regions.tf"))?;
        let values = Hcl::read(root, &format!("{folder}/terraform.tfvars"))?;
        Ok(Environment { name: name.to_owned(), folder, regions, values, modules })
    }

    /// The file with the values that a region is applied with.
    pub(super) fn values_file(&self, region: &str) -> String {
        format!("{}/{region}.tfvars", self.folder)
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// Whether another region can be named, and made beside those that are.
    pub(super) fn takes(&self, name: &str) -> Result<()> {
        if self.known_regions().is_none() {
            return Err(Refused::OwnRegions { path: self.regions.path.clone(), environment: self.name.clone() }.into());
        }
        let made = self.made()?;
        if made.len() > 1 && !made.iter().any(|made| made.name == name) {
            let regions = made.iter().map(|made| format!("`{}`", made.name)).collect::<Vec<_>>().join(" and ");
            return Err(Refused::ThirdRegion { environment: self.name.clone(), regions }.into());
        }
        Ok(())
    }

    /// Where the region is named already.
    pub(super) fn has(&self, name: &str) -> Option<String> {
        if let Some((_, path)) = self.modules.iter().find(|(label, _)| label == name) {
            return Some(format!("the module `{name}` in `{path}`"));
        }
        let made = self.made().ok()?;
        made.iter().any(|made| made.name == name).then(|| format!("the region `{name}` in `{}`", self.values.path))
    }

    /// The half of the failover that a new region is.
    pub(super) fn role(&self) -> Result<&'static str> {
        Ok(if self.made()?.is_empty() { "PRIMARY" } else { "SECONDARY" })
    }

    /// Where the tailnet's auth key is looked for; nothing where no router is made.
    pub(super) fn auth_key_parameter(&self) -> Option<&str> {
        text_of(self.values.object("tailscale")?, "auth_key_parameter")
    }

    fn made(&self) -> Result<Vec<Made<'_>>> {
        let Some(regions) = self.values.object("regions") else { return Err(self.values.lacks("object `regions`")) };
        entries(regions)
            .map(|(name, value)| {
                let Some(object) = value.as_object() else { return Err(self.values.lacks(format!("object `regions.{name}`"))) };
                Ok(Made { name, failover: text_of(object, "failover"), written: self.values.written(object)? })
            })
            .collect()
    }

    /// The list of `known_regions`, where it is one of modules' outputs.
    fn known_regions(&self) -> Option<&Array> {
        let locals = blocks(&self.regions, "locals").find_map(|block| block.body.get_attribute("known_regions"))?;
        match &locals.value {
            Expression::ForExpr(each) => each.intro.collection_expr.as_array(),
            _ => None,
        }
    }

    /// Names the region, and writes the values that it is applied with.
    pub(super) fn write(&self, region: &Region, ranges: &Ranges, changes: &mut Changes<'_>) -> Result<()> {
        let regions = self.named(region)?;
        changes.edit(&self.regions.path, &self.regions.text, regions);
        changes.add(self.values_file(&region.name), self.values_with(region, ranges)?.into_bytes());
        Ok(())
    }

    /// `regions.tf` with the region in it.
    fn named(&self, region: &Region) -> Result<String> {
        let hcl = &self.regions;
        let Some(list) = self.known_regions() else { return Err(hcl.lacks("list of regions in `known_regions`")) };
        let name = &region.name;
        let module = format!("module \"{name}\" {{\n  source = \"../../regions/{name}/{}\"\n}}", region.provider);
        let mut edits = Vec::new();
        if let Some(last) = blocks(hcl, "module").last() {
            let end = hcl.place(last)?.end;
            edits.push((end..end, format!("\n\n{module}")));
        } else if let Some(locals) = blocks(hcl, "locals").next() {
            let start = hcl.place(locals)?.start;
            edits.push((start..start, format!("{module}\n\n")));
        }
        let items: Vec<_> = list.iter().map(|item| hcl.place(item)).collect::<Result<_>>()?;
        let output = format!("module.{name}.region");
        edits.push(match items.as_slice() {
            [] => (hcl.place(list)?, format!("[{output}]")),
            [.., before, end] => (end.end..end.end, format!("{}{output}", &hcl.text[before.end..end.start])),
            [only] => (only.end..only.end, format!(", {output}")),
        });
        let text = replaced(&hcl.text, edits);
        Hcl::parse(&hcl.path, text.clone())?;
        Ok(text)
    }

    /// The regions that are made, and this one.
    fn values_with(&self, region: &Region, ranges: &Ranges) -> Result<String> {
        let made = self.made()?;
        let (name, role) = (&region.name, self.role()?);
        let mut lines: Vec<(&str, String)> = Vec::new();
        for made in &made {
            // A region that was alone may have left it out.
            let value = if made.failover.is_some() { made.written.to_owned() } else { primary(made.written) };
            lines.push((made.name, value));
        }
        lines.push((
            name,
            format!(
                "{{ cidr_block = \"{}\", pod_cidr = \"{}\", service_cidr = \"{}\", failover = \"{role}\" }}",
                ranges.network, ranges.pods, ranges.services
            ),
        ));
        // As `terraform fmt` aligns lines that follow each other.
        let width = if made.iter().any(|made| made.written.contains('\n')) {
            0
        } else {
            lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0)
        };
        let beside = made.iter().map(|made| made.name).collect::<Vec<_>>().join(" and ");
        let after = if beside.is_empty() { String::new() } else { format!(" beside {beside}") };
        let mut text = format!(
            "# {} with {name}{after}:\n#   terraform apply -var-file={name}.tfvars     and, without it,     terraform apply\n\nregions = {{\n",
            capital(&self.name)
        );
        for (name, value) in lines {
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("  {name:<width$} = {value}\n"));
        }
        text.push_str("}\n");
        Hcl::parse(&self.values_file(name), text.clone())?;
        Ok(text)
    }
}

fn primary(written: &str) -> String {
    let inner = written.strip_suffix('}').unwrap_or(written).trim_end();
    if inner.contains('\n') {
        return format!("{inner}\n    failover = \"PRIMARY\"\n  }}");
    }
    format!("{}, failover = \"PRIMARY\" }}", inner.trim_end_matches(','))
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn blocks<'h>(hcl: &'h Hcl, kind: &'h str) -> impl Iterator<Item = &'h Block> {
    hcl.body.iter().filter_map(Structure::as_block).filter(move |block| block.ident.as_str() == kind)
}

fn label(block: &Block) -> Option<&str> {
    block.labels.first().map(hcl_edit::structure::BlockLabel::as_str)
}
