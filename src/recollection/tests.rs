//! Logs that grow are read as if they had been whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// All logs of the samples, some together long enough to be resumed.
fn logs() -> Vec<(String, Vec<u8>)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
    let mut logs: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.expect("a sample");
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().is_file() || !name.ends_with(".log") {
            continue;
        }
        let bytes = fs::read(entry.path()).expect("read");
        let same = logs.iter_mut().find(|(other, log)| *other == name && log.len() < 60_000);
        match same {
            Some((_, log)) => log.extend(bytes),
            None => logs.push((name, bytes)),
        }
    }
    logs.retain(|(_, log)| log.len() > 9_000);
    logs
}

fn device(file: &Path, formats: &Formats) -> Device {
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    let (format, task) = formats.by_file_name(&name).expect("a format");
    let bytes = file.metadata().expect("there").len();
    let source = Source {
        file: file.to_owned(),
        shown: name,
        format,
        task,
        bytes,
        member: None,
        stat: Stat::default(),
    };
    Device { name: "PC-1".to_owned(), sources: vec![source] }
}

fn read(file: &Path, formats: &Formats, known: Option<Recollection>) -> (Recollection, u64) {
    let fate = if known.is_some() { Fate::Grown } else { Fate::Whole };
    let bytes = std::cell::Cell::new(0);
    let device = device(file, formats);
    let part = Part { fate, known: known.map(Ok) };
    let watcher = Watcher { bytes: &|n| bytes.set(bytes.get() + n), source: &|_| {} };
    let (mut read, _) = read_parts(&device, vec![part], formats, true, &watcher);
    (read.remove(0).expect("read"), bytes.get())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_log_that_grows_is_read_as_if_it_had_been_whole(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(1usize..70_000, 1..6),
        wide in any::<bool>(),
        other in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let formats = Formats::builtin().expect("embedded");
        let logs = logs();
        let (name, log) = which.get(&logs);
        let mut text = log.clone();
        if wide && text.is_ascii() {
            let units = String::from_utf8_lossy(&text).encode_utf16().collect::<Vec<u16>>();
            text = [vec![0xFF, 0xFE], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()]
                .concat();
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.push(text.len());
        cuts.sort_unstable();
        let (mut at, mut known, mut total) = (0, None, 0);
        for cut in cuts {
            let mut open = OpenOptions::new().create(true).append(true).open(&file).expect("open");
            open.write_all(&text[at..cut]).expect("written");
            at = cut;
            // What is remembered goes through the store.
            let (now, bytes) = read(&file, &formats, known.take());
            let kept = postcard::to_stdvec(&now).expect("stored");
            known = Some(postcard::from_bytes(&kept).expect("as it was stored"));
            total += bytes;
        }
        let (whole, once) = read(&file, &formats, None);
        prop_assert_eq!(known, Some(whole));
        prop_assert!(total <= 2 * once + 6 * 8192 * 6, "read {} of {}", total, once);
        if let Some(other) = other {
            // Another log of the same name: none of what is remembered holds.
            let mut text = text;
            let at = other.index(text.len());
            text[at] ^= 0x01;
            fs::write(&file, &text).expect("written");
            let (anew, _) = read(&file, &formats, None);
            let (now, _) = read(&file, &formats, known_of(&text, at, &anew));
            prop_assert_eq!(now, anew);
        }
    }
}

/// What would be remembered of another file.
fn known_of(text: &[u8], at: usize, anew: &Recollection) -> Option<Recollection> {
    let mut text = text.to_vec();
    text[at] ^= 0x01;
    let mut known = anew.clone();
    let length = usize::try_from(known.fingerprint.length).expect("small");
    known.fingerprint = Fingerprint::new(length as u64, &text[..length], &text[..length]);
    // Only what lies in the two windows is compared.
    (at < 4096 || (length.saturating_sub(4096)..length).contains(&at)).then_some(known)
}
