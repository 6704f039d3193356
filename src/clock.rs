//! A device's clock: from local stamps to the times that are printed.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use provtrace_parsers::event::Event;
use provtrace_parsers::stamp::Stamp;

use crate::ingest::DeviceLogs;
use crate::pattern;
use crate::zones::{self, Zone, ZoneRule};

/// What is known of a device's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    zone: Option<Zone>,
}

impl Clock {
    /// The clock that a person gave for a device, else the one that its own logs describe.
    ///
    /// A standard offset alone is no zone: it says nothing of daylight saving, and a time that
    /// is wrong by an hour is worse than one without an offset.
    pub fn of_device(logs: &DeviceLogs, rules: &[ZoneRule]) -> Clock {
        if let Some(zone) = given(&logs.device, rules) {
            return Clock { zone: Some(zone) };
        }
        let mut zones = logs.sources.iter().flat_map(|log| &log.entries).filter_map(|entry| {
            let Event::TimeZone { offset_minutes, name } = &entry.event else { return None };
            zones::by_display_name(offset_minutes.unwrap_or(0), name)
        });
        Clock { zone: zones.next_back().map(Zone::Named) }
    }

    /// The zone's name, where it is known.
    pub fn zone_name(&self) -> Option<String> {
        self.zone.map(Zone::name)
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

    /// The instant of a local time.
    fn utc(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.zone? {
            Zone::Named(zone) => instant(&zone, local),
            Zone::Fixed(offset) => instant(&offset, local),
        }
    }

    /// The device's wall clock at an instant (milliseconds since 1970, UTC); `None` where the
    /// zone is not known.
    pub fn local(&self, utc_millis: i64) -> Option<Stamp> {
        let time = DateTime::from_timestamp_millis(utc_millis)?;
        let local = match self.zone? {
            Zone::Named(zone) => time.with_timezone(&zone).naive_local(),
            Zone::Fixed(offset) => time.with_timezone(&offset).naive_local(),
        };
        Some(Stamp(local.and_utc().timestamp_millis()))
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

/// The instant of a local time. In the hour that daylight saving repeats the first one is
/// taken; in the hour that it leaves out, the time is that of the clock before the change.
fn instant(zone: &impl TimeZone, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.to_utc()),
        LocalResult::None => {
            let before = local - chrono::Duration::hours(1);
            let time = zone.from_local_datetime(&before).earliest()?;
            Some(time.to_utc() + chrono::Duration::hours(1))
        }
    }
}

/// The zone that a person gave for a device: a rule with a pattern before one without, and of
/// each sort the last one.
fn given(device: &str, rules: &[ZoneRule]) -> Option<Zone> {
    let fits = |rule: &&ZoneRule| {
        rule.pattern.as_ref().is_some_and(|pattern| pattern::fits(pattern, device))
    };
    let general = || rules.iter().rfind(|rule| rule.pattern.is_none());
    rules.iter().rfind(fits).or_else(general).map(|rule| rule.zone)
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
        let name = "Amsterdam, Berlin, Bern, Rom, Stockholm, Wien";
        let clock = Clock { zone: zones::by_display_name(60, name).map(Zone::Named) };
        assert_eq!(clock.show(stamp("2025-03-24T12:00:00")), "2025-03-24T11:00:00Z");
        assert_eq!(clock.show(stamp("2025-07-24T12:00:00")), "2025-07-24T10:00:00Z");
        assert_eq!(clock.show(stamp("2025-03-30T02:30:00")), "2025-03-30T01:30:00Z");
    }

    #[test]
    fn a_given_zone_goes_before_the_logs() {
        let rules = ["Europe/Paris", "TYO-*=Asia/Tokyo", "tyo-7=+02:00"];
        let rules: Vec<ZoneRule> =
            rules.iter().map(|rule| zones::read_rule(rule).expect("a rule")).collect();
        let shown = |device: &str| {
            let logs = DeviceLogs { device: device.to_owned(), ..DeviceLogs::default() };
            Clock::of_device(&logs, &rules).show(stamp("2025-07-01T12:00:00"))
        };
        assert_eq!(shown("PAR-1"), "2025-07-01T10:00:00Z");
        assert_eq!(shown("site/TYO-1"), "2025-07-01T03:00:00Z");
        assert_eq!(shown("TYO-7"), "2025-07-01T10:00:00Z");
        assert!(Clock::of_device(&DeviceLogs::default(), &[]).zone_name().is_none());
    }

    #[test]
    fn instants_are_put_on_the_wall_clock() {
        let name = "Amsterdam, Berlin, Bern, Rom, Stockholm, Wien";
        let clock = Clock { zone: zones::by_display_name(60, name).map(Zone::Named) };
        for text in ["2025-03-24T12:00:00", "2025-07-24T12:00:00", "2025-10-26T02:30:00"] {
            assert_eq!(clock.local(clock.millis(stamp(text))), Some(stamp(text)), "{text}");
        }
        assert_eq!(Clock { zone: None }.local(0), None);
        assert_eq!(clock.local(i64::MAX), None);
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
