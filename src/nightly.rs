//! `nightly`: what is new on a share since the last run → the store, and what there is to tell of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::{Batch, Done, Now, Told, hung};
use crate::belonging::{self, listed};
use crate::cli::{NewsCondition, NightlyArgs};
use crate::clock::{self, Window, show_utc};
use crate::delivery;
use crate::digest::{self, Frame, Outlook, Work};
use crate::discover::{Device, Share};
use crate::facts;
use crate::failure::Failure;
use crate::history;
use crate::intake::{self, FOUND, tell_skipped};
use crate::memory::Peak;
use crate::news::{News, Night};
use crate::overlays;
use crate::progress::Progress;
use crate::report::outlet;
use crate::settings::Settings;
use crate::sighting::Sightings;
use crate::store::{DeviceRow, NightRow, Store, pack, unpack};
use crate::story::{Kept, Request};
use crate::walk::{Moment, Skipped};
use crate::watch;
use crate::webhook::Address;

/// `nightly`: the stages, one call each.
///
/// # Errors
/// If nothing could be read, or the store can't be used; what was done until then is kept.
pub fn nightly(args: &NightlyArgs) -> Result<u8, Failure> {
    let outlets = outlet::outlets(&args.output, args.format).map_err(Failure::Asked)?;
    delivery::need_folders(&outlets)?;
    let webhook = Address::asked(args.webhook.as_deref(), args.webhook_file.as_deref());
    let webhook = webhook.map_err(Failure::Asked)?;
    let (request, settings) = asked(args)?;
    let mut run = Run::begin(args).map_err(Failure::Asked)?;
    let share = Arc::new(run.find(args, &request, &settings)?);
    let files = outlets.iter().filter_map(|outlet| outlet.path.as_ref());
    delivery::refuse(files.chain(&args.metrics), &share, &args.store)?;
    run.read(args, &share, request, &settings).map_err(Failure::Asked)?;
    let there: BTreeSet<String> = share.devices.iter().map(|own| own.name.clone()).collect();
    let listed = listed(&share);
    // From here on only the store is needed.
    drop(share);
    let (news, ending) = run.tell(args, &there, &listed, &settings).map_err(Failure::Asked)?;
    let written = delivery::write(&outlets, &news, &listed);
    if let Some(path) = &args.metrics {
        delivery::measure(path, &news, &listed);
    }
    if let Some(address) = webhook {
        delivery::post(&address, &news);
    }
    written?;
    // Only now nobody has to be told again.
    run.end(ending, &news).map_err(Failure::Asked)?;
    tell_skipped(&news.skipped);
    let failed = args.fail_on.iter().any(|condition| holds(*condition, &news));
    Ok(intake::status(&args.input, &news.skipped, if failed { FOUND } else { 0 }))
}

fn holds(condition: NewsCondition, news: &News) -> bool {
    match condition {
        NewsCondition::New => !news.new.is_empty(),
        NewsCondition::Worse => news.is_worse(),
        NewsCondition::Any => news.is_any(),
    }
}

/// What is asked for, and the same as it is kept.
fn asked(args: &NightlyArgs) -> Result<(Request, Settings), Failure> {
    if !args.input.device.is_empty() {
        return Err(Failure::Asked(
            "--device: a store knows all devices of its shares; give the folders of those that you want".to_owned(),
        ));
    }
    let mut request = intake::request(&args.input, args.tasks.as_deref(), Window::default())?;
    intake::expect(&args.expected, &mut request)?;
    request.kept = Kept::Everything;
    let overlays = overlays::in_force(&args.input.formats).map_err(Failure::Asked)?;
    let settings = Settings::of(&request, &overlays);
    Ok((request, settings))
}

/// What is put down when everything was told: a run that is broken off before tells it again.
struct Ending {
    night: NightRow,
    told: Option<Outlook>,
    /// Devices of the store that are not on the share.
    missing: BTreeSet<String>,
}

/// A run of the batch.
struct Run {
    store: Store,
    night: NightRow,
    work: Work,
    /// When the last run began that was done.
    since: Option<String>,
    began: Instant,
    peak: Arc<Peak>,
    /// The devices of the store before this run.
    rows: BTreeMap<String, DeviceRow>,
    /// What could not be listed or hung.
    skipped: BTreeSet<Skipped>,
    /// What of the share is not opened again.
    unchanged: u64,
    bytes_found: u64,
    /// When the share was listed.
    listed: Moment,
}

impl Run {
    /// Opens the store, and begins a run, or goes on with one that was broken off.
    fn begin(args: &NightlyArgs) -> Result<Run, String> {
        let began = Instant::now();
        let store = Store::write(&args.store)?;
        let nights = store.nights(2)?;
        let open = nights.first().filter(|night| night.ended.is_none());
        let mut work = Work::default();
        if let Some(open) = open {
            work = unpack(&open.work).map_err(|why| store.says("the last run", &why))?;
            work.resumed = true;
        }
        let number = nights.first().map_or(1, |last| last.number + u64::from(open.is_none()));
        let since = nights.iter().find(|night| night.ended.is_some());
        let since = since.map(|night| night.began.clone());
        let now = show_utc(clock::now());
        let night = NightRow {
            number,
            began: open.map_or(now, |open| open.began.clone()),
            ended: None,
            work: pack(&work),
        };
        let rows = store.devices()?;
        let peak = Arc::new(Peak::default());
        let skipped = BTreeSet::new();
        Ok(Run {
            store,
            night,
            work,
            since,
            began,
            peak,
            rows,
            skipped,
            unchanged: 0,
            bytes_found: 0,
            listed: Moment::default(),
        })
    }

    /// All that lies on the share; what is known is not opened.
    fn find(
        &mut self,
        args: &NightlyArgs,
        request: &Request,
        settings: &Settings,
    ) -> Result<Share, Failure> {
        let progress = Progress::of_listing(args.no_progress);
        let packed = self.store.sightings().map_err(Failure::Asked)?;
        let seen =
            packed.iter().filter_map(|(path, seen)| Some((path.clone(), unpack(seen).ok()?)));
        // What a file is by its contents depends on what is known of formats.
        let reading = settings.reading();
        let same = self.store.fact("sightings").map_err(Failure::Asked)? == Some(reading);
        let sightings = Sightings::kept(if same { seen.collect() } else { BTreeMap::new() });
        self.listed = sightings.listed;
        let limit = Some(Duration::from_secs(args.file_timeout));
        let share = intake::find_kept(&args.input, request, &sightings, limit)?;
        progress.finish();
        self.peak.look();
        let fresh: BTreeMap<String, Vec<u8>> =
            sightings.into_fresh().iter().map(|(path, seen)| (path.clone(), pack(seen))).collect();
        if fresh != packed {
            self.store.set_sightings(&fresh).map_err(Failure::Asked)?;
        }
        self.store.set_fact("sightings", &reading).map_err(Failure::Asked)?;
        self.bytes_found = share.devices.iter().map(Device::bytes).sum();
        self.skipped.extend(share.skipped.iter().cloned());
        if share.devices.is_empty() {
            tell_skipped(&share.skipped);
            return Err(delivery::nothing_there(&share, self.rows.len()));
        }
        Ok(share)
    }

    /// Reads what is new of the devices that something new came of.
    fn read(
        &mut self,
        args: &NightlyArgs,
        share: &Arc<Share>,
        request: Request,
        settings: &Settings,
    ) -> Result<(), String> {
        // Not before: of a share that is not there nothing is told otherwise, and no run is begun.
        self.store.set_night(&self.night)?;
        self.store.set_fact("settings", settings)?;
        let keys = (settings.reading(), settings.telling());
        let changes = belonging::changes(&self.store, &self.rows, share, &request, keys)?;
        self.unchanged = changes.unchanged;
        let there = changes.changed.iter().filter_map(|own| share.devices.get(own.number));
        let (bytes, count) = (there.map(Device::bytes).sum(), changes.changed.len());
        let progress = Arc::new(Progress::of_batch(bytes, count as u64, args.no_progress));
        let began = show_utc(clock::now());
        let day = began.get(..10).unwrap_or_default();
        let label = format!("{day}, run {}", self.night.number);
        let now = Now { listed: self.listed, label, began };
        let batch = Arc::new(Batch::new(
            request,
            keys,
            now,
            (Arc::clone(share), changes),
            &self.store.folder,
        ));
        let work = {
            let (batch, progress, peak) =
                (Arc::clone(&batch), Arc::clone(&progress), Arc::clone(&self.peak));
            move |at: usize, pulse: &watch::Pulse| {
                let done = batch.device(at, pulse, &|bytes| progress.read(bytes));
                progress.device_done();
                peak.look();
                done
            }
        };
        let threads = intake::threads(args.threads);
        let limit = Duration::from_secs(args.file_timeout);
        let mut failed = Ok(());
        watch::each(count, threads, limit, Arc::new(work), |at, done| {
            let kept = match done {
                Ok(Ok(done)) => self.keep(done),
                Ok(Err(why)) => Err(why),
                Err(watch::Hung { part }) => {
                    self.skipped.insert(hung(batch.found(at), part, limit.as_secs()));
                    Ok(())
                }
            };
            failed = kept;
            failed.is_ok()
        });
        progress.finish();
        if failed.is_err() {
            self.store.roll_back();
        }
        failed?;
        self.keep_work()?;
        self.store.commit()
    }

    /// Keeps what was made of a device.
    fn keep(&mut self, done: Done) -> Result<(), String> {
        let Done { mut saved, report, before, files, bytes, is_new, absorbed } = done;
        for name in absorbed {
            self.store.rename(&name, &saved.name)?;
        }
        history::record(&mut self.store, &saved.name, &report.incidents, self.night.number)?;
        let known: BTreeMap<&str, u64> = before
            .iter()
            .flat_map(|told| &told.firsts)
            .map(|(began, night)| (began.as_str(), *night))
            .collect();
        let runs = report.runs.iter().map(|run| run.began.clone());
        let first = |began: String| {
            let night = known.get(began.as_str()).copied().unwrap_or(self.night.number);
            (began, night)
        };
        let firsts = runs.map(first).collect();
        self.work.add(&report, before.as_ref().map(|told| &told.report));
        self.work.devices_changed += u64::from(is_new);
        self.work.bytes_read += bytes;
        self.work.files.add(&files);
        saved.report = pack(&Told { report, firsts });
        self.store.save(&saved)?;
        if self.store.is_full() {
            self.keep_work()?;
            self.store.commit()?;
        }
        Ok(())
    }

    /// Puts down what was done so far.
    fn keep_work(&mut self) -> Result<(), String> {
        self.night.work = pack(&self.work);
        self.store.set_night(&self.night)
    }

    /// What there is to tell; puts the facts in order.
    fn tell(
        &mut self,
        args: &NightlyArgs,
        there: &BTreeSet<String>,
        share: &Share,
        settings: &Settings,
    ) -> Result<(News, Ending), String> {
        let devices = self.store.devices()?;
        let silent = delivery::silent(&devices, args.silent_after, there);
        self.keep_share(share)?;
        let mut told = None;
        let outlook: Option<Outlook> = self.store.fact("outlook")?;
        let known = devices.into_keys();
        let missing: BTreeSet<String> = known.filter(|device| !there.contains(device)).collect();
        let before: BTreeSet<String> = self.store.fact("missing")?.unwrap_or_default();
        let vanished = delivery::vanished(missing.difference(&before), there.len());
        facts::mend(&mut self.store)?;
        let is_quiet = self.work.devices_changed == 0 && self.store.stale()?.is_empty();
        let frame = |run: &Run| Frame {
            run: run.night(),
            silent,
            skipped: run.skipped.union(&run.work.skipped).cloned().collect(),
        };
        let mut news = match outlook {
            Some(outlook) if is_quiet && !self.work.resumed => digest::quiet(frame(self), outlook),
            outlook => {
                let request = settings.request(Window::default(), Kept::Nothing)?;
                let Outlook { names: before, warnings, .. } = outlook.unwrap_or_default();
                let work = (&self.work, &*warnings);
                let all = digest::news(&self.store, frame(self), work, share, &request)?;
                let (news, now, incidents) = all;
                for (device, names) in &now.names {
                    if before.get(device).is_some_and(|before| before != names) {
                        self.store.set_stale(device)?;
                    }
                }
                self.peak.look();
                facts::refresh(&mut self.store, &incidents, &now.names)?;
                told = Some(now);
                news
            }
        };
        self.store.commit()?;
        news.run = self.night();
        news.warnings.extend(vanished);
        let ended = Some(news.run.ended.clone());
        Ok((news, Ending { night: NightRow { ended, ..self.night.clone() }, told, missing }))
    }

    /// Everything was told.
    fn end(&mut self, ending: Ending, news: &News) -> Result<(), String> {
        for silent in &news.silent {
            self.store.set_told_silent(&silent.device)?;
        }
        if let Some(told) = &ending.told {
            self.store.set_fact("outlook", told)?;
        }
        self.store.set_fact("missing", &ending.missing)?;
        self.store.set_night(&ending.night)?;
        self.store.commit()
    }

    /// What reports say of the share, beside its devices.
    fn keep_share(&mut self, share: &Share) -> Result<(), String> {
        let Share { skipped, unrecognised, like_agents, other_files, .. } = share;
        self.store.set_fact("share", &(skipped, unrecognised, like_agents, other_files))
    }

    fn night(&self) -> Night {
        self.peak.look();
        let mut files = self.work.files;
        files.unchanged += self.unchanged;
        files.skipped = (self.skipped.len() + self.work.skipped.len()) as u64;
        Night {
            number: self.night.number,
            began: self.night.began.clone(),
            ended: show_utc(clock::now()),
            seconds: (self.began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            since: self.since.clone(),
            resumed: self.work.resumed,
            devices_changed: self.work.devices_changed,
            files,
            bytes_read: self.work.bytes_read,
            bytes_found: self.bytes_found,
            peak_memory: self.peak.bytes(),
        }
    }
}
