//! What an analysis was asked for, as the store keeps it: a later report asks for the same.

use provtrace_parsers::format::{Expected, Formats};
use provtrace_parsers::text::read_code_page;
use serde::{Deserialize, Serialize};

use crate::clock::Window;
use crate::fingerprint::Mixture;
use crate::overlays::{self, Overlay};
use crate::store::pack;
use crate::story::{Kept, Request};
use crate::tasks::Tasks;
use crate::zones::read_rule;

/// Stands for how logs are read and told: to be raised where the same logs would be read or told
/// otherwise than by an earlier version, so that stores are brought up to date.
const EDITION: u32 = 2;

/// What an analysis was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Overlays: name and text.
    overlays: Vec<(String, String)>,
    code_page: String,
    tasks: Tasks,
    tasks_from: Option<String>,
    /// As a person would type them.
    zones: Vec<String>,
    expected_steps: Vec<String>,
    expected_codes: Vec<u32>,
    ignores: bool,
}

impl Settings {
    /// Of a request, which was made of these overlays.
    pub fn of(request: &Request, overlays: &[Overlay]) -> Settings {
        let page = request.formats.formats.first().map(|format| format.code_page.name());
        let Expected { steps, codes } = &request.formats.expected;
        Settings {
            overlays: overlays.iter().map(|own| (own.shown.clone(), own.text.clone())).collect(),
            code_page: page.unwrap_or_default().to_owned(),
            tasks: request.tasks.clone(),
            tasks_from: request.tasks_from.as_ref().map(|path| crate::paths::slashed(path)),
            zones: request.zones.iter().map(|rule| rule.typed()).collect(),
            expected_steps: steps.clone(),
            expected_codes: codes.clone(),
            ignores: request.ignores,
        }
    }

    /// The request that they were made of, for another time.
    ///
    /// # Errors
    /// If they were made by another version, in whose words this one can't ask.
    pub fn request(&self, window: Window, kept: Kept) -> Result<Request, String> {
        let overlays: Vec<Overlay> = self
            .overlays
            .iter()
            .map(|(shown, text)| Overlay { shown: shown.clone(), text: text.clone() })
            .collect();
        let mut formats = overlays::load(&overlays)?;
        if !self.code_page.is_empty() {
            formats.read_with(read_code_page(&self.code_page)?);
        }
        formats.expected =
            Expected { steps: self.expected_steps.clone(), codes: self.expected_codes.clone() };
        let zones = self.zones.iter().map(|zone| read_rule(zone)).collect::<Result<_, _>>()?;
        Ok(Request {
            formats,
            overlays: overlays.into_iter().map(|own| own.shown).collect(),
            tasks: self.tasks.clone(),
            tasks_from: self.tasks_from.as_ref().map(Into::into),
            zones,
            window,
            kept,
            ignores: self.ignores,
            split: None,
        })
    }

    /// Stands for how logs are read: other than this, they are read again.
    pub fn reading(&self) -> u64 {
        let mut mixture = Mixture::default();
        mixture.put(&EDITION.to_le_bytes());
        Formats::texts().for_each(|text| mixture.put(text.as_bytes()));
        self.overlays.iter().for_each(|(_, text)| mixture.put(text.as_bytes()));
        mixture.put(self.code_page.as_bytes());
        mixture.hash()
    }

    /// Stands for how their story is told, too.
    pub fn telling(&self) -> u64 {
        let mut mixture = Mixture::default();
        mixture.put(&self.reading().to_le_bytes());
        mixture.put(env!("CARGO_PKG_VERSION").as_bytes());
        mixture.put(&pack(self));
        mixture.hash()
    }
}
