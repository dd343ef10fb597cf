//! Every Rust file of the workspace, with its parts told apart: product code, test code, comments.

use std::path::{Path, PathBuf};

use crate::read;

/// A Rust file.
pub(crate) struct Source {
    /// Relative to the workspace's root.
    pub(crate) path: String,
    text: String,
    is_test: bool,
}

impl Source {
    /// All Rust files below these folders of the workspace.
    pub(crate) fn below(folders: &[&str]) -> Vec<Self> {
        let root = keystead_tests::root();
        let mut paths: Vec<PathBuf> = Vec::new();
        folders.iter().for_each(|folder| collect(&root.join(folder), &mut paths));
        paths.sort();
        let mut sources: Vec<Self> = paths.iter().map(|path| Self::read(root, path)).collect();
        let declared: Vec<String> = sources.iter().flat_map(Self::test_files).collect();
        for source in &mut sources {
            source.is_test |= declared.contains(&source.path);
        }
        sources
    }

    fn read(root: &Path, path: &Path) -> Self {
        let path_here = path.strip_prefix(root).expect("the path is below the root").display().to_string();
        let is_test = path_here.starts_with("tests/") || path_here.contains("/tests/");
        Self { path: path_here, text: read(path), is_test }
    }

    /// The files that this one declares as test modules: `#[cfg(test)]`, then `mod name;`.
    fn test_files(&self) -> Vec<String> {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or_default();
        let folder = match file {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let lines = self.lines();
        let pairs = lines.windows(2).filter(|pair| pair[0].trim() == TEST_ATTRIBUTE);
        let names = pairs.filter_map(|pair| {
            pair[1].trim().trim_start_matches("pub(crate) ").strip_prefix("mod ")?.strip_suffix(';')
        });
        names.map(|name| format!("{folder}/{name}.rs")).collect()
    }

    /// Whether the whole file is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.is_test
    }

    /// All lines.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    /// The lines before the file's own test module.
    pub(crate) fn product_lines(&self) -> Vec<&str> {
        let mut lines = self.lines();
        lines.truncate(self.test_module().unwrap_or(lines.len()));
        lines
    }

    /// Where the file's own test module starts: `#[cfg(test)]`, other attributes, `mod name {`.
    pub(crate) fn test_module(&self) -> Option<usize> {
        let lines = self.lines();
        (0..lines.len()).find(|&at| {
            let item = lines[at..].iter().find(|line| !line.starts_with("#["));
            lines[at] == TEST_ATTRIBUTE && item.is_some_and(|it| it.starts_with("mod ") && it.ends_with('{'))
        })
    }

    /// The product lines without comments. A `//` inside a string ends its line here, too: only a rule that
    /// looks for more than what it finds may use this.
    pub(crate) fn code(&self) -> String {
        let lines = self.product_lines();
        lines.iter().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }

    /// The lines that only tests compile.
    pub(crate) fn test_lines(&self) -> Vec<&str> {
        let product = if self.is_test { 0 } else { self.product_lines().len() };
        self.text.lines().skip(product).collect()
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !SKIPPED.contains(&entry.file_name().to_string_lossy().as_ref()) {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";
const SKIPPED: [&str; 2] = ["target", "node_modules"];
