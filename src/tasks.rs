//! The mapping that an administrator exports from the core: task id → template, step.

use std::collections::BTreeMap;
use std::path::Path;

use provtrace_parsers::text::{self, CodePage};

use serde::{Deserialize, Serialize};

use crate::discover::{plain, slashed};

/// What the core knows of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The template that it belongs to.
    pub template: String,
    /// The step's name, if the export has one.
    pub step: Option<String>,
}

/// Task id → task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    tasks: BTreeMap<String, Task>,
}

impl Tasks {
    /// Reads a CSV file with the header `task_id,template[,step]`, separated by comma,
    /// semicolon or tab; `page` is the code page if it is not UTF-8.
    ///
    /// # Errors
    /// What is wrong, with path and line.
    pub fn read(path: &Path, page: CodePage) -> Result<Tasks, String> {
        let shown = slashed(path);
        let bytes = std::fs::read(path).map_err(|error| format!("{shown}: {}", plain(&error)))?;
        let decoded = text::decode_all(&bytes, page);
        // The reader counts a line end of two bytes late; its line numbers are for people.
        let text = decoded.replace("\r\n", "\n");
        let header = text.lines().next().unwrap_or_default();
        let delimiter = [b',', b';', b'\t']
            .into_iter()
            .max_by_key(|mark| header.bytes().filter(|b| b == mark).count())
            .unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let names = reader.headers().map_err(|error| format!("{shown}:1: {error}"))?.clone();
        let column = |name: &str| names.iter().position(|own| own.eq_ignore_ascii_case(name));
        let (Some(task_id), Some(template)) = (column("task_id"), column("template")) else {
            return Err(format!(
                "{shown}:1: the first line must name the columns task_id,template[,step]"
            ));
        };
        let step = column("step");
        let mut tasks = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| format!("{shown}: {error}"))?;
            let line = record.position().map_or(0, csv::Position::line);
            let field =
                |at: usize| record.get(at).filter(|text| !text.is_empty()).map(str::to_owned);
            let (Some(id), Some(template)) = (field(task_id), field(template)) else {
                return Err(format!("{shown}:{line}: a task needs a task_id and a template"));
            };
            let task = Task { template, step: step.and_then(field) };
            if tasks.get(&id).is_some_and(|other| *other != task) {
                return Err(format!(
                    "{shown}:{line}: task {id} stands twice with different values; keep one"
                ));
            }
            tasks.insert(id, task);
        }
        Ok(Tasks { tasks })
    }

    /// How many tasks it has.
    pub fn count(&self) -> usize {
        self.tasks.len()
    }

    /// What is known of a task.
    pub fn get(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }
}
