//! A device's clock: from local stamps to instants, and to the times that are printed.
//!
//! An *instant* is a [`Stamp`] in UTC where the device's zone is known, else on its own wall
//! clock; `axis.rs` turns every stamp of a device into one.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeZone, Utc};
use provtrace_parsers::event::Event;
use provtrace_parsers::stamp::Stamp;

use crate::logs::DeviceLogs;
use crate::pattern;
use crate::zones::{self, Zone, ZoneRule};

const DAY: i64 = 86_400_000;

/// The instants of local times of which many are of one day: where its first and its last moment have one
/// offset, all between have it, since no zone changes twice in a day and back.
#[derive(Debug)]
pub struct Instants<'c> {
    clock: &'c Clock,
    /// The last day, and how far its times are ahead of their instants, if that is one.
    day: Cell<Option<(i64, Option<i64>)>>,
}

impl<'c> Instants<'c> {
    /// Those of a clock.
    pub fn of(clock: &'c Clock) -> Instants<'c> {
        Instants { clock, day: Cell::new(None) }
    }

    /// See [`Clock::instant`].
    pub fn instant(&self, logged: Stamp, second: bool) -> Stamp {
        let day = logged.0.div_euclid(DAY);
        let known = self.day.get().filter(|(known, _)| *known == day);
        let ahead = known.map_or_else(|| self.ahead(day), |(_, ahead)| ahead);
        self.day.set(Some((day, ahead)));
        ahead.map_or_else(
            || self.clock.instant(logged, second),
            |ahead| Stamp(logged.0.saturating_sub(ahead)),
        )
    }

    fn ahead(&self, day: i64) -> Option<i64> {
        let begin = day.checked_mul(DAY)?;
        let ahead = |at: Stamp, second| at.0.saturating_sub(self.clock.instant(at, second).0);
        let first = ahead(Stamp(begin), false);
        (first == ahead(Stamp(begin.checked_add(DAY - 1)?), true)).then_some(first)
    }
}

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

    /// Whether the zone is known.
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// The instant of a local time. In the hour that daylight saving repeats it is the second
    /// one if `second`; in the hour that it leaves out, that of the clock before the change.
    pub fn instant(&self, logged: Stamp, second: bool) -> Stamp {
        let utc = naive(logged).and_then(|local| self.utc(local, second));
        utc.map_or(logged, |utc| Stamp(utc.timestamp_millis()))
    }

    /// The wall clock at an instant.
    pub fn local(&self, instant: Stamp) -> Stamp {
        let local = DateTime::from_timestamp_millis(instant.0).zip(self.zone).map(
            |(time, zone)| match zone {
                Zone::Named(zone) => time.with_timezone(&zone).naive_local(),
                Zone::Fixed(offset) => time.with_timezone(&offset).naive_local(),
            },
        );
        local.map_or(instant, |local| Stamp(local.and_utc().timestamp_millis()))
    }

    /// The wall clock's change at the end of daylight saving, if the local day (days since 1970)
    /// has one: what it shows before and after the change.
    pub fn repeated_hour(&self, day: i64) -> Option<(Stamp, Stamp)> {
        let next = day.checked_add(1)?.checked_mul(DAY)?;
        let mut before = self.instant(Stamp(next - DAY), false);
        let mut after = self.instant(Stamp(next), true);
        let offset = |instant: Stamp| self.local(instant).0 - instant.0;
        let (summer, winter) = (offset(before), offset(after));
        if winter >= summer {
            return None;
        }
        while after.0 - before.0 > 1000 {
            let middle = Stamp(before.0.midpoint(after.0) / 1000 * 1000);
            if offset(middle) == summer { before = middle } else { after = middle }
        }
        Some((Stamp(after.0 + summer), Stamp(after.0 + winter)))
    }

    /// How far the device's clock is ahead of the zone that Windows PE is made for, in seconds, at
    /// a local time of Windows PE; `None` where the zone is not known.
    pub fn ahead_of_windows_pe(&self, pe_local: Stamp) -> Option<i64> {
        let pe = Clock { zone: Some(Zone::Named(zones::WINDOWS_PE)) };
        self.zone?;
        Some(self.local(pe.instant(pe_local, false)).seconds_since(pe_local))
    }

    /// RFC 3339: UTC with `Z` where the zone is known, else local time without an offset.
    pub fn show(&self, instant: Stamp) -> String {
        let suffix = if self.has_zone() { "Z" } else { "" };
        naive(instant).map_or_else(String::new, |time| format_time(time, suffix))
    }

    fn utc(&self, local: NaiveDateTime, second: bool) -> Option<DateTime<Utc>> {
        match self.zone? {
            Zone::Named(zone) => instant(&zone, local, second),
            Zone::Fixed(offset) => instant(&offset, local, second),
        }
    }

    /// Whether an instant lies in a window that a person gave.
    pub fn is_in(&self, at: Stamp, window: &Window) -> bool {
        let at_or_after = |bound: &Bound| {
            let (time, bound) = match bound {
                Bound::Local(bound) => (self.local(at), bound.and_utc()),
                Bound::Utc(bound) => (at, *bound),
            };
            time.0 >= bound.timestamp_millis()
        };
        window.since.as_ref().is_none_or(at_or_after)
            && !window.until.as_ref().is_some_and(at_or_after)
    }
}

/// A stamp as its log shows it: date and time, to the second.
pub fn date_and_time(stamp: Stamp) -> String {
    naive(stamp).map_or_else(String::new, |local| local.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A stamp as its log shows it, by RFC 3339 without an offset.
pub fn logged(stamp: Stamp) -> String {
    naive(stamp).map_or_else(String::new, |local| format_time(local, ""))
}

/// A time as [`Clock::show`] prints it: milliseconds, and whether they are UTC.
pub fn read_shown(text: &str) -> Option<(i64, bool)> {
    let (local, utc) = text.strip_suffix('Z').map_or((text, false), |local| (local, true));
    let time: NaiveDateTime = local.parse().ok()?;
    Some((time.and_utc().timestamp_millis(), utc))
}

/// An instant in UTC, by RFC 3339.
pub fn show_utc(instant: Stamp) -> String {
    naive(instant).map_or_else(String::new, |time| format_time(time, "Z"))
}

/// This moment, in whole seconds.
pub fn now() -> Stamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Stamp(i64::try_from(now).unwrap_or(0).saturating_mul(1000))
}

/// Minutes from `earlier` to `later`.
pub fn minutes(later: Stamp, earlier: Stamp) -> f64 {
    // Stamps of logs lie within some thousand years: exact in an f64.
    (later.0 - earlier.0) as f64 / 60_000.0
}

fn naive(stamp: Stamp) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(stamp.0).map(|time| time.naive_utc())
}

fn format_time(time: NaiveDateTime, suffix: &str) -> String {
    let millis = time.and_utc().timestamp_subsec_millis();
    let format = if millis == 0 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.3f" };
    format!("{}{suffix}", time.format(format))
}

fn instant(zone: &impl TimeZone, local: NaiveDateTime, second: bool) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) => Some(time.to_utc()),
        LocalResult::Ambiguous(first, last) => Some(if second { last } else { first }.to_utc()),
        LocalResult::None => {
            let before = local - chrono::Duration::hours(1);
            let time = zone.from_local_datetime(&before).earliest()?;
            Some(time.to_utc() + chrono::Duration::hours(1))
        }
    }
}

/// The zone that a person gave for a device: a rule with a pattern before one without, and of
/// each sort the last one.
pub fn given(device: &str, rules: &[ZoneRule]) -> Option<Zone> {
    let fits = |rule: &&ZoneRule| {
        rule.pattern.as_ref().is_some_and(|pattern| pattern::fits(pattern, device))
    };
    let general = || rules.iter().rfind(|rule| rule.pattern.is_none());
    rules.iter().rfind(fits).or_else(general).map(|rule| rule.zone)
}

impl std::fmt::Display for Bound {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::Local(time) => out.write_str(&format_time(*time, "")),
            Bound::Utc(time) => out.write_str(&format_time(time.naive_utc(), "Z")),
        }
    }
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
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn stamp(text: &str) -> Stamp {
        let time: NaiveDateTime = text.parse().expect("a time");
        Stamp(time.and_utc().timestamp_millis())
    }

    #[test]
    fn zones_have_daylight_saving() {
        let name = "Amsterdam, Berlin, Bern, Rom, Stockholm, Wien";
        let clock = Clock { zone: zones::by_display_name(60, name).map(Zone::Named) };
        let shown = |text| clock.show(clock.instant(stamp(text), false));
        assert_eq!(shown("2025-03-24T12:00:00"), "2025-03-24T11:00:00Z");
        assert_eq!(shown("2025-07-24T12:00:00"), "2025-07-24T10:00:00Z");
        assert_eq!(shown("2025-03-30T02:30:00"), "2025-03-30T01:30:00Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// Near the changes of each zone, and anywhere.
        #[test]
        fn what_is_looked_up_once_a_day_is_what_each_time_gives(
            zone in select(&chrono_tz::TZ_VARIANTS[..]),
            at in 788_918_400_000_i64..3_786_912_000_000,
            near in proptest::collection::vec(-3 * DAY..3 * DAY, 8),
        ) {
            let clock = Clock { zone: Some(Zone::Named(zone)) };
            let ahead = |at: i64| clock.local(Stamp(at)).0 - at;
            // A change within the half year behind it, if there is one.
            let (mut from, mut to) = (at, at + 183 * DAY);
            while ahead(from) != ahead(to) && to - from > 1 {
                let middle = from.midpoint(to);
                if ahead(middle) == ahead(from) { from = middle } else { to = middle }
            }
            let instants = Instants::of(&clock);
            for near in near {
                for second in [false, true] {
                    let logged = Stamp(to + near);
                    prop_assert_eq!(
                        instants.instant(logged, second),
                        clock.instant(logged, second),
                        "{} at {}", zone, logged.0
                    );
                }
            }
        }
    }

    #[test]
    fn a_given_zone_goes_before_the_logs() {
        let rules = ["Europe/Paris", "TYO-*=Asia/Tokyo", "tyo-7=+02:00"];
        let rules: Vec<ZoneRule> =
            rules.iter().map(|rule| zones::read_rule(rule).expect("a rule")).collect();
        let shown = |device: &str| {
            let logs = DeviceLogs { device: device.to_owned(), ..DeviceLogs::default() };
            let clock = Clock::of_device(&logs, &rules);
            clock.show(clock.instant(stamp("2025-07-01T12:00:00"), false))
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
            for second in [false, true] {
                let instant = clock.instant(stamp(text), second);
                assert_eq!(clock.local(instant), stamp(text), "{text}");
            }
        }
        assert_eq!(Clock { zone: None }.local(Stamp(7)), Stamp(7));
        assert_eq!(clock.local(Stamp(i64::MAX)), Stamp(i64::MAX));
    }

    #[test]
    fn the_hour_that_is_repeated_is_known() {
        let name = "Amsterdam, Berlin, Bern, Rom, Stockholm, Wien";
        let clock = Clock { zone: zones::by_display_name(60, name).map(Zone::Named) };
        let day = |text: &str| stamp(&format!("{text}T00:00:00")).0 / DAY;
        let hour = (stamp("2025-10-26T03:00:00"), stamp("2025-10-26T02:00:00"));
        assert_eq!(clock.repeated_hour(day("2025-10-26")), Some(hour));
        assert_eq!(clock.repeated_hour(day("2025-10-25")), None);
        assert_eq!(clock.repeated_hour(day("2025-03-30")), None);
        assert_eq!(clock.repeated_hour(i64::MAX), None);
        let twice = stamp("2025-10-26T02:30:00");
        assert_eq!(clock.show(clock.instant(twice, false)), "2025-10-26T00:30:00Z");
        assert_eq!(clock.show(clock.instant(twice, true)), "2025-10-26T01:30:00Z");
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
