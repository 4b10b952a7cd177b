//! The workspace as the checks see it: crates, manifests, files.

use crate::rust;
use std::fs;
use std::path::{Path, PathBuf};
use toml::Table;

/// The shelves of crates.
const SHELVES: [&str; 4] = ["framework", "modules", "verification", "apps"];

/// All that is checked.
pub struct House {
    /// The root's manifest, as text.
    pub root_manifest: String,
    /// Every member.
    pub crates: Vec<Member>,
}

/// One crate.
pub struct Member {
    /// Which shelf it stands on.
    pub shelf: String,
    /// Its folder's name: the crate's name without the prefix.
    pub name: String,
    /// Its manifest.
    pub manifest: Table,
    /// Its sources.
    pub files: Vec<Source>,
    /// Its golden scripts: paths from the root.
    pub scripts: Vec<String>,
    /// Its `clippy.toml`, if it has one of its own.
    pub lints: Option<String>,
}

/// One source file.
pub struct Source {
    /// From the root, with slashes.
    pub path: String,
    /// As it stands there.
    pub text: String,
    /// Without comments and the insides of strings; lines stay where they are.
    pub code: String,
    /// As `code`, and without what only tests compile.
    pub shipped: String,
}

impl Source {
    /// A file with this text at this path.
    pub fn new(path: &str, text: &str) -> Self {
        let code = rust::without_comments_and_strings(text);
        let shipped = if is_test_path(path) { String::new() } else { rust::without_tests(&code) };
        Source { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }
}

/// Whether only tests, benchmarks or examples compile what is at `path`.
pub fn is_test_path(path: &str) -> bool {
    let mut parts = path.split('/');
    let file = path.rsplit('/').next().unwrap_or(path);
    parts.any(|part| ["tests", "examples", "benches"].contains(&part)) || file.ends_with("tests.rs")
}

impl House {
    /// Reads the workspace that this crate is part of.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |path: &Path| {
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let mut crates = Vec::new();
        for shelf in SHELVES {
            for folder in sorted(&root.join(shelf)) {
                let manifest = folder.join("Cargo.toml");
                if !manifest.is_file() {
                    continue;
                }
                let mut paths = Vec::new();
                collect(&folder, &mut paths);
                let from_root = |path: &PathBuf| {
                    let path = path.strip_prefix(&root).expect("it lies below the root");
                    path.to_string_lossy().replace('\\', "/")
                };
                let ends = |path: &&PathBuf, end: &str| path.extension().is_some_and(|other| other == end);
                let sources = paths.iter().filter(|path| ends(path, "rs"));
                let in_scripts =
                    |path: &&PathBuf| path.parent().is_some_and(|parent| parent.ends_with("scripts"));
                let scripts = paths.iter().filter(|path| ends(path, "txt") && in_scripts(path));
                let manifest: Table = read(&manifest).parse().expect("cargo read it before");
                let package = manifest["package"]["name"].as_str().expect("a package has a name");
                let name = package.strip_prefix("synod-").unwrap_or(package).to_owned();
                crates.push(Member {
                    shelf: shelf.to_owned(),
                    manifest,
                    files: sources.map(|path| Source::new(&from_root(path), &read(path))).collect(),
                    scripts: scripts.map(from_root).collect(),
                    lints: fs::read_to_string(folder.join("clippy.toml")).ok(),
                    name,
                });
            }
        }
        House { root_manifest: read(&root.join("Cargo.toml")), crates }
    }

    /// Every source file of every crate.
    pub fn files(&self) -> impl Iterator<Item = (&Member, &Source)> {
        self.crates.iter().flat_map(|member| member.files.iter().map(move |file| (member, file)))
    }
}

impl Member {
    /// The names of its dependencies in this section, without the workspace's prefix; whether each is a member.
    pub fn dependencies(&self, section: &str) -> Vec<(String, bool)> {
        let table = self.manifest.get(section).and_then(|section| section.as_table());
        let names = table.into_iter().flat_map(|table| table.keys());
        names
            .map(|name| match name.strip_prefix("synod-") {
                Some(name) => (name.to_owned(), true),
                None => (name.clone(), false),
            })
            .collect()
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for path in sorted(folder) {
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, into);
            }
        } else {
            into.push(path);
        }
    }
}
