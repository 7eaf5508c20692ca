//! The files of a repository as git lists them. To ask takes longer than most of a build in which all else is kept, so a job
//! starts with what git said last, and again where it says something else now.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::Result;
use crate::render::{Cache, hex};
use crate::tree::{Tree, tracked};

/// Does a job with the files of a repository, whose path has no links in it. It may be done twice: what it has done but for its result must do no harm.
pub(crate) fn with_files<T>(root: &Path, cache: &Cache, job: impl Fn(&Tree) -> T) -> Result<T> {
    let key = format!("listing\0{}", root.display());
    let key = hex(&Sha256::digest(key.as_bytes()));
    let remember = |listed: Option<&String>| match listed {
        Some(listed) => cache.put(&key, listed),
        None => cache.remove(&key),
    };
    // What the job writes for a while must not be there when git looks.
    let writes = std::env::temp_dir().canonicalize().is_ok_and(|folder| folder.starts_with(root)) || cache.is_below(root);
    let Some(last) = cache.get(&key).filter(|_| !writes) else {
        let listed = tracked(root)?;
        if !writes {
            remember(listed.as_ref());
        }
        return Ok(job(&Tree::listed(root, listed.as_deref())?));
    };
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| tracked(root));
        let result = job(&Tree::listed(root, Some(&last))?);
        let listed = asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        if listed.as_deref() == Some(last.as_str()) {
            return Ok(result);
        }
        drop(result);
        remember(listed.as_ref());
        Ok(job(&Tree::listed(root, listed.as_deref())?))
    })
}
