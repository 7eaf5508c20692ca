//! The tree's first regions alone: what the tests say of a new one holds however many were added since.

use std::fs;
use std::path::Path;

const FIRST: [&str; 2] = ["nyc1", "sfo1"];

/// Takes the regions that were added out of a copy of the tree.
pub(crate) fn keep_the_first(root: &Path) {
    let added: Vec<String> = names(&root.join("terraform/regions"));
    for region in added.iter().filter(|name| *name != "_template" && !FIRST.contains(&name.as_str())) {
        let _ = fs::remove_dir_all(root.join("terraform/regions").join(region));
        for cluster in names(&root.join("flux/clusters")) {
            if cluster.ends_with(&format!("-{region}")) {
                fs::remove_dir_all(root.join("flux/clusters").join(cluster)).unwrap();
            }
        }
        for environment in names(&root.join("terraform/environments")) {
            let folder = root.join("terraform/environments").join(environment);
            let _ = fs::remove_file(folder.join(format!("{region}.tfvars")));
            let text = fs::read_to_string(folder.join("regions.tf")).unwrap();
            let module = format!("module \"{region}\" {{\n  source = \"../../regions/{region}/aws\"\n}}\n\n");
            let text = text.replace(&module, "").replace(&format!(", module.{region}.region"), "");
            fs::write(folder.join("regions.tf"), text).unwrap();
        }
    }
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
