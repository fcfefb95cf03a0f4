//! Which file of the library names which other: its modules, and the paths in them, followed through what they pass on.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::sources;
use crate::tokens::tokens;

/// The modules of the library: the code that only tests and fuzzers see is left out.
pub struct Tree {
    files: Vec<File>,
    /// What each module imports, and may pass on: from a name to the path it stands for.
    imported: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

pub struct File {
    /// Below src, such as `server/pool.rs`.
    pub path: String,
    pub tokens: Vec<String>,
    module: Vec<String>,
}

/// One file names something that another one has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
}

const NOT_IN_THE_LIBRARY: [&str; 2] = ["fuzzing", "seeded"];

impl Tree {
    pub fn of_the_library() -> Tree {
        Tree::new(sources().filter(|(path, _)| {
            let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
            !parts.contains(&"tests") && !NOT_IN_THE_LIBRARY.contains(&parts[0])
        }))
    }

    pub fn new(sources: impl Iterator<Item = (String, String)>) -> Tree {
        let files = sources.map(|(path, text)| File {
            module: module_of(&path),
            tokens: tokens(&text),
            path,
        });
        let mut tree = Tree {
            files: files.collect(),
            imported: BTreeMap::new(),
        };
        for file in &tree.files {
            let names = uses(&file.tokens).into_iter().filter_map(|declaration| {
                let path = tree.absolute(&file.module, &declaration.path)?;
                Some((declaration.name, path))
            });
            let names: Vec<_> = names.collect();
            let known = tree.imported.entry(file.module.clone()).or_default();
            known.extend(names);
        }
        tree
    }

    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Every import from one file to another one, each once; `lib.rs`, which shows everything, imports nothing.
    pub fn imports(&self) -> BTreeSet<Import> {
        self.imports_by(|_| true)
    }

    /// Those without which a file does not compile: not what it just passes on to others.
    pub fn needs(&self) -> BTreeSet<Import> {
        self.imports_by(|declaration| !declaration.passes_on)
    }

    fn imports_by(&self, counts: impl Fn(&Use) -> bool) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for file in self.files.iter().filter(|file| file.path != "lib.rs") {
            let used = uses(&file.tokens).into_iter().filter(&counts);
            let used = used.map(|declaration| declaration.path);
            for path in used.chain(plain_paths(&file.tokens)) {
                let Some(path) = self.absolute(&file.module, &path) else {
                    continue;
                };
                let module = self.module_with(&path);
                let owners = self.files.iter().filter(|other| other.module == module);
                imports.extend(owners.filter(|other| other.path != file.path).map(|other| {
                    Import {
                        from: file.path.clone(),
                        to: other.path.clone(),
                    }
                }));
            }
        }
        imports
    }

    /// The path from the root of the crate; `None` for what other crates have.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (base, rest) = match path[0].as_str() {
            "crate" => (vec![], &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let base = module.len().checked_sub(ups)?;
                (module[..base].to_vec(), &path[ups..])
            }
            first => {
                let child = [module, &[first.to_owned()]].concat();
                self.has(&child).then(|| (module.to_vec(), path))?
            }
        };
        Some([&base, rest].concat())
    }

    /// The module that has what the path names, and does not just pass it on.
    fn module_with(&self, path: &[String]) -> Vec<String> {
        let mut path = path.to_vec();
        for _ in 0..100 {
            let depth = (0..=path.len())
                .rev()
                .find(|&n| n == 0 || self.has(&path[..n]));
            let (module, rest) = path.split_at(depth.unwrap_or_default());
            let passed_on = rest
                .first()
                .and_then(|name| self.imported.get(module)?.get(name));
            match passed_on {
                Some(elsewhere) => path = [elsewhere, &rest[1..]].concat(),
                None => return module.to_vec(),
            }
        }
        // Such code does not compile, but this may be run before that is found.
        panic!("{path:?} is passed on in a circle")
    }

    fn has(&self, module: &[String]) -> bool {
        self.files.iter().any(|file| file.module == module)
    }
}

/// `server/pool.rs` is `server::pool`.
fn module_of(path: &str) -> Vec<String> {
    let parts = path.trim_end_matches(".rs").split('/');
    parts
        .filter(|part| !matches!(*part, "mod" | "lib"))
        .map(str::to_owned)
        .collect()
}

/// A name that a `use` declaration brings in, and the path that it stands for.
struct Use {
    name: String,
    path: Vec<String>,
    /// It is public, for others.
    passes_on: bool,
}

fn uses(tokens: &[String]) -> Vec<Use> {
    let mut all = Vec::new();
    let starts = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| *token == "use");
    for (start, _) in starts {
        let mut rest = tokens[start + 1..].iter().map(String::as_str).peekable();
        let mut found = Vec::new();
        branch(&mut rest, Vec::new(), &mut found);
        // The end of `pub` or of `pub(crate)`.
        let passes_on = matches!(
            tokens[..start].last().map(String::as_str),
            Some("pub" | ")")
        );
        all.extend(found.into_iter().map(|(name, path)| Use {
            name,
            path,
            passes_on,
        }));
    }
    all
}

/// One path of a `use` with all that branches off it.
fn branch<'a>(
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    mut path: Vec<String>,
    found: &mut Vec<(String, Vec<String>)>,
) {
    let mut name = None;
    while let Some(token) = rest.next_if(|token| !matches!(*token, "," | "}" | ";")) {
        match token {
            "::" => {}
            "as" => name = rest.next().map(str::to_owned),
            "{" => {
                while rest.peek().is_some_and(|token| *token != "}") {
                    branch(rest, path.clone(), found);
                    rest.next_if_eq(&",");
                }
                rest.next();
                return;
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
    }
    if let Some(last) = path.last() {
        found.push((name.unwrap_or_else(|| last.clone()), path));
    }
}

/// Paths of two names and more outside of `use`.
fn plain_paths(tokens: &[String]) -> Vec<Vec<String>> {
    let is_word = |token: &String| token.starts_with(|c: char| c == '_' || c.is_alphanumeric());
    let mut paths = Vec::new();
    let mut rest = tokens;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if first == "use" {
            let end = rest.iter().position(|token| token == ";");
            rest = &rest[end.unwrap_or(rest.len())..];
            continue;
        }
        let mut path = vec![first.clone()];
        while let [colons, word, behind @ ..] = rest {
            if colons != "::" || !is_word(word) {
                break;
            }
            path.push(word.clone());
            rest = behind;
        }
        if path.len() > 1 && is_word(first) {
            paths.push(path);
        }
    }
    paths
}

#[test]
fn imports_are_followed_to_where_things_are() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::Shown;"),
        (
            "a/mod.rs",
            "mod inner; pub use inner::{Shown, Other as Same};",
        ),
        ("a/inner.rs", "pub struct Shown; pub struct Other;"),
        (
            "b.rs",
            "use crate::{Shown, a::{self, Same}}; fn f() { super::c::d::g() } // use crate::e",
        ),
        (
            "c/d.rs",
            "use std::io; fn g() { crate::e::h(\"use crate::b;\"); }",
        ),
        ("e.rs", "use super::super::super::up;"),
    ];
    let tree = Tree::new(
        files
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into_iter(),
    );
    let imports = tree.imports();
    let arrows: Vec<_> = imports.iter().map(|it| (&*it.from, &*it.to)).collect();
    assert_eq!(
        arrows,
        [
            ("a/mod.rs", "a/inner.rs"),
            ("b.rs", "a/inner.rs"),
            ("b.rs", "a/mod.rs"),
            ("b.rs", "c/d.rs"),
            ("c/d.rs", "e.rs"),
        ]
    );
    let needs = tree.needs();
    assert!(needs.len() + 1 == imports.len() && needs.iter().all(|it| it.from != "a/mod.rs"));
}
