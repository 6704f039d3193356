//! Devices of one name that lie in different places are different devices; nights are no places.

mod program;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use program::{copy, count, files, list, root, run, text};

fn devices(paths: &[PathBuf], more: &[&str]) -> Vec<(String, u64)> {
    let mut args: Vec<OsString> = ["analyze", "--format", "json"].map(Into::into).into();
    args.extend(more.iter().map(Into::into));
    args.extend(paths.iter().map(Into::into));
    let report = run(&args).report();
    let rows = list(&report, "devices").iter();
    rows.map(|row| (text(row, "device").to_owned(), count(row, "runs"))).collect()
}

fn with_device(folder: &Path) -> PathBuf {
    let sample = root().join("samples/scan-waited/PAR-10001");
    copy(&sample, &folder.join("PAR-10001"), |_, bytes| bytes);
    folder.to_owned()
}

fn all_files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let below = |folder: &PathBuf| {
        files(folder).into_iter().map(|file| folder.join(file)).collect::<Vec<_>>()
    };
    folders.iter().flat_map(below).collect()
}

#[test]
fn two_sites_have_two_devices() {
    let share = tempfile::tempdir().expect("a folder");
    let sites = ["Lyon", "Paris"].map(|site| with_device(&share.path().join(site)));
    let two = [("Lyon/PAR-10001".to_owned(), 1), ("Paris/PAR-10001".to_owned(), 1)];
    assert_eq!(devices(&sites, &[]), two, "folders");
    assert_eq!(devices(&all_files(&sites), &[]), two, "files");
    assert_eq!(devices(&[share.path().to_owned()], &[]), two, "the share");
    let one = [("PAR-10001".to_owned(), 1)];
    assert_eq!(devices(&sites, &["--layout", "{device}/**"]), one, "as the layout says");
    assert_eq!(devices(&all_files(&sites[..1]), &[]), one, "one site's files");
}

#[test]
fn two_nights_have_one_device() {
    let share = tempfile::tempdir().expect("a folder");
    let nights = ["2025-03-24", "2025-03-25"].map(|night| with_device(&share.path().join(night)));
    let one = [("PAR-10001".to_owned(), 1)];
    assert_eq!(devices(&nights, &[]), one, "folders");
    assert_eq!(devices(&all_files(&nights), &[]), one, "files");
    let twice = [share.path().to_owned(), nights[0].join("PAR-10001")];
    assert_eq!(devices(&twice, &[]), one, "the share, and a device in it");
}
