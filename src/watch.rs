//! Work that may hang → results, or which of it hung. A share that does not answer blocks who reads it
//! for ever, and nothing can take a thread back from there: it is left behind, and another one goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether somebody hangs.
const LOOK: Duration = Duration::from_millis(200);

/// What a piece of work says of itself while it is done.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    /// Milliseconds since then; `u64::MAX` while nothing is waited for.
    last: AtomicU64,
    /// Which part of it is being done.
    part: AtomicUsize,
}

impl Pulse {
    fn new(began: Instant) -> Pulse {
        let pulse = Pulse { began, last: AtomicU64::new(0), part: AtomicUsize::new(0) };
        pulse.beat();
        pulse
    }

    /// It goes on.
    pub fn beat(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Another part of it begins.
    pub fn part(&self, part: usize) {
        self.part.store(part, Ordering::Relaxed);
        self.beat();
    }

    /// What follows waits for nobody.
    pub fn rest(&self) {
        self.last.store(u64::MAX, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        let last = self.last.load(Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0);
        Duration::from_millis(now.saturating_sub(last))
    }
}

/// Work that did not go on for too long: which part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hung {
    /// The part.
    pub part: usize,
}

/// What is done for each number.
pub type Work<R> = Arc<dyn Fn(usize, &Pulse) -> R + Send + Sync>;

/// Does `work` for 0 to `count`, in so many threads, and gives each result to `take` as it comes.
/// Whoever does not beat for `limit` is given up, with all that it may still do. `take` stops all by
/// `false`.
pub fn each<R: Send + 'static>(
    count: usize,
    threads: usize,
    limit: Duration,
    work: Work<R>,
    mut take: impl FnMut(usize, Result<R, Hung>) -> bool,
) {
    let next = Arc::new(AtomicUsize::new(0));
    // Results wait in memory for who takes them: not many.
    let (sender, receiver) = sync_channel(2);
    let crew = Crew { next, count, work, sender };
    (0..threads.max(1).min(count)).for_each(|_| crew.join());
    let mut left = count;
    let mut at_work: BTreeMap<usize, Arc<Pulse>> = BTreeMap::new();
    while left > 0 {
        let result = match receiver.recv_timeout(LOOK) {
            Ok(News::Begins(item, pulse)) => {
                at_work.insert(item, pulse);
                continue;
            }
            // Of who was given up, nothing is taken any more.
            Ok(News::Done(item, result)) => at_work.remove(&item).map(|_| (item, Ok(result))),
            Err(RecvTimeoutError::Timeout) => {
                let hung = at_work.iter().find(|(_, pulse)| pulse.silence() > limit);
                hung.map(|(item, pulse)| {
                    (*item, Err(Hung { part: pulse.part.load(Ordering::Relaxed) }))
                })
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some((item, result)) = result else { continue };
        if result.is_err() {
            at_work.remove(&item);
            // The one that hangs never leaves: another one takes its place.
            crew.join();
        }
        left -= 1;
        if !take(item, result) {
            crew.next.store(count, Ordering::Relaxed);
            return;
        }
    }
}

/// Whoever panics does not go on either.
struct Falls(Arc<Pulse>);

impl Drop for Falls {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.last.store(0, Ordering::Relaxed);
        }
    }
}

/// What a thread says.
enum News<R> {
    Begins(usize, Arc<Pulse>),
    Done(usize, R),
}

/// Who does the work.
struct Crew<R> {
    next: Arc<AtomicUsize>,
    count: usize,
    work: Work<R>,
    sender: SyncSender<News<R>>,
}

impl<R: Send + 'static> Crew<R> {
    /// One more thread.
    fn join(&self) {
        let (next, count) = (Arc::clone(&self.next), self.count);
        let (work, sender) = (Arc::clone(&self.work), self.sender.clone());
        thread::spawn(move || {
            loop {
                let item = next.fetch_add(1, Ordering::Relaxed);
                if item >= count {
                    break;
                }
                let pulse = Arc::new(Pulse::new(Instant::now()));
                if sender.send(News::Begins(item, Arc::clone(&pulse))).is_err() {
                    return;
                }
                let falls = Falls(Arc::clone(&pulse));
                let result = work(item, &pulse);
                drop(falls);
                pulse.rest();
                if sender.send(News::Done(item, result)).is_err() {
                    return;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hangs_is_left_behind_and_all_else_is_done() {
        let work = |item: usize, pulse: &Pulse| {
            for part in 0..3 {
                pulse.part(part);
                let hangs = item == 4 && part == 1;
                thread::sleep(Duration::from_millis(if hangs { 60_000 } else { 5 }));
            }
            item * 10
        };
        let mut results = BTreeMap::new();
        let limit = Duration::from_millis(700);
        each(20, 2, limit, Arc::new(work), |item, result| {
            results.insert(item, result);
            true
        });
        let expected: BTreeMap<usize, Result<usize, Hung>> = (0..20)
            .map(|item| (item, if item == 4 { Err(Hung { part: 1 }) } else { Ok(item * 10) }))
            .collect();
        assert_eq!(results, expected);
    }

    #[test]
    fn all_stops_when_nobody_takes_more() {
        let mut taken = 0;
        each(1_000, 2, Duration::from_secs(9), Arc::new(|item, _: &Pulse| item), |_, _| {
            taken += 1;
            taken < 5
        });
        assert_eq!(taken, 5);
    }
}
