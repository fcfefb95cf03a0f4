//! Quoted strings (RFC 9110 5.6.4), and lists in which they may stand.

/// Parts of a text; a separator inside quotes is none.
pub(crate) fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && c == separator,
        }
        false
    })
}

/// What a quoted string holds, or what stands there without quotes: not nothing, and of these bytes alone.
pub(crate) fn unquote(value: &str, is_bare: impl Fn(u8) -> bool) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.is_empty() && value.bytes().all(is_bare)).then(|| value.to_owned());
    };
    let inside = rest.strip_suffix('"')?;
    let (mut text, mut chars) = (String::new(), inside.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next()?),
            '"' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}
