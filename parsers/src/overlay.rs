//! Overlays: what a user adds to the formats that come with the program, or puts in their place.

use serde::Deserialize;

use crate::catalogue::Catalogue;
use crate::code::{CodeToml, ComponentToml, ExitCode, Notation};
use crate::format::{FilePattern, FormatError, Others, Place, SourceKind, locate};
use crate::layout::StampToml;
use crate::schema::{
    ActionsToml, FileToml, FormatDraft, Message, MessageToml, read_files, stamp_names,
};

/// The version of the overlays' schema.
pub const SCHEMA: u32 = 1;

/// One overlay file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverlayToml {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(default)]
    stamp: Vec<StampToml>,
    #[serde(default)]
    code: Vec<CodeToml>,
    #[serde(default)]
    component: Vec<ComponentToml>,
    #[serde(default)]
    format: Vec<OverlayFormatToml>,
    actions: Option<ActionsToml>,
    ignore: Option<IgnoreToml>,
}

/// What an overlay of any version has.
#[derive(Deserialize)]
struct SchemaToml {
    schema: toml::Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverlayFormatToml {
    name: toml::Spanned<String>,
    kind: Option<SourceKind>,
    stamps: Option<toml::Spanned<Vec<String>>>,
    others: Option<Others>,
    #[serde(default)]
    file: Vec<FileToml>,
    #[serde(default)]
    message: Vec<MessageToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoreToml {
    #[serde(default)]
    steps: Vec<toml::Spanned<String>>,
    #[serde(default)]
    codes: Vec<toml::Spanned<String>>,
}

impl OverlayToml {
    /// Reads one overlay.
    pub(crate) fn read(path: &str, text: &str) -> Result<OverlayToml, FormatError> {
        // A later schema may have keys that this one lacks: its number tells more than they do.
        if let Ok(SchemaToml { schema }) = toml::from_str(text)
            && *schema.get_ref() != SCHEMA
        {
            let what = format!("this program reads schema = {SCHEMA}; update it, or the file");
            return Err(locate(path, text, schema.span()).error(what));
        }
        toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))
    }

    /// Puts it over what is there.
    pub(crate) fn apply(
        self,
        path: &str,
        text: &str,
        catalogue: &mut Catalogue,
    ) -> Result<(), FormatError> {
        let mut own = Vec::new();
        for stamp in self.stamp {
            let at = locate(path, text, stamp.name.span());
            let layout = stamp.compile(path, text)?;
            if own.contains(&layout.name) {
                let what = format!("two stamps are named {}; names are unique", layout.name);
                return Err(at.error(what));
            }
            own.push(layout.name.clone());
            catalogue.put(layout, path).map_err(|what| at.error(what))?;
        }
        catalogue.codes.extend(path, text, self.code, self.component)?;
        for format in self.format {
            format.apply(path, text, catalogue)?;
        }
        if let Some(actions) = self.actions {
            let own = actions.read(path, text)?;
            let both = catalogue.agent_install.take().map_or(Ok(own.clone()), |all| all.and(own));
            let both = both.map_err(|why| locate(path, text, 0..0).error(why))?;
            catalogue.agent_install = Some(both);
        }
        if let Some(ignore) = self.ignore {
            ignore.apply(path, text, catalogue)?;
        }
        Ok(())
    }
}

impl OverlayFormatToml {
    fn apply(self, path: &str, text: &str, catalogue: &mut Catalogue) -> Result<(), FormatError> {
        let at = locate(path, text, self.name.span());
        let files = read_files(path, text, &self.file)?;
        refuse_wide(&files, &catalogue.formats, self.name.get_ref(), &at)?;
        let stamps = stamp_names(path, text, self.stamps);
        let messages: Vec<Message> =
            self.message.into_iter().map(|message| message.place(path, text)).collect();
        let name = self.name.into_inner();
        let known = catalogue.formats.iter_mut().find(|format| format.name == name);
        let Some(draft) = known else {
            let Some(kind) = self.kind else {
                let all: Vec<&str> =
                    catalogue.formats.iter().map(|format| format.name.as_str()).collect();
                let what = format!(
                    "no format is named {name}: a new one needs kind = …; to add to one, name it: {}",
                    all.join(", ")
                );
                return Err(at.error(what));
            };
            if matches!(kind, SourceKind::EventLog | SourceKind::PolicyStatus) {
                let what = format!(
                    "a new format can't be of the kind {}, which is no text with lines; to add \
                     names of files, name the format that the program has",
                    kind.word()
                );
                return Err(at.error(what));
            }
            if files.is_empty() {
                let what = "a new format needs a [[format.file]]: the names of its files";
                return Err(at.error(what));
            }
            catalogue.formats.push(FormatDraft {
                name,
                kind,
                files,
                stamps,
                others: self.others.unwrap_or_default(),
                messages,
                joins: false,
                event_log: None,
                xml: None,
                at,
            });
            return Ok(());
        };
        if self.kind.is_some_and(|kind| kind != draft.kind) {
            let what = format!("{name} is of the kind {}; leave kind out", draft.kind.word());
            return Err(at.error(what));
        }
        draft.files.splice(0..0, files);
        draft.stamps.splice(0..0, stamps);
        draft.others = self.others.unwrap_or(draft.others);
        draft.at = at;
        replace(&mut draft.messages, messages)
    }
}

/// A name that fits the files of several other formats would take their logs away from them.
fn refuse_wide(
    files: &[FilePattern],
    formats: &[FormatDraft],
    name: &str,
    at: &Place,
) -> Result<(), FormatError> {
    for file in files {
        let others = formats.iter().filter(|format| format.name != name);
        let taken = others.filter_map(|format| {
            let specimen = |other: &&FilePattern| file.name.is_match(&other.specimen);
            format.files.iter().find(specimen).map(|other| other.specimen.as_str())
        });
        let taken: Vec<&str> = taken.collect();
        if taken.len() > 1 {
            return Err(at.error(format!(
                "the file name {} also fits {}, which are other formats' files; write a narrower one",
                file.written,
                taken.join(", ")
            )));
        }
    }
    Ok(())
}

/// Puts rules in the place of those of the same name in files before, or behind all.
fn replace(all: &mut Vec<Message>, own: Vec<Message>) -> Result<(), FormatError> {
    let first = all.len();
    for message in own {
        let known = all.iter().position(|other| other.name == message.name);
        match known {
            Some(at) if at >= first || all[at].at.path() == message.at.path() => {
                let what =
                    format!("two rules are named {}; names are unique in a format", message.name);
                return Err(message.at.error(what));
            }
            Some(at) => all[at] = message,
            None => all.push(message),
        }
    }
    Ok(())
}

impl IgnoreToml {
    fn apply(self, path: &str, text: &str, catalogue: &mut Catalogue) -> Result<(), FormatError> {
        for step in self.steps {
            if step.get_ref().trim().is_empty() {
                let what = "an empty name fits no step; write a step's name, * stands for anything";
                return Err(locate(path, text, step.span()).error(what));
            }
            catalogue.expected.steps.push(step.into_inner());
        }
        for code in self.codes {
            let read = ExitCode::read(code.get_ref().trim(), Notation::Any).ok_or_else(|| {
                locate(path, text, code.span())
                    .error("this is no exit code; write it as a log or the console shows it")
            })?;
            catalogue.expected_codes.push(read);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::format::Formats;

    #[test]
    fn an_expected_code_may_be_declared_later() {
        let ignore = ("a.toml", "schema = 1\n[ignore]\ncodes = [\"777\"]\n");
        let code = "schema = 1\n[[code]]\nvalue = \"0x8DB50309\"\nlow_word = true\n\
                    class = \"already_running\"\nmeaning = \"busy\"\nmark = \"seen\"\n";
        for overlays in [[ignore, ("b.toml", code)], [("b.toml", code), ignore]] {
            let formats = Formats::with_overlays(&overlays).expect("right");
            assert_eq!(formats.expected.codes, [0x8DB5_0309]);
        }
    }
}
