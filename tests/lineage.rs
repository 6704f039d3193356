//! Which file is which from night to night: one test for each mistake that random histories found.

mod batch;
mod program;
mod simulation;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use batch::Batch;
use program::{count, root};
use simulation::Fleet;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The scanner's log of a sample.
const SCANNER: &str = "ProgramData/LANDesk/Log/vulscan.log";

fn sample(file: &str) -> Vec<u8> {
    fs::read(root().join("samples/scan-waited/PAR-10001").join(file)).expect("a sample")
}

/// A bundle with the scanner's log, as far as it was written.
fn bundle(length: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("vulscan.log", SimpleFileOptions::default()).expect("a member");
    zip.write_all(&sample(SCANNER)[..length]).expect("written");
    zip.finish().expect("an archive").into_inner()
}

/// The rest of the sample, as plain files.
fn without_scanner(batch: &Batch) {
    batch.add("scan-waited/PAR-10001", |file| !file.ends_with("vulscan.log"));
}

/// The end of the night before, in the middle of a line, is no line of its own.
#[test]
fn a_log_that_grows_in_an_archive_is_one_log() {
    let batch = Batch::new();
    without_scanner(&batch);
    for length in [100, 1_003, 2_500, 4_100] {
        batch.put(Path::new("PAR-10001/logs.zip"), &bundle(length));
        batch.night();
        batch.assert_same();
    }
    // A collector may give each night's bundle its own name.
    fs::remove_file(batch.share().join("PAR-10001/logs.zip")).expect("removed");
    batch.put(Path::new("PAR-10001/logs-2.zip"), &bundle(4_150));
    let news = batch.night();
    assert_eq!(
        (count(&news["run"]["files"], "moved"), count(&news["run"]["files"], "gone")),
        (1, 0)
    );
    batch.assert_same();
    // And at last lay the log beside it.
    fs::remove_file(batch.share().join("PAR-10001/logs-2.zip")).expect("removed");
    batch.put(&Path::new("PAR-10001").join(SCANNER), &sample(SCANNER));
    let news = batch.night();
    assert_eq!(
        (count(&news["run"]["files"], "moved"), count(&news["run"]["files"], "gone")),
        (1, 0)
    );
    batch.assert_same();
}

/// Its head, its end and its length are as they were.
#[test]
fn a_log_that_is_written_over_in_the_middle_is_read_again() {
    let batch = Batch::new();
    without_scanner(&batch);
    let noise = |minute: u32| {
        let line = |second| format!("2025-03-24 08:{minute:02}:{second:02} (1-2) line\r\n");
        (0..60).map(line).collect::<String>()
    };
    let mut log: Vec<u8> = (0..20).map(noise).collect::<String>().into_bytes();
    log.extend(sample(SCANNER));
    log.extend((20..40).map(noise).collect::<String>().into_bytes());
    let place = Path::new("PAR-10001").join(SCANNER);
    let middle = 20 * noise(0).len();
    let mut before = log.clone();
    for byte in
        before[middle..middle + 4_192].iter_mut().filter(|byte| byte.is_ascii_alphanumeric())
    {
        *byte = b'x';
    }
    batch.put(&place, &before);
    let first = batch.night();
    batch.put(&place, &log);
    let news = batch.night();
    assert_eq!(news["revised"].as_array().map(Vec::len), Some(1), "{first}\n{news}");
}

#[test]
fn a_rotated_log_is_not_read_again() {
    let batch = Batch::new();
    batch.add("scan-waited/PAR-10001", |_| true);
    batch.night();
    for (from, to) in [("vulscan.log", "vulscan.1.log"), ("vulscan.1.log", "vulscan.2.log")] {
        let folder = batch.share().join("PAR-10001/ProgramData/LANDesk/Log");
        fs::rename(folder.join(from), folder.join(to)).expect("rotated");
        let new = b"2025-03-26 08:00:00 (1-2) line\r\n";
        batch.put(&Path::new("PAR-10001").join(SCANNER), new);
        let news = batch.night();
        assert_eq!(count(&news["run"]["files"], "moved"), 1, "{to}: {}", news["run"]);
        assert_eq!(count(&news["run"]["files"], "gone"), 0, "{to}");
        batch.assert_same();
    }
}

/// What was asked for reaches devices, too, of which nothing lies on the share.
#[test]
fn a_device_that_is_away_is_told_as_all_others() {
    let mut batch = Batch::new();
    batch.add("scan-waited/PAR-10001", |_| true);
    batch.add("scan-waited/PAR-10002", |_| true);
    batch.night();
    let away = batch.folder.path().join("away");
    fs::rename(batch.share().join("PAR-10001"), &away).expect("gone");
    batch.more = vec!["--tz".to_owned(), "Asia/Tokyo".to_owned()];
    batch.night();
    fs::rename(&away, batch.share().join("PAR-10001")).expect("back");
    let told = batch.report();
    batch.assert_same();
    let news = batch.night();
    assert_eq!(count(&news["run"], "bytes_read"), 0);
    assert_eq!(batch.report(), told);
    batch.assert_same();
}

/// A share that is not mounted looks like an empty one.
#[test]
fn a_share_that_is_not_there_changes_nothing() {
    let mut batch = Batch::new();
    batch.add("scan-waited/PAR-10001", |_| true);
    batch.night();
    let told = batch.report();
    let (share, away) = (batch.share(), batch.folder.path().join("away"));
    fs::rename(&share, &away).expect("gone");
    fs::create_dir(&share).expect("empty");
    batch.more = vec!["--tz".to_owned(), "Asia/Tokyo".to_owned()];
    let outcome = batch.try_night();
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert_eq!(batch.report(), told);
    fs::remove_dir(&share).expect("removed");
    fs::rename(&away, &share).expect("back");
    batch.night();
    assert_ne!(batch.report(), told);
    batch.assert_same();
}

/// A file is one device's, however the device was called on an earlier night.
#[test]
fn a_device_that_is_called_otherwise_is_not_two() {
    let mut batch = Batch::new();
    let fleet = Fleet::with("full", 2, 3, &["--history-days", "1"]);
    let names = program::names(&fleet.share(), Path::is_dir);
    batch.lay(&fleet.share().join(&names[0]), "Paris/PC-1");
    batch.night();
    batch.assert_same();
    // A namesake at another site.
    batch.lay(&fleet.share().join(&names[1]), "Lyon/PC-1");
    batch.night();
    batch.assert_same();
    // And all by the names of the sites.
    batch.more = vec!["--layout".to_owned(), "{device}/**".to_owned()];
    batch.night();
    batch.assert_same();
    batch.more = vec!["--layout".to_owned(), "*/{device}/**".to_owned()];
    batch.night();
    batch.assert_same();
    let news = batch.night();
    assert_eq!(count(&news["run"], "bytes_read"), 0, "{}", news["run"]);
    batch.put(Path::new("Lyon/PC-1/vulscan.9.log"), b"2025-03-26 08:00:00 (1-2) line\r\n");
    batch.night();
    batch.assert_same();
}
