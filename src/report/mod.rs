//! Values → text. Every renderer writes to the writer that it is given.

pub mod blame;
pub mod course;
pub mod explained;
pub mod first;
pub mod html;
pub mod json;
pub mod lanes;
pub mod lesson;
pub mod lives;
pub mod medium;
pub mod plain;
pub mod reading;
pub mod records;
pub mod survey;
pub mod table;
pub mod verdict;
pub mod wording;
