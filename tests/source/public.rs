//! What a user's compiler shows of wshub: only what `src/lib.rs` gives away.
//!
//! A compiler that misses a conversion lists those that there are, and with them the types that they are from.

use crate::files::sources;

/// Types of the language and of std.
const KNOWN: &[&str] = &[
    "BorrowedFd",
    "BorrowedSocket",
    "SocketAddr",
    "Infallible",
    "Path",
    "PathBuf",
    "String",
    "TcpListener",
    "TcpStream",
    "UnixListener",
    "UnixStream",
    "Vec",
    "io::Error",
    "str",
    "u16",
    "u8",
];

/// The names that `pub use` gives away.
fn public_names() -> Vec<String> {
    let source = include_str!("../../src/lib.rs");
    let given = source.split("pub use ").skip(1);
    let lists = given
        .filter_map(|rest| rest.split_once(';'))
        .map(|(list, _)| list);
    lists
        .flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|name| name.starts_with(char::is_uppercase))
        .map(str::to_owned)
        .collect()
}

/// `impl From<A> for B`: A and B without references, lifetimes and parameters.
fn conversion(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.strip_prefix("impl")?.split_once("From<")?;
    let (from, rest) = rest.split_once("> for ")?;
    let bare = |name: &'_ str| -> usize { name.find(['<', ';', ' ']).unwrap_or(name.len()) };
    let from = from.trim_start_matches(['&', '[']);
    let from = match from.strip_prefix('\'') {
        Some(borrowed) => borrowed.split_once(' ')?.1,
        None => from,
    };
    Some((&from[..bare(from)], &rest[..bare(rest)]))
}

#[test]
fn no_conversion_to_a_public_type_is_from_a_private_one() {
    let public = public_names();
    let is_known = |name: &str| {
        let name = name.trim_end_matches(']');
        KNOWN.contains(&name) || public.iter().any(|it| it == name)
    };
    let (mut seen, mut private) = (0, Vec::new());
    for (path, source) in sources() {
        for (from, to) in source.lines().filter_map(conversion) {
            seen += usize::from(is_known(to));
            if is_known(to) && !is_known(from) {
                private.push(format!("{path}: {to} from {from}"));
            }
        }
    }
    assert!(seen > 20, "only {seen} conversions were found");
    assert!(private.is_empty(), "{private:#?}");
}
