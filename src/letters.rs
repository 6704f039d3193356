//! Letters that are obeyed and not shown, and text that holds none of them.

/// Whether a terminal or an editor would obey it, or not show it.
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A string of TOML: as it stands in single quotes where it can, else with escapes.
pub fn toml_text(text: &str) -> String {
    if !text.contains(|c: char| c == '\'' || is_obeyed(c)) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_obeyed(c) => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_strings() {
        assert_eq!(toml_text(r"a\d"), r"'a\d'");
        assert_eq!(toml_text("it's \"a\\\" \u{202E}\t"), r#""it's \"a\\\" \u202E\u0009""#);
    }
}
