//! The fleet simulator: logs of provisioned devices, and the truth beside them.
//!
//! It shares no code, rule or type with the analyser, so that an error in one cannot hide the same
//! error in the other. It simulates processes in time; truth and logs are both read from that story.

mod bundle;
mod catalog;
mod clock;
mod deploy_log;
mod dialect;
mod encoding;
mod facts;
mod options;
mod policy_log;
mod provision_log;
mod provisioning;
mod rng;
mod scanner_log;
mod scheduler;
mod scheduler_log;
mod share;
mod sheet;
mod steps;
mod story;
mod template;
mod truth;
mod verdict;
mod visible;
mod world;

use clap::Parser;
use options::{Arguments, Options};
use rayon::prelude::*;
use share::Layout;
use sheet::Style;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use template::Template;
use truth::{DeviceTruth, Truth};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("fleet: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let options = arguments.resolve()?;
    if fs::read_dir(&options.out).is_ok_and(|mut entries| entries.next().is_some()) {
        let out = options.out.display();
        return Err(format!("{out} is not empty; give a new folder, old logs would mix with new"));
    }
    make_folder(&options.out)?;
    let templates = template::templates(options.seed, options.templates);
    let devices = (options.first..options.first + options.devices)
        .into_par_iter()
        .map(|index| device(&options, &templates, index))
        .collect::<Result<Vec<_>, String>>()?;
    let truth = Truth::of(&options, &templates, devices);
    let json = serde_json::to_string_pretty(&truth)
        .map_err(|error| format!("cannot write the truth as json: {error}"))?;
    write_file(&options.truth, format!("{json}\n").as_bytes())?;
    if let Some(path) = &options.tasks {
        write_file(path, mapping(&templates).as_bytes())?;
    }
    Ok(())
}

/// Simulates one device and writes its files; nothing of it stays in memory but its truth.
fn device(options: &Options, templates: &[Template], index: u64) -> Result<DeviceTruth, String> {
    let story = world::simulate(options, templates, index);
    let style = Style::of(options, &story);
    let mut sheets = vec![
        provision_log::agent(options, templates, &story, &style),
        provision_log::window(options, &story, &style),
        facts::system_info(&story),
        facts::registry(&story),
    ];
    sheets.extend(provision_log::helper(&story, &style));
    sheets.extend(scanner_log::sheet(options, &story, &style));
    sheets.extend(deploy_log::sheets(options, &story, &style));
    sheets.extend(deploy_log::general(&story, &style));
    sheets.extend(scheduler_log::sheet(options, &story, &style));
    sheets.extend(scheduler_log::tasks(options, &story));
    sheets.extend(policy_log::sheet(options, &story, &style));
    sheets.extend(policy_log::states(&story));
    let delivery = share::deliver(options, &story, &style, sheets);
    let truth = truth::device(&story, templates, &delivery.layout, &delivery.kept);
    match &delivery.layout {
        Layout::Bundle(name) => {
            let backslashes = index.is_multiple_of(2);
            let bytes = bundle::zip(&delivery.files, backslashes)
                .map_err(|error| format!("cannot make bundle {name}: {error}"))?;
            write_file(&options.out.join(name), &bytes)?;
        }
        Layout::Plain | Layout::Nights(_) => {
            for (path, bytes) in &delivery.files {
                write_file(&options.out.join(path), bytes)?;
            }
        }
    }
    Ok(truth)
}

fn mapping(templates: &[Template]) -> String {
    let mut text = String::from("task_id,template,step\n");
    for template in templates {
        for step in template.steps() {
            text.push_str(&format!("{},{},{}\n", step.task_id, template.name, step.name));
        }
    }
    text
}

fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path)
        .map_err(|error| format!("cannot make folder {}: {error}", path.display()))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
