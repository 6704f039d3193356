//! Values → text. Every renderer writes to the writer that it is given.

pub mod blame;
pub mod bulletin;
pub mod columns;
pub mod course;
pub mod difference;
pub mod explained;
pub mod first;
pub mod groups;
pub mod headline;
pub mod html;
pub mod json;
pub mod lanes;
pub mod lesson;
pub mod lives;
pub mod markdown;
pub mod medium;
pub mod metrics;
pub mod news;
pub mod outlet;
pub mod plain;
pub mod reading;
pub mod records;
pub mod sheet;
#[cfg(test)]
pub mod specimen;
pub mod spreadsheet;
pub mod survey;
pub mod table;
pub mod timesketch;
pub mod verdict;
pub mod viewer;
pub mod wording;
