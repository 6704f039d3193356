//! All formats, put together from the program's own files and a user's overlays.

use crate::code::{CodeTable, ExitCode};
use crate::format::{Actions, Arguments, BUILTIN, Expected, FormatError, Formats};
use crate::layout::{Layout, read_layouts};
use crate::overlay::OverlayToml;
use crate::schema::{self, FormatDraft};

/// The files that are embedded: name and text.
const FILES: [(&str, &str); 10] = [
    ("event-log.toml", include_str!("../formats/event-log.toml")),
    ("localsch.toml", include_str!("../formats/localsch.toml")),
    ("policy-status.toml", include_str!("../formats/policy-status.toml")),
    ("policysync.toml", include_str!("../formats/policysync.toml")),
    ("provisioning.toml", include_str!("../formats/provisioning.toml")),
    ("registry.toml", include_str!("../formats/registry.toml")),
    ("scheduler-tasks.toml", include_str!("../formats/scheduler-tasks.toml")),
    ("sdclient.toml", include_str!("../formats/sdclient.toml")),
    ("systeminfo.toml", include_str!("../formats/systeminfo.toml")),
    ("vulscan.toml", include_str!("../formats/vulscan.toml")),
];

/// What has been read so far.
pub(crate) struct Catalogue {
    pub(crate) layouts: Vec<Layout>,
    /// Of them, those of overlays: name and file.
    pub(crate) overlaid: Vec<(String, String)>,
    pub(crate) codes: CodeTable,
    pub(crate) formats: Vec<FormatDraft>,
    arguments: Option<Arguments>,
    pub(crate) agent_install: Option<Actions>,
    pub(crate) expected: Expected,
    /// Codes that are expected; what they mean is known once all overlays are read.
    pub(crate) expected_codes: Vec<ExitCode>,
}

impl Formats {
    /// The texts of the files that come with the program: what is known stands in them.
    pub fn texts() -> impl Iterator<Item = &'static str> {
        let first = [include_str!("../formats/stamps.toml"), include_str!("../formats/codes.toml")];
        first.into_iter().chain(FILES.iter().map(|(_, text)| *text))
    }

    /// The formats that come with the program.
    ///
    /// # Errors
    /// None in a build whose tests passed; the type is that of user files.
    pub fn builtin() -> Result<Formats, FormatError> {
        Formats::with_overlays(&[])
    }

    /// The formats that come with the program, and a user's overlays over them, in order; each
    /// pair is a file's name and its text.
    ///
    /// # Errors
    /// The first file, line and reason that can't be right.
    pub fn with_overlays(overlays: &[(&str, &str)]) -> Result<Formats, FormatError> {
        let named = |name: &str| format!("{BUILTIN}{name}");
        let stamps = include_str!("../formats/stamps.toml");
        let codes = include_str!("../formats/codes.toml");
        let mut catalogue =
            Catalogue::new((&named("stamps.toml"), stamps), (&named("codes.toml"), codes))?;
        for (name, text) in FILES {
            catalogue.add(&named(name), text)?;
        }
        for (path, text) in overlays {
            OverlayToml::read(path, text)?.apply(path, text, &mut catalogue)?;
        }
        catalogue.compile()
    }

    /// Loads formats from texts; each pair is a file's name and its text.
    ///
    /// # Errors
    /// The first file, line and reason that can't be right.
    pub fn load(
        stamps: (&str, &str),
        codes: (&str, &str),
        files: &[(&str, &str)],
    ) -> Result<Formats, FormatError> {
        let mut catalogue = Catalogue::new(stamps, codes)?;
        for (path, text) in files {
            catalogue.add(path, text)?;
        }
        catalogue.compile()
    }
}

impl Catalogue {
    fn new(stamps: (&str, &str), codes: (&str, &str)) -> Result<Catalogue, FormatError> {
        Ok(Catalogue {
            layouts: read_layouts(stamps.0, stamps.1)?,
            overlaid: Vec::new(),
            codes: CodeTable::read(codes.0, codes.1)?,
            formats: Vec::new(),
            arguments: None,
            agent_install: None,
            expected: Expected::default(),
            expected_codes: Vec::new(),
        })
    }

    fn add(&mut self, path: &str, text: &str) -> Result<(), FormatError> {
        let loaded = schema::load(path, text)?;
        self.formats.push(loaded.format);
        self.arguments = loaded.arguments.or(self.arguments.take());
        self.agent_install = loaded.agent_install.or(self.agent_install.take());
        Ok(())
    }

    /// Puts an overlay's stamp in the place of a built-in one of its name. Two overlays may declare
    /// the same one; that one takes another's away would go unseen.
    pub(crate) fn put(&mut self, layout: Layout, path: &str) -> Result<(), String> {
        let is_named = |other: &Layout| other.name == layout.name;
        if let Some((_, before)) = self.overlaid.iter().find(|(name, _)| *name == layout.name)
            && self.layouts.iter().any(|other| is_named(other) && !other.reads_as(&layout))
        {
            return Err(format!(
                "{before} declares another stamp that is named {}; give one of them a name of its own",
                layout.name
            ));
        }
        self.overlaid.push((layout.name.clone(), path.to_owned()));
        self.layouts.retain(|other| !is_named(other));
        self.layouts.push(layout);
        Ok(())
    }

    fn compile(self) -> Result<Formats, FormatError> {
        let drafts = self.formats.into_iter();
        let mut formats =
            drafts.map(|draft| draft.compile(&self.layouts)).collect::<Result<Vec<_>, _>>()?;
        formats.sort_by(|a, b| a.name.cmp(&b.name));
        let missing = |section: &str| FormatError {
            path: "formats".to_owned(),
            line: 0,
            what: format!("no format file has the section [{section}]; provisioning.toml should"),
        };
        let mut expected = self.expected;
        let values = self.expected_codes.iter().map(|code| self.codes.meaning(code).value);
        expected.codes.extend(values);
        Ok(Formats {
            formats,
            codes: self.codes,
            layouts: self.layouts,
            arguments: self.arguments.ok_or_else(|| missing("arguments"))?,
            agent_install: self.agent_install.ok_or_else(|| missing("actions"))?,
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_files_pass_the_checks_of_a_users() {
        let stamps = include_str!("../formats/stamps.toml");
        let codes = include_str!("../formats/codes.toml");
        // Under these names they are not taken for built-in ones, which are trusted.
        let loaded = Formats::load(("stamps.toml", stamps), ("codes.toml", codes), &FILES);
        assert_eq!(loaded.map(|formats| formats.formats.len()), Ok(FILES.len()));
        let wrong = include_str!("../formats/vulscan.toml").replace("'^Last status:'", "'^(Last'");
        let files = [("vulscan.toml", wrong.as_str())];
        let loaded = Formats::load(("stamps.toml", stamps), ("codes.toml", codes), &files);
        assert!(loaded.is_err_and(|error| error.what.contains("can't be read")));
    }

    #[test]
    fn an_overlay_takes_no_stamp_of_another() {
        let stamp = |day: &str| {
            format!(
                "schema = 1\n[[stamp]]\nname = 's'\nlayout = '{day} {{time}} '\n\
                 specimen = '03.04.2025 10:00:00 x'\nreads = '2025-04-03T10:00:00'\nmark = 'seen'\n"
            )
        };
        let (one, other) = (
            stamp("{day}.{month}.{year}"),
            stamp("{day}.{month}.{year}").replace("{time}", "{hour}:{minute}:{second}"),
        );
        assert!(Formats::with_overlays(&[("a.toml", &one), ("b.toml", &one)]).is_ok());
        let error = Formats::with_overlays(&[("a.toml", &one), ("b.toml", &other)]);
        let error = error.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("b.toml:3: a.toml declares another stamp"), "{error}");
    }
}
