//! Why no report could be made.

use std::io;

use crate::paths::plain;

/// Why no report could be made.
#[derive(Debug)]
pub enum Failure {
    /// What, where, what to do.
    Asked(String),
    /// The output could not be written.
    Write(io::Error),
}

impl Failure {
    /// For people.
    pub fn message(&self) -> String {
        match self {
            Failure::Asked(message) => message.clone(),
            Failure::Write(error) => {
                format!("the output can't be written: {}", plain(error))
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}
