//! Text of management-agent logs in, typed events out.
//!
//! This crate does no i/o, reads no clock, and never panics on any bytes: it returns
//! events and counts. What a message looks like is data (`formats/*.toml`); the code
//! knows only what a message means ([`event::Event`]).
//!
//! The way of a byte: [`text`] tells the encoding, [`engine`] cuts lines and finds
//! candidates by one literal pass, [`stamp`] reads the envelope, [`format`] holds the
//! rules that read the message, [`code`] reads exit codes.

mod beginning;
mod catalogue;
pub mod census;
pub mod code;
pub mod engine;
pub mod event;
pub mod event_log;
mod fields;
pub mod format;
pub mod guess;
mod joining;
pub mod kin;
pub mod layout;
pub mod line;
mod months;
mod opening;
pub mod overlay;
mod pattern;
pub mod policy_status;
mod prefix;
pub mod rule;
mod run;
mod schema;
mod scout;
pub mod shape;
pub mod stamp;
mod tail;
pub mod text;
mod words;
