//! The words and signs of Rust code, without comments and strings.

/// Identifiers, `::` and single other characters. Strings are `""`.
pub fn tokens(source: &str) -> Vec<String> {
    let is_string =
        |token: &str| token.contains('"') || (token.starts_with('\'') && token.len() > 1);
    let tokens = lexed(source).into_iter();
    tokens
        .map(|token| match is_string(&token) {
            true => "\"\"".to_owned(),
            false => token,
        })
        .collect()
}

/// As [`tokens`], with strings as they are.
pub fn lexed(source: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let len = if let Some(comment) = comment(rest) {
            comment
        } else if let Some(string) = string(rest) {
            tokens.push(rest[..string].to_owned());
            string
        } else if c == '_' || c.is_alphanumeric() {
            let word = rest.find(|c: char| c != '_' && !c.is_alphanumeric());
            let word = &rest[..word.unwrap_or(rest.len())];
            tokens.push(word.to_owned());
            word.len()
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            c.len_utf8()
        };
        rest = &rest[len..];
    }
    tokens
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let end = rest.strip_prefix("/*")?.find("*/");
    Some(end.map_or(rest.len(), |at| at + 4))
}

/// A string or a character; `'a` alone is a lifetime.
fn string(rest: &str) -> Option<usize> {
    if let Some(raw) = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br")) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = rest.len() - raw.len() + hashes + 1;
            return Some(
                rest[begin..]
                    .find(&end)
                    .map_or(rest.len(), |at| begin + at + end.len()),
            );
        }
    }
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            // Not a character after all, but a lifetime.
            _ if quote == '\'' && at > 1 && !rest[1..].starts_with('\\') => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn comments_and_strings_are_no_code() {
    let source =
        "use a::b; // c\n/* d */ f::<'e, 'g'>(\"h\\\"i\", r#\"j\"k\"#, b'\\n', '\\'', 'é')";
    let words: Vec<String> = tokens(source);
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| word.len() > 1 || word.chars().all(char::is_alphanumeric))
        .collect();
    assert_eq!(
        words,
        [
            "use", "a", "::", "b", "f", "::", "e", "\"\"", "\"\"", "\"\"", "b", "\"\"", "\"\"",
            "\"\""
        ]
    );
}
