//! The files of a crate that tests do not own, and the mutants found in them.

use std::fmt;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item};

use crate::edits::Edit;
use crate::options::Options;
use crate::{Failure, because, operators};

/// One change of one place.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// The number of its switch.
    pub(crate) id: usize,
    /// The crate's short name.
    pub(crate) of: String,
    /// The file, from the workspace's root.
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// The function that it stands in.
    pub(crate) function: String,
    /// What is done there.
    pub(crate) change: String,
    /// Whether it could be built.
    pub(crate) builds: bool,
}

impl Mutant {
    /// What tells it from all others, for as long as its file stays as it is.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}:{} {}", self.file, self.line, self.column, self.change)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {} in `{}`", self.file, self.line, self.column, self.change, self.function)
    }
}

/// A file, its text, and the edits that put its mutants behind switches.
pub(crate) struct File {
    /// From the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) edits: Vec<Edit>,
}

/// All files with all mutants.
pub(crate) struct Mutants {
    pub(crate) files: Vec<File>,
    list: Vec<Mutant>,
}

impl Mutants {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Mutant> {
        self.list.iter()
    }

    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn drop(&mut self, ids: &[usize]) {
        self.list.iter_mut().filter(|it| ids.contains(&it.id)).for_each(|it| it.builds = false);
        for file in &mut self.files {
            file.edits.retain(|edit| !edit.ids.iter().any(|id| ids.contains(id)));
        }
    }

    pub(crate) fn text_of(&self, file: &str) -> &str {
        self.files.iter().find(|it| it.path == file).map_or("", |it| &it.text)
    }
}

/// Reads the sources of the chosen crates and finds every mutant in them.
pub(crate) fn collect(options: &Options) -> Result<Mutants, Failure> {
    let mut mutants = Mutants { files: Vec::new(), list: Vec::new() };
    for name in &options.crates {
        for path in modules(&options.root.join(format!("crates/keystead-{name}/src/lib.rs")))? {
            let file = path.strip_prefix(&options.root).unwrap_or(&path).display().to_string();
            let text = read(&path)?;
            if !options.wants(&file) {
                mutants.files.push(File { path: file, text, edits: Vec::new() });
                continue;
            }
            let found = operators::find(&text, mutants.list.len()).map_err(because(file.clone()))?;
            let mutant = |it: operators::Found| Mutant {
                id: it.id,
                of: name.clone(),
                file: file.clone(),
                line: it.line,
                column: it.column,
                function: it.function,
                change: it.change,
                builds: true,
            };
            mutants.list.extend(found.mutants.into_iter().map(mutant));
            mutants.files.push(File { path: file, text, edits: found.edits });
        }
    }
    Ok(mutants)
}

/// The file and those of the modules that it names, without those that only tests compile.
fn modules(file: &Path) -> Result<Vec<PathBuf>, Failure> {
    let parsed = syn::parse_file(&read(file)?).map_err(because(file.display().to_string()))?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let parent = file.parent().unwrap_or(file);
    let folder =
        if ["lib", "mod"].contains(&stem.as_ref()) { parent.to_owned() } else { parent.join(&*stem) };
    let mut found = vec![file.to_owned()];
    for item in &parsed.items {
        let Item::Mod(module) = item else { continue };
        if module.content.is_some() || is_test(&module.attrs) {
            continue;
        }
        let (flat, nested) = (format!("{}.rs", module.ident), format!("{}/mod.rs", module.ident));
        let flat = folder.join(flat);
        found.extend(modules(&if flat.is_file() { flat } else { folder.join(nested) })?);
    }
    Ok(found)
}

/// Whether an item is compiled for tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("test")
            || (it.path().is_ident("cfg")
                && it.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test")))
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(because(path.display().to_string()))
}
