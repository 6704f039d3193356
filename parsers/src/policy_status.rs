//! A policy task's state file: one small XML document.

use crate::code::{ExitCode, Notation};
use crate::event::TaskState;
use crate::format::XmlToml;

/// Reads one document; `None` if it is no XML or has another root.
///
/// `file_task` is the id in the file's name, for documents that don't name it.
pub fn read(text: &str, xml: &XmlToml, file_task: Option<&str>) -> Option<TaskState> {
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}')).ok()?;
    let root = document.root_element();
    if !root.tag_name().name().eq_ignore_ascii_case(&xml.root) {
        return None;
    }
    let value = |name: &str| {
        root.descendants()
            .find(|node| node.is_element() && node.tag_name().name().eq_ignore_ascii_case(name))
            .and_then(|node| node.text())
            .map(|text| text.trim().to_owned())
    };
    let task = value(&xml.task).or_else(|| file_task.map(str::to_owned))?;
    Some(TaskState {
        task,
        status: value(&xml.status).and_then(|text| text.parse().ok()),
        code: value(&xml.code).and_then(|text| ExitCode::read(&text, Notation::Decimal)),
        last_run: value(&xml.last_run).and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Formats;

    #[test]
    fn the_specimen_reads() {
        let formats = Formats::builtin().expect("embedded");
        let xml =
            formats.formats.iter().find_map(|format| format.xml.clone()).expect("one xml format");
        let state = read(&xml.specimen, &xml, None).expect("specimen");
        assert_eq!((state.task.as_str(), state.status), ("34163", Some(4)));
        assert_eq!(state.last_run, Some(1_742_818_800));
        assert_eq!(state.code.map(|code| code.value), Some(0x0DB5_0000));
        assert_eq!(read("<Other/>", &xml, None), None);
        assert_eq!(read("<PolicyStatusInfo>", &xml, None), None);
    }
}
