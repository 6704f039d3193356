//! Patterns for names of devices.

/// Whether a name fits a pattern in which `*` stands for anything; the last part of a name
/// such as `site/PAR-1` is enough. Case is ignored.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let whole = |name: &str| {
        let mut parts = pattern.split('*');
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let mut last = None;
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            last = Some(part);
            rest = &rest[at + part.len()..];
        }
        rest.is_empty() || last.is_some_and(|part| part.is_empty() || name.ends_with(part))
    };
    whole(&name) || name.rsplit('/').next().is_some_and(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name) in
            [("par-1", "PAR-1"), ("PAR-*", "site/PAR-1"), ("*1", "PAR-11"), ("a*b*c", "aXbYbZc")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("PAR", "PAR-1"), ("PAR-*1", "PAR-"), ("*b", "abc"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
