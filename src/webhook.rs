//! The news → an address that a user gave, over HTTP. Of the address only scheme and host are ever
//! shown: the rest of it may be a secret.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::{StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::paths::{plain, slashed};

/// The variable that the address is taken from where no flag gives one.
pub const VARIABLE: &str = "PROVTRACE_WEBHOOK";
/// The longest address, in bytes.
const LONGEST: u64 = 8 << 10;
/// How often it is tried.
const TRIES: u32 = 3;
/// How long it may take.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    each: Duration::from_secs(10),
    all: Duration::from_secs(30),
    pause: Duration::from_secs(1),
};

/// How long it may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Until there is a connection.
    connect: Duration,
    /// One try.
    each: Duration,
    /// All tries, and the pauses between them.
    all: Duration,
    /// The pause behind the first try; each further one is twice as long.
    pause: Duration,
}

/// Where the news is posted to.
pub struct Address {
    uri: Uri,
    /// Scheme and host.
    shown: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Why a try failed.
struct Refusal {
    /// For people; nothing of the address stands in it.
    why: String,
    /// Whether another try may help, and the pause that the server asks for before it.
    again: Option<Option<Duration>>,
}

impl Address {
    /// The address that is asked for: typed, in a file, or in the variable [`VARIABLE`].
    ///
    /// # Errors
    /// If the file can't be read, or what is given is no address.
    pub fn asked(typed: Option<&str>, file: Option<&Path>) -> Result<Option<Address>, String> {
        if let Some(typed) = typed {
            return Address::read(typed).map(Some).map_err(|why| format!("--webhook: {why}"));
        }
        if let Some(file) = file {
            let shown = slashed(file);
            let text = first_line(file).map_err(|error| format!("{shown}: {}", plain(&error)))?;
            return Address::read(&text).map(Some).map_err(|why| format!("{shown}: {why}"));
        }
        let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let text = variable.map(|value| value.to_string_lossy().into_owned());
        let read = text.map(|text| Address::read(&text)).transpose();
        read.map_err(|why| format!("{VARIABLE}: {why}"))
    }

    fn read(text: &str) -> Result<Address, String> {
        let none = "no address of a web server; write https://HOST/PATH";
        let uri: Uri = text.trim().parse().map_err(|_| none.to_owned())?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(none.to_owned());
        };
        if scheme != "http" && scheme != "https" {
            return Err("only http:// and https:// can be posted to".to_owned());
        }
        if host.is_empty() {
            return Err(none.to_owned());
        }
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{scheme}://{host}{port}");
        Ok(Address { uri, shown })
    }

    /// Posts the news, which is JSON. It takes half a minute at the most, whatever the other side does.
    ///
    /// # Errors
    /// A warning for people: the news was not taken. That is no reason to stop.
    pub fn post(&self, news: &[u8]) -> Result<(), String> {
        self.post_within(news, LIMITS)
    }

    fn post_within(&self, news: &[u8], limits: Limits) -> Result<(), String> {
        let began = Instant::now();
        let agent = self.agent(limits);
        let mut pause = limits.pause;
        for number in 1.. {
            let left = limits.all.saturating_sub(began.elapsed());
            let Err(refusal) = self.try_once(&agent, news, limits.each.min(left)) else {
                return Ok(());
            };
            let wait = refusal.again.map(|asked| asked.unwrap_or(pause));
            let left = limits.all.saturating_sub(began.elapsed());
            match wait.filter(|wait| number < TRIES && *wait < left) {
                Some(wait) => thread::sleep(wait),
                None => return Err(self.warning(&refusal.why, number)),
            }
            pause *= 2;
        }
        Ok(())
    }

    fn warning(&self, why: &str, tries: u32) -> String {
        let tries = if tries > 1 { format!(" ({tries} tries)") } else { String::new() };
        format!("the news was not posted to {}: {why}{tries}", self.shown)
    }

    /// No redirect is followed: it could lead to anybody, and a POST would become a GET.
    fn agent(&self, limits: Limits) -> Agent {
        // The system's own certificates: a company's server has one of the company's.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        // No proxy leads to this machine.
        let proxy = if self.is_of_this_machine() { None } else { Proxy::try_from_env() };
        let config = Agent::config_builder()
            .user_agent(concat!("provtrace/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(limits.connect))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls)
            .proxy(proxy);
        config.build().new_agent()
    }

    fn is_of_this_machine(&self) -> bool {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    fn try_once(&self, agent: &Agent, news: &[u8], within: Duration) -> Result<(), Refusal> {
        let request = agent.post(&self.uri).content_type("application/json");
        let answer = request.config().timeout_global(Some(within)).build().send(news);
        let answer = answer.map_err(|error| refusal(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let name = status.canonical_reason().unwrap_or("a status without a name");
        let mut why = format!("it answered {} ({})", status.as_u16(), name.to_lowercase());
        if status.is_redirection() {
            why.push_str("; redirects are not followed, give the address that it leads to");
        }
        let busy = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let asked = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        // A date is not read: the usual pause is as good.
        let asked = asked.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        Err(Refusal { why, again: busy.then_some(asked) })
    }
}

/// What went wrong before there was an answer, in plain words. A name that leads nowhere and a
/// certificate that is wrong stay so; what the network did may pass.
fn refusal(error: &ureq::Error) -> Refusal {
    let again = Some(None);
    if let ureq::Error::Timeout(_) = error {
        return Refusal { why: "no answer in time".to_owned(), again };
    }
    if let ureq::Error::Io(error) = error {
        // A failure of TLS comes as one of i/o, too.
        let tls = error.kind() == io::ErrorKind::InvalidData;
        return Refusal { why: plain(error), again: if tls { None } else { again } };
    }
    if let ureq::Error::BadUri(_) = error {
        return Refusal { why: "its address is none".to_owned(), again: None };
    }
    Refusal { why: error.to_string().to_lowercase(), again: None }
}

fn first_line(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LONGEST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_start_matches('\u{FEFF}').lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// Short enough for tests; the proportions are those of [`LIMITS`].
    const SHORT: Limits = Limits {
        connect: Duration::from_millis(500),
        each: Duration::from_millis(500),
        all: Duration::from_millis(4000),
        pause: Duration::from_millis(20),
    };

    /// A server that gives these answers, one a connection, and then hangs up; an empty one is never
    /// given. What it was asked comes back when it is joined.
    fn server(answers: &'static [&'static str]) -> (u16, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = thread::spawn(move || {
            let mut asked = Vec::new();
            let mut open = Vec::new();
            for answer in answers {
                let (stream, _) = listener.accept().expect("a connection");
                let mut reader = BufReader::new(stream);
                asked.push(request(&mut reader));
                let mut stream = reader.into_inner();
                stream.write_all(answer.as_bytes()).expect("an answer");
                open.extend(answer.is_empty().then_some(stream));
            }
            // Those who wait for an answer are held until they give up.
            open.iter_mut().for_each(|stream| drop(stream.read_to_end(&mut Vec::new())));
            asked
        });
        (port, asked)
    }

    fn request(reader: &mut impl BufRead) -> String {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut text).expect("a header") > 0, "{text}");
        }
        let lower = text.to_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").parse().expect("a number");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        text + &String::from_utf8(body).expect("text")
    }

    fn address(port: u16) -> Address {
        let text = format!("http://anna:PASSWORD@127.0.0.1:{port}/hooks/SECRET?token=TOKEN");
        Address::read(&text).expect("an address")
    }

    /// Posts to a server with these answers; what came of it, and what the server was asked.
    fn post(answers: &'static [&'static str]) -> (Result<(), String>, Vec<String>) {
        let (port, asked) = server(answers);
        let done = address(port).post_within(NEWS, SHORT);
        if let Err(warning) = &done {
            let head = format!("the news was not posted to http://127.0.0.1:{port}: ");
            assert!(warning.starts_with(&head), "{warning}");
            for secret in ["PASSWORD", "SECRET", "TOKEN", "anna"] {
                assert!(!warning.contains(secret), "{warning}");
            }
        }
        (done, asked.join().expect("all answers were asked for"))
    }

    const NEWS: &[u8] = b"{\"schema\":\"news\"}";
    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    const BROKEN: &str = "HTTP/1.1 500 Oh\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";

    #[test]
    fn the_news_is_posted_as_json() {
        let (done, asked) = post(&[OK]);
        assert_eq!(done, Ok(()));
        let [asked] = &asked[..] else { panic!("{asked:?}") };
        assert!(asked.starts_with("POST /hooks/SECRET?token=TOKEN HTTP/1.1\r\n"), "{asked}");
        let lower = asked.to_lowercase();
        assert!(lower.contains("\r\ncontent-type: application/json\r\n"), "{asked}");
        let agent = format!("\r\nuser-agent: provtrace/{}\r\n", env!("CARGO_PKG_VERSION"));
        assert!(lower.contains(&agent), "{asked}");
        assert!(asked.contains("\r\nauthorization: Basic "), "{asked}");
        assert!(asked.ends_with("\r\n\r\n{\"schema\":\"news\"}"), "{asked}");
    }

    #[test]
    fn what_may_pass_is_tried_three_times() {
        let (done, asked) = post(&[BROKEN, OK]);
        assert_eq!((done, asked.len()), (Ok(()), 2));
        let (done, asked) = post(&[BROKEN, BROKEN, BROKEN]);
        let warning = done.expect_err("three failures");
        assert!(
            warning.ends_with("it answered 500 (internal server error) (3 tries)"),
            "{warning}"
        );
        assert_eq!(asked.len(), 3);
    }

    #[test]
    fn a_short_wait_that_is_asked_for_is_kept() {
        let began = Instant::now();
        let (done, asked) =
            post(&["HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n", OK]);
        assert_eq!((done, asked.len()), (Ok(()), 2));
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        const LONG: &str = "HTTP/1.1 429 Slow\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n";
        let (done, asked) = post(&[LONG]);
        let warning = done.expect_err("no time for it");
        assert!(warning.ends_with("it answered 429 (too many requests)"), "{warning}");
        assert_eq!(asked.len(), 1);
    }

    /// What stays so is not tried again, no redirect is followed, and whatever comes is a warning.
    #[test]
    fn other_answers_are_warnings_at_once() {
        for (answer, words) in [
            (&["HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"], "it answered 404 (not found)"),
            (&["HTTP/1.1 302 A\r\nlocation: http://127.0.0.1:1/\r\n\r\n"], "are not followed"),
            (&["HTTP/1.1 307 A\r\nlocation: /hooks/SECRET/\r\n\r\n"], "are not followed"),
            (&["HTTP/1.1 308 A\r\n\r\n"], "are not followed"),
            (&["HTTP/1.1 303 A\r\nlocation: \u{7f}%%\r\n\r\n"], ""),
            (&["HTTP/1.1 304 A\r\n\r\n"], "it answered 304"),
            (&["HTTP/1.1 101 A\r\nupgrade: x\r\n\r\n"], ""),
            (&["HTTP/1.1 999 A\r\n\r\n"], "it answered 999"),
            (&["SSH-2.0-OpenSSH SECRET\r\n\r\n"], ""),
        ] {
            let (done, asked) = post(answer);
            let warning = done.expect_err(answer[0]);
            assert!(warning.contains(words) && asked.len() == 1, "{answer:?}: {warning}");
        }
    }

    #[test]
    fn who_never_answers_is_waited_for_no_longer_than_said() {
        let began = Instant::now();
        let (done, asked) = post(&["", "", ""]);
        assert!(began.elapsed() < SHORT.all, "{:?}", began.elapsed());
        let warning = done.expect_err("no answer");
        assert!(warning.ends_with("in time (3 tries)") && asked.len() == 3, "{warning}");
    }

    #[test]
    fn all_tries_together_have_their_limit() {
        let (port, asked) = server(&["", ""]);
        let limits =
            Limits { each: Duration::from_secs(1), all: Duration::from_millis(1600), ..SHORT };
        let began = Instant::now();
        let warning = address(port).post_within(b"{}", limits).expect_err("no answer");
        assert!(warning.ends_with("no answer in time (2 tries)"), "{warning}");
        assert!(began.elapsed() < Duration::from_millis(2000), "{:?}", began.elapsed());
        assert_eq!(asked.join().expect("both were asked for").len(), 2);
    }

    #[test]
    fn a_closed_port_is_a_warning() {
        let (port, asked) = server(&[]);
        assert!(asked.join().expect("nothing was asked for").is_empty());
        let warning = address(port).post_within(b"{}", SHORT).expect_err("nobody listens");
        assert!(warning.contains("(3 tries)") && !warning.contains("SECRET"), "{warning}");
    }

    #[test]
    fn only_addresses_of_web_servers_are_taken() {
        let refused = [
            "",
            "hooks.example/SECRET",
            "ftp://hooks.example/SECRET",
            "http:///SECRET",
            "https://",
        ];
        for text in refused {
            let error = Address::read(text).expect_err(text);
            assert!(!error.contains("SECRET"), "{error}");
        }
        let address = Address::read(" https://anna:PASSWORD@[::1]:8443/SECRET#x\n").expect("one");
        assert_eq!(format!("{address:?}"), "https://[::1]:8443");
        assert!(address.is_of_this_machine());
    }

    #[test]
    fn a_file_holds_the_address_in_its_first_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("webhook");
        std::fs::write(&path, "\u{FEFF}https://hooks.example/SECRET\r\n# of the team\n")
            .expect("a file");
        let asked = Address::asked(None, Some(&path)).expect("an address").expect("one");
        assert_eq!((asked.shown.as_str(), asked.uri.path()), ("https://hooks.example", "/SECRET"));
        std::fs::write(&path, "SECRET and nothing else").expect("a file");
        let error = Address::asked(None, Some(&path)).expect_err("no address");
        assert!(error.contains("webhook: no address") && !error.contains("SECRET"), "{error}");
        let error = Address::asked(None, Some(&folder.path().join("none"))).expect_err("no file");
        assert!(error.contains("none: no such file"), "{error}");
    }
}
