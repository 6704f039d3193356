//! Rust sources, read just well enough to hold the house's rules against them: text and
//! comments are blanked out, tests can be cut off, functions are found by their braces.

use std::fs;
use std::path::Path;

/// A source file.
#[derive(Debug)]
pub struct Code {
    /// Relative to the package, with `/`.
    pub path: String,
    /// The code, without what stands in strings, characters and comments; line ends are kept.
    pub all: String,
    /// The same without `#[cfg(test)]` items.
    pub shipped: String,
}

/// A function and its length in lines, signature and braces included.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Its lines.
    pub length: usize,
}

/// The Rust files below some folders of the package, in order.
pub fn read(root: &Path, folders: &[&str]) -> Vec<Code> {
    let mut found = Vec::new();
    for folder in folders {
        for file in crate::program::files(&root.join(folder)) {
            if file.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            let text = fs::read_to_string(root.join(folder).join(&file)).expect("a source file");
            let all = blank(&text);
            let path = format!("{folder}/{}", file.to_string_lossy().replace('\\', "/"));
            let shipped = without_tests(&all);
            found.push(Code { path, all, shipped });
        }
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}

impl Code {
    /// How many lines the file has.
    pub fn lines(&self) -> usize {
        self.all.lines().count()
    }

    /// Its functions, inner ones too.
    pub fn functions(&self) -> Vec<Function> {
        words(&self.all)
            .filter(|(_, word)| *word == "fn")
            .filter_map(|(at, _)| function(&self.all, at))
            .collect()
    }
}

/// The words of some code, each with its place.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// The line of a place, from 1.
pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Replaces what stands in comments, strings and characters by blanks, byte for byte.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(bytes, at);
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of the comment, string or character that begins at `at`; `at` if none does.
fn skipped(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let inside_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => at + position(rest, |b| b == b'\n'),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + quoted(rest, b'"'),
        [b'\'', ..] => at + character(rest),
        [b'r', b'"' | b'#', ..] if !inside_word => at + raw_string(&rest[1..]).map_or(0, |n| n + 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !inside_word => {
            at + raw_string(&rest[2..]).map_or(0, |n| n + 2)
        }
        _other => at,
    }
}

fn position(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| wanted(*b)).unwrap_or(bytes.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _other => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], mark: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != mark {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character, or nothing for a lifetime.
fn character(rest: &[u8]) -> usize {
    match rest {
        [_, b'\\', ..] => quoted(rest, b'\''),
        [_, first, ..] => {
            let width = match *first {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ascii => 1,
            };
            if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
        }
        _short => 0,
    }
}

/// `"…"` or `#"…"#`, from its first mark; none for a raw name such as `r#type`.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = position(rest, |b| b != b'#');
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &rest[..hashes]].concat();
    let body = &rest[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| hashes + 1 + length + end.len()))
}

/// Cuts `#[cfg(test)]` and the item below it.
pub fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = match item.find(['{', ';']) {
            Some(open) if item[open..].starts_with('{') => open + braces(&item[open..]),
            Some(semicolon) => semicolon + 1,
            None => item.len(),
        };
        rest = &item[end..];
    }
    out + rest
}

/// The length of the block that begins here.
fn braces(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _other => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The function whose `fn` stands at `at`; none for a type or a declaration.
fn function(code: &str, at: usize) -> Option<Function> {
    let (_, name) = words(&code[at..]).nth(1)?;
    let between = &code[at + 2..name.as_ptr() as usize - code.as_ptr() as usize];
    if !between.trim().is_empty() {
        return None;
    }
    let mut depth = 0;
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ';' if depth == 0 => return None,
            '{' if depth == 0 => {
                let length = offset + braces(&code[at + offset..]);
                let lines = code[at..at + length].matches('\n').count() + 1;
                let line = line_of(code, at);
                return Some(Function { name: name.to_owned(), line, length: lines });
            }
            _other => {}
        }
    }
    None
}

/// The scanner that these rules rest on sees what it should.
#[test]
fn the_scanner_reads_rust() {
    let text = r####"
fn a<'x>(b: &'x str, c: [u8; 2]) -> char { // fn no() {
    let _s = "} fn no2() {"; let _r = r#"{ " { fn no3()"#; /* { /* fn */ { */
    match c[0] { b'{' => '{', _ => '\'' }
}
trait T { fn declared(&self); }
type F = fn(u8) -> u8;
#[cfg(test)]
mod tests {
    fn inner() { panic!("{") }
}
fn z() {}
"####;
    let all = blank(text);
    assert_eq!(all.len(), text.len());
    let shipped = without_tests(&all);
    assert!(!shipped.contains("panic") && all.contains("panic") && shipped.contains("fn z"));
    let code = Code { path: String::new(), all, shipped };
    let functions: Vec<(String, usize, usize)> =
        code.functions().into_iter().map(|f| (f.name, f.line, f.length)).collect();
    let expected = [("a", 2, 4), ("inner", 10, 1), ("z", 12, 1)];
    assert_eq!(functions, expected.map(|(name, line, length)| (name.to_owned(), line, length)));
}
