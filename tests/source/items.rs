//! The items of Rust code: what each is called, its signature, and what is in it.

use crate::tokens::lexed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Struct,
    Enum,
    Trait,
    Impl,
    Use,
    /// A function, a constant, a type.
    Other,
    /// A module, a macro.
    Skipped,
}

pub struct Item {
    pub kind: Kind,
    /// Whether `pub` is in front of it, and nothing narrower.
    pub is_public: bool,
    attributes: Vec<Vec<String>>,
    /// What is in front of the body.
    head: Vec<String>,
    body: Option<Vec<String>>,
}

/// The items of a file, not those of modules in it.
pub fn items(source: &str) -> Vec<Item> {
    items_of(&lexed(source))
}

fn items_of(mut tokens: &[String]) -> Vec<Item> {
    let mut items = Vec::new();
    while !tokens.is_empty() {
        let (item, rest) = item(tokens);
        items.extend(item);
        tokens = rest;
    }
    items
}

fn item(tokens: &[String]) -> (Option<Item>, &[String]) {
    let (attributes, rest) = attributes(tokens);
    let (is_public, rest) = visibility(rest);
    let mut depth = 0;
    for (at, token) in rest.iter().enumerate() {
        match token.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            ";" if depth == 0 => {
                return (
                    made(attributes, is_public, &rest[..at], None),
                    &rest[at + 1..],
                );
            }
            "{" if depth == 0 => {
                let end = at + group(&rest[at..]);
                let body = &rest[at + 1..end - 1];
                let behind = &rest[end..];
                let behind = behind.strip_prefix(&[";".to_owned()]).unwrap_or(behind);
                return (made(attributes, is_public, &rest[..at], Some(body)), behind);
            }
            _ => {}
        }
    }
    (None, &[])
}

fn made(
    attributes: Vec<Vec<String>>,
    is_public: bool,
    head: &[String],
    body: Option<&[String]>,
) -> Option<Item> {
    let is_use = head.first()? == "use";
    let kind = head.iter().find_map(|word| match word.as_str() {
        "struct" => Some(Kind::Struct),
        "enum" => Some(Kind::Enum),
        "trait" => Some(Kind::Trait),
        "impl" => Some(Kind::Impl),
        "use" => Some(Kind::Use),
        "fn" | "const" | "static" | "type" => Some(Kind::Other),
        "mod" | "macro_rules" | "!" => Some(Kind::Skipped),
        _ => None,
    })?;
    // The value of a constant is no part of its signature.
    let is_value = matches!(head.first()?.as_str(), "const" | "static");
    let end = head.iter().position(|word| word == "=" && is_value);
    let head = &head[..end.unwrap_or(head.len())];
    let mut head = head.to_vec();
    if is_use {
        head.extend(body.unwrap_or_default().iter().cloned());
    }
    Some(Item {
        kind,
        is_public,
        attributes,
        head,
        body: body.map(<[String]>::to_vec),
    })
}

fn attributes(mut tokens: &[String]) -> (Vec<Vec<String>>, &[String]) {
    let mut found = Vec::new();
    while tokens.first().is_some_and(|token| token == "#") {
        let open = tokens.iter().position(|token| token == "[").unwrap_or(0);
        let end = open + group(&tokens[open..]);
        found.push(tokens[open + 1..end - 1].to_vec());
        tokens = &tokens[end..];
    }
    (found, tokens)
}

fn visibility(tokens: &[String]) -> (bool, &[String]) {
    match tokens {
        [word, open, ..] if word == "pub" && open == "(" => {
            (false, &tokens[1 + group(&tokens[1..])..])
        }
        [word, rest @ ..] if word == "pub" => (true, rest),
        _ => (false, tokens),
    }
}

/// How long the group is that begins with the first token.
fn group(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// What lies between commas, but for those in groups and after `<`.
fn listed(tokens: &[String]) -> Vec<&[String]> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            ">" if tokens[at - 1] != "-" => depth -= 1,
            "," if depth == 0 => {
                found.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&tokens[start..]);
    found.retain(|part| !part.is_empty());
    found
}

impl Item {
    /// What it is called; of a `use`, all names that it brings in.
    pub fn names(&self) -> Vec<String> {
        let is_name = |token: &&String| token.starts_with(|c: char| c == '_' || c.is_alphabetic());
        match self.kind {
            Kind::Use => {
                let mut names = Vec::new();
                for (at, token) in self.head.iter().enumerate().filter(|(_, it)| is_name(it)) {
                    let next = self.head.get(at + 1).map_or("", String::as_str);
                    // The rest of a path follows.
                    if !matches!(next, "::" | "as") && !matches!(token.as_str(), "use" | "as") {
                        names.push(token.clone());
                    }
                }
                names
            }
            Kind::Impl | Kind::Skipped => Vec::new(),
            _ => {
                let keywords = ["struct", "enum", "trait", "fn", "const", "static", "type"];
                let at = self
                    .head
                    .iter()
                    .position(|word| keywords.contains(&word.as_str()));
                let at = match self.head.iter().position(|word| word == "fn") {
                    Some(function) => Some(function),
                    None => at,
                };
                let name = at.and_then(|at| self.head.get(at + 1));
                name.cloned().into_iter().collect()
            }
        }
    }

    /// The trait of an `impl`, if it has one, and the type.
    pub fn implements(&self) -> (Option<String>, String) {
        let head = self.without_generics();
        let at = head.iter().position(|word| word == "for");
        let bare = |part: &[String]| -> String {
            let end = part.iter().position(|it| it == "<" || it == "where");
            let path = part[..end.unwrap_or(part.len())].iter();
            path.skip_while(|it| matches!(it.as_str(), "&" | "mut"))
                .cloned()
                .collect()
        };
        match at {
            Some(at) => (Some(bare(&head[..at])), bare(&head[at + 1..])),
            None => (None, bare(head)),
        }
    }

    /// After `impl` and its parameters.
    fn without_generics(&self) -> &[String] {
        let behind = &self.head[1..];
        if behind.first().is_none_or(|token| token != "<") {
            return behind;
        }
        let mut depth = 0;
        for (at, token) in behind.iter().enumerate() {
            match token.as_str() {
                "<" => depth += 1,
                ">" if behind[at - 1] != "-" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return &behind[at + 1..];
            }
        }
        behind
    }

    /// The items in its body.
    pub fn inner(&self) -> Vec<Item> {
        items_of(self.body.as_deref().unwrap_or_default())
    }

    /// In front of its body; what a tuple struct holds is no business of others but where it is public.
    pub fn signature(&self) -> String {
        let visibility = match self.is_public {
            true => "pub ",
            false => "",
        };
        let head = match (self.kind, self.head.iter().position(|it| it == "(")) {
            (Kind::Struct, Some(at))
                if self.body.is_none() && !self.head[at..].contains(&"pub".to_owned()) =>
            {
                format!("{}(..)", spaced(&self.head[..at]))
            }
            _ => spaced(&self.head),
        };
        format!("{visibility}{head}")
    }

    /// Attributes that users meet.
    pub fn shown_attributes(&self) -> Vec<String> {
        shown(&self.attributes)
    }
}

fn shown(attributes: &[Vec<String>]) -> Vec<String> {
    let is_shown =
        |it: &&Vec<String>| matches!(it[0].as_str(), "cfg" | "derive" | "non_exhaustive");
    let shown = attributes.iter().filter(is_shown);
    shown.map(|it| format!("#[{}]", spaced(it))).collect()
}

/// The public fields of a struct, the variants of an enum, the items of a trait.
pub fn parts(item: &Item) -> Vec<String> {
    let body = item.body.as_deref().unwrap_or_default();
    match item.kind {
        Kind::Struct => {
            let fields = listed(body).into_iter().map(|field| {
                let (attributes, field) = attributes(field);
                let (is_public, field) = visibility(field);
                (is_public, shown(&attributes), spaced(field))
            });
            let (public, private): (Vec<_>, Vec<_>) =
                fields.partition(|(is_public, ..)| *is_public);
            let rest = (!private.is_empty()).then(|| "..".to_owned());
            let public = public
                .into_iter()
                .map(|(_, attributes, field)| with(&attributes, &format!("pub {field},")));
            public.chain(rest).collect()
        }
        Kind::Enum => {
            let variants = listed(body).into_iter().map(|variant| {
                let (attributes, variant) = attributes(variant);
                with(
                    &shown(&attributes),
                    &format!("{},", spaced(&without_attributes(variant))),
                )
            });
            variants.collect()
        }
        Kind::Trait => {
            let inner = item.inner();
            let provided = |item: &Item| if item.body.is_some() { " { .. }" } else { ";" };
            let functions = inner.iter().map(|item| {
                with(
                    &item.shown_attributes(),
                    &format!("{}{}", item.signature(), provided(item)),
                )
            });
            functions.collect()
        }
        _ => Vec::new(),
    }
}

/// Those of the fields of a variant say nothing new.
fn without_attributes(tokens: &[String]) -> Vec<String> {
    let (mut kept, mut rest) = (Vec::new(), tokens);
    while let Some(first) = rest.first() {
        match first.as_str() {
            "#" => rest = &rest[1 + group(&rest[1..])..],
            _ => {
                kept.push(first.clone());
                rest = &rest[1..];
            }
        }
    }
    kept
}

fn with(attributes: &[String], text: &str) -> String {
    let attributes: String = attributes.iter().map(|it| format!("{it} ")).collect();
    attributes + text
}

/// Tokens as rustfmt puts them on one line.
pub fn spaced(tokens: &[String]) -> String {
    let mut text = String::new();
    let mut previous = "";
    for (at, token) in tokens.iter().enumerate() {
        let token = token.as_str();
        let next = tokens.get(at + 1).map_or("", String::as_str);
        // What rustfmt puts on lines of their own ends with a comma.
        if token == "," && matches!(next, ")" | "]" | ">" | "}" | "") {
            continue;
        }
        // How a function keeps an argument is its own business.
        if token == "mut" && matches!(previous, "(" | ",") {
            continue;
        }
        if needs_space(previous, token, next) {
            text.push(' ');
        }
        text += token;
        previous = match (previous, token) {
            ("-", ">") => "->",
            (before, "'") if before != "&" => "'",
            _ => token,
        };
    }
    text
}

fn needs_space(previous: &str, token: &str, next: &str) -> bool {
    let is_word = |it: &str| it.starts_with(|c: char| c == '_' || c.is_alphanumeric() || c == '"');
    match (previous, token) {
        ("", _) => false,
        ("-", ">") => false,
        ("->" | "," | ":" | ";" | "=" | "+" | "{", _) => true,
        (_, "=" | "+" | "{" | "}") => true,
        (_, "-") => next == ">",
        (">" | ")" | "]", token) => is_word(token),
        (previous, "&" | "'" | "*" | "?" | "#") => is_word(previous),
        (previous, "[") => matches!(previous, "mut" | "for"),
        (previous, token) => is_word(previous) && is_word(token),
    }
}
