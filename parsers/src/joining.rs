//! Records that go on in the next line: a backslash ends a line of such a file.

use serde::{Deserialize, Serialize};

use crate::text::{self, CodePage};

/// The longest record that is put together, in bytes: the rest is left.
const LONGEST: usize = 4096;

/// What a line is to the record that it may be a part of.
pub(crate) enum Joined {
    /// A record of its own.
    Alone,
    /// The record goes on.
    Part,
    /// The last line: the whole record, and the rules to be tried on it.
    Whole(String, u128),
}

/// Puts the lines of records together; only lines that hold a rule's word begin one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joiner {
    held: Option<(String, u128)>,
}

impl Joiner {
    /// The next line's message, and the rules that have a word in it.
    pub(crate) fn line(&mut self, message: &[u8], page: CodePage, rules: u128) -> Joined {
        let before = self.held.take();
        if before.is_none() && (rules == 0 || !message.ends_with(b"\\")) {
            return Joined::Alone;
        }
        let (mut whole, rules) = before.unwrap_or((String::new(), rules));
        let next = text::decode(message, page);
        whole.push_str(if whole.is_empty() { &next } else { next.trim_start() });
        if whole.ends_with('\\') && whole.len() < LONGEST {
            whole.pop();
            self.held = Some((whole, rules));
            return Joined::Part;
        }
        Joined::Whole(whole, rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_up_to_a_bound() {
        let mut joiner = Joiner::default();
        let page = CodePage::default();
        assert!(matches!(joiner.line(b"no word\\", page, 0), Joined::Alone));
        assert!(matches!(joiner.line(b"a=1,\\", page, 2), Joined::Part));
        assert!(matches!(joiner.line(b"  2,\\", page, 0), Joined::Part));
        let Joined::Whole(text, rules) = joiner.line(b"  3", page, 4) else {
            panic!("the last line")
        };
        assert_eq!((text.as_str(), rules), ("a=1,2,3", 2));
        let long = [vec![b'x'; LONGEST], b"\\".to_vec()].concat();
        assert!(matches!(joiner.line(&long, page, 1), Joined::Whole(..)));
        assert!(matches!(joiner.line(b"x", page, 1), Joined::Alone));
    }
}
