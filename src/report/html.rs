//! The report as one page for a browser: nothing is fetched, and text from logs stays text.
//!
//! The engine escapes every value of the template. The script gets its data as JSON and puts
//! text into the page as text, never as markup. Should both fail, the page's own policy lets
//! no other script run and nothing be fetched.

mod change;
mod charts;
mod embedded;
mod news;
mod page;
mod trends;

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::chronicle::Chronicle;
use crate::comparison::Comparison;
use crate::contract::Report;
use crate::news::News;
use crate::report::difference::answer;
use crate::report::headline::headline;
use crate::report::json;

/// The engine escapes by the ending of the name.
const NAME: &str = "page.html";
const TEMPLATE: &str = include_str!("html/page.html");
const COMPARISON: &str = include_str!("html/comparison.html");
const NEWS: &str = include_str!("html/news.html");
const STYLE: &str = include_str!("html/style.css");
const NEWS_STYLE: &str = include_str!("html/news.css");
const SCRIPT: &str = include_str!("html/script.js");

/// Writes the page.
///
/// # Errors
/// Of the writer.
pub fn write(report: &Report, chronicles: &[Chronicle], out: &mut dyn Write) -> io::Result<()> {
    let data = embedded::of(report, chronicles)?;
    // A checkout on Windows may have other line ends.
    let (style, script) = (STYLE.replace('\r', ""), SCRIPT.replace('\r', ""));
    let nonce = nonce(&[&style, &script, &data.json]);
    let page = page::of(report, chronicles, &data, page::Parts { style, script, nonce });
    render(TEMPLATE, &page, out)
}

/// Writes a comparison as a page, without any script.
///
/// # Errors
/// Of the writer.
pub fn write_comparison(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let style = STYLE.replace('\r', "");
    let nonce = nonce(&[&style, &answer(comparison)]);
    render(COMPARISON, &change::of(comparison, style, nonce), out)
}

/// Writes news as a page, without any script.
///
/// # Errors
/// Of the writer.
pub fn write_news(news: &News, out: &mut dyn Write) -> io::Result<()> {
    let style = [STYLE, NEWS_STYLE].concat().replace('\r', "");
    let nonce = nonce(&[&style, &headline(news), &json::line(news)?]);
    render(NEWS, &news::of(news, style, nonce), out)
}

fn render(template: &str, page: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    engine.set_syntax(syntax.map_err(io::Error::other)?);
    engine.add_template(NAME, template).map_err(io::Error::other)?;
    let template = engine.get_template(NAME).map_err(io::Error::other)?;
    let text = template.render(Serde(page)).map_err(io::Error::other)?;
    out.write_all(text.replace('\r', "").as_bytes())?;
    out.write_all(b"\n")
}

/// What the page's own script and style are known by: a digest of all that the page holds, so
/// that the same report has the same, and no line of a log can state it.
fn nonce(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
