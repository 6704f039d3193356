//! A device's clock: from local stamps to the times that are printed.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use provtrace_parsers::event::Event;
use provtrace_parsers::stamp::Stamp;

use crate::ingest::DeviceLogs;

/// What is known of a device's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    zone: Option<Tz>,
}

/// A city that Windows names in a zone's display name, its standard offset, and the zone.
/// Only cities that stand in the names that `systeminfo` prints; other languages write many
/// of them alike.
const CITIES: [(&str, i32, Tz); 58] = [
    ("hawaii", -600, Tz::Pacific__Honolulu),
    ("alaska", -540, Tz::America__Anchorage),
    ("pacific time", -480, Tz::America__Los_Angeles),
    ("arizona", -420, Tz::America__Phoenix),
    ("mountain time", -420, Tz::America__Denver),
    ("central time", -360, Tz::America__Chicago),
    ("saskatchewan", -360, Tz::America__Regina),
    ("mexico city", -360, Tz::America__Mexico_City),
    ("eastern time", -300, Tz::America__New_York),
    ("bogota", -300, Tz::America__Bogota),
    ("atlantic time", -240, Tz::America__Halifax),
    ("santiago", -240, Tz::America__Santiago),
    ("newfoundland", -210, Tz::America__St_Johns),
    ("bras", -180, Tz::America__Sao_Paulo),
    ("buenos aires", -180, Tz::America__Argentina__Buenos_Aires),
    ("azores", -60, Tz::Atlantic__Azores),
    ("coordinated universal time", 0, Tz::UTC),
    ("dublin", 0, Tz::Europe__London),
    ("lisbon", 0, Tz::Europe__London),
    ("monrovia", 0, Tz::Atlantic__Reykjavik),
    ("casablanca", 60, Tz::Africa__Casablanca),
    ("berlin", 60, Tz::Europe__Berlin),
    ("amsterdam", 60, Tz::Europe__Berlin),
    ("madrid", 60, Tz::Europe__Paris),
    ("paris", 60, Tz::Europe__Paris),
    ("bratislava", 60, Tz::Europe__Budapest),
    ("budapest", 60, Tz::Europe__Budapest),
    ("sarajevo", 60, Tz::Europe__Warsaw),
    ("zagreb", 60, Tz::Europe__Warsaw),
    ("athens", 120, Tz::Europe__Athens),
    ("bucharest", 120, Tz::Europe__Bucharest),
    ("helsinki", 120, Tz::Europe__Kiev),
    ("sofia", 120, Tz::Europe__Kiev),
    ("jerusalem", 120, Tz::Asia__Jerusalem),
    ("cairo", 120, Tz::Africa__Cairo),
    ("pretoria", 120, Tz::Africa__Johannesburg),
    ("istanbul", 180, Tz::Europe__Istanbul),
    ("moscow", 180, Tz::Europe__Moscow),
    ("riyadh", 180, Tz::Asia__Riyadh),
    ("nairobi", 180, Tz::Africa__Nairobi),
    ("tehran", 210, Tz::Asia__Tehran),
    ("abu dhabi", 240, Tz::Asia__Dubai),
    ("kabul", 270, Tz::Asia__Kabul),
    ("karachi", 300, Tz::Asia__Karachi),
    ("islamabad", 300, Tz::Asia__Karachi),
    ("new delhi", 330, Tz::Asia__Kolkata),
    ("kathmandu", 345, Tz::Asia__Kathmandu),
    ("dhaka", 360, Tz::Asia__Dhaka),
    ("bangkok", 420, Tz::Asia__Bangkok),
    ("beijing", 480, Tz::Asia__Shanghai),
    ("singapore", 480, Tz::Asia__Singapore),
    ("perth", 480, Tz::Australia__Perth),
    ("tokyo", 540, Tz::Asia__Tokyo),
    ("seoul", 540, Tz::Asia__Seoul),
    ("adelaide", 570, Tz::Australia__Adelaide),
    ("brisbane", 600, Tz::Australia__Brisbane),
    ("sydney", 600, Tz::Australia__Sydney),
    ("auckland", 720, Tz::Pacific__Auckland),
];

impl Clock {
    /// The clock that a device's own logs describe.
    ///
    /// A standard offset alone is no zone: it says nothing of daylight saving, and a time that
    /// is wrong by an hour is worse than one without an offset.
    pub fn of_device(logs: &DeviceLogs) -> Clock {
        let mut zones = logs.sources.iter().flat_map(|log| &log.entries).filter_map(|entry| {
            let Event::TimeZone { offset_minutes, name } = &entry.event else { return None };
            zone_named(offset_minutes.unwrap_or(0), name)
        });
        Clock { zone: zones.next_back() }
    }

    /// Whether the zone is known.
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// RFC 3339: UTC with `Z` where the zone is known, else local time without an offset.
    pub fn show(&self, stamp: Stamp) -> String {
        let Some(local) = naive(stamp) else { return String::new() };
        match self.utc(local) {
            Some(utc) => format_time(utc.naive_utc(), "Z"),
            None => format_time(local, ""),
        }
    }

    /// The time that [`Clock::show`] prints, as milliseconds since 1970.
    pub fn millis(&self, stamp: Stamp) -> i64 {
        let utc = naive(stamp).and_then(|local| self.utc(local));
        utc.map_or(stamp.0, |utc| utc.timestamp_millis())
    }

    /// Local date and time for people, to the second.
    pub fn show_local(stamp: Stamp) -> String {
        naive(stamp).map_or_else(String::new, |local| local.format("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// Local time of day for people.
    pub fn show_time(stamp: Stamp) -> String {
        naive(stamp).map_or_else(String::new, |local| local.format("%H:%M:%S").to_string())
    }

    /// The instant of a local time. In the hour that daylight saving repeats the first one is
    /// taken; in the hour that it leaves out, the time is that of the clock before the change.
    fn utc(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let zone = self.zone?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.to_utc()),
            LocalResult::None => {
                let before = local - chrono::Duration::hours(1);
                let time = zone.from_local_datetime(&before).earliest()?;
                Some(time.to_utc() + chrono::Duration::hours(1))
            }
        }
    }

    /// Whether `stamp` lies in a window that a person gave.
    pub fn is_in(&self, stamp: Stamp, window: &Window) -> bool {
        let at_or_after = |bound: &Bound| match (bound, naive(stamp)) {
            (Bound::Local(bound), Some(local)) => local >= *bound,
            (Bound::Utc(bound), Some(local)) => {
                self.utc(local).unwrap_or_else(|| local.and_utc()) >= *bound
            }
            (Bound::Local(_) | Bound::Utc(_), None) => true,
        };
        window.since.as_ref().is_none_or(at_or_after)
            && !window.until.as_ref().is_some_and(at_or_after)
    }
}

fn naive(stamp: Stamp) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(stamp.0).map(|time| time.naive_utc())
}

fn format_time(time: NaiveDateTime, suffix: &str) -> String {
    let millis = time.and_utc().timestamp_subsec_millis();
    let format = if millis == 0 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.3f" };
    format!("{}{suffix}", time.format(format))
}

/// A zone by its display name: one of its cities, and the offset to be sure.
fn zone_named(offset_minutes: i32, name: &str) -> Option<Tz> {
    let name = name.to_lowercase();
    CITIES
        .iter()
        .find(|(city, offset, _)| *offset == offset_minutes && name.contains(city))
        .map(|(_, _, zone)| *zone)
}

/// One bound of a window: in each device's own time, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Written without an offset: each device's own clock.
    Local(NaiveDateTime),
    /// Written with an offset or `Z`.
    Utc(DateTime<Utc>),
}

/// A window of time: from `since`, before `until`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// First moment.
    pub since: Option<Bound>,
    /// First moment that is outside.
    pub until: Option<Bound>,
}

impl Window {
    /// Whether no moment can lie in it.
    pub fn is_empty(&self) -> bool {
        match (self.since, self.until) {
            (Some(Bound::Local(since)), Some(Bound::Local(until))) => since >= until,
            (Some(Bound::Utc(since)), Some(Bound::Utc(until))) => since >= until,
            (Some(_) | None, Some(_) | None) => false,
        }
    }
}

/// Reads `2025-03-24`, `2025-03-24T10:00[:00]`, the latter also with `Z`, or RFC 3339.
///
/// # Errors
/// Says what can be written.
pub fn read_bound(text: &str) -> Result<Bound, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Bound::Utc(time.to_utc()));
    }
    let spaced = text.replace(' ', "T");
    if let Some(utc) = spaced.strip_suffix(['Z', 'z'])
        && let Ok(time) = NaiveDateTime::parse_from_str(utc, "%Y-%m-%dT%H:%M")
    {
        return Ok(Bound::Utc(time.and_utc()));
    }
    for format in ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(&spaced, format) {
            return Ok(Bound::Local(time));
        }
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map(|date| Bound::Local(date.and_time(chrono::NaiveTime::MIN)))
        .map_err(|_| {
            "write 2025-03-24, 2025-03-24T10:00 (each device's own time) or 2025-03-24T10:00Z"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        let time: NaiveDateTime = text.parse().expect("a time");
        Stamp(time.and_utc().timestamp_millis())
    }

    #[test]
    fn zones_have_daylight_saving() {
        let clock = Clock { zone: zone_named(60, "Amsterdam, Berlin, Bern, Rom, Stockholm, Wien") };
        assert_eq!(clock.show(stamp("2025-03-24T12:00:00")), "2025-03-24T11:00:00Z");
        assert_eq!(clock.show(stamp("2025-07-24T12:00:00")), "2025-07-24T10:00:00Z");
        assert_eq!(clock.show(stamp("2025-03-30T02:30:00")), "2025-03-30T01:30:00Z");
        assert_eq!(zone_named(0, "Berlin"), None);
    }

    #[test]
    fn windows_without_offset_are_local() {
        let clock = Clock { zone: None };
        let window =
            Window { since: read_bound("2025-03-24").ok(), until: read_bound("2025-03-25").ok() };
        assert!(clock.is_in(stamp("2025-03-24T00:00:00"), &window));
        assert!(!clock.is_in(stamp("2025-03-25T00:00:00"), &window));
        assert!(read_bound("yesterday").is_err());
    }
}
