//! How the line before began: lines that begin alike have the same envelope, and are not parsed.

use crate::stamp::Envelope;

/// The longest envelope that is remembered, in bytes.
const LONGEST: usize = 64;

/// How a line began that the first layout read, whole envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    bytes: [u8; LONGEST],
    /// Set where `bytes` count.
    mask: [u8; LONGEST],
    pub(crate) envelope: Envelope,
    /// Where minutes and seconds end, `mm:ss`, if they may differ.
    time_end: Option<usize>,
}

impl Beginning {
    /// What can be remembered of a line whose stamp ends at `end`.
    pub(crate) fn of(
        line: &[u8],
        envelope: Envelope,
        end: usize,
        ends_in_seconds: bool,
    ) -> Option<Beginning> {
        let at = envelope.message_at;
        let can_be = (end + 1..=LONGEST).contains(&at);
        if !can_be || !line.get(at).is_some_and(u8::is_ascii_graphic) {
            return None;
        }
        let (mut bytes, mut mask) = ([0; LONGEST], [0; LONGEST]);
        bytes[..at].copy_from_slice(&line[..at]);
        mask[..at].fill(0xFF);
        let in_seconds = ends_in_seconds && line[..end].last_chunk().is_some_and(is_time);
        Some(Beginning { bytes, mask, envelope, time_end: in_seconds.then_some(end) })
    }

    /// Whether the line that `text` begins with has this envelope, byte for byte.
    #[inline(always)]
    pub(crate) fn is_same(&self, text: &[u8]) -> bool {
        let parts = text.split_at_checked(self.envelope.message_at);
        parts.is_some_and(|(own, message)| !goes_on(message) && self.is_begin_of(text, own))
    }

    /// The envelope of a line that begins with the same bytes, or with other minutes and seconds;
    /// what is behind the line's end does not matter. Its message must begin with a printable letter
    /// (no blank that the envelope would go on with), and not with an AM or PM that would belong to
    /// the time.
    #[inline]
    pub(crate) fn again(&mut self, line: &[u8]) -> Option<Envelope> {
        let at = self.envelope.message_at;
        let (own, message) = line.split_at_checked(at)?;
        if goes_on(message) {
            return None;
        }
        if !self.is_begin_of(line, own) {
            self.set_time(own)?;
        }
        Some(self.envelope)
    }

    /// Compares all bytes that can be remembered at once, where the line has as many.
    #[inline]
    fn is_begin_of(&self, line: &[u8], own: &[u8]) -> bool {
        let Some(first) = line.first_chunk::<LONGEST>() else {
            return own == &self.bytes[..own.len()];
        };
        let bytes = first.iter().zip(&self.bytes).zip(&self.mask);
        bytes.fold(0, |differ, ((a, b), mask)| differ | (a ^ b) & mask) == 0
    }

    /// Takes other minutes and seconds over, if all else is the same.
    fn set_time(&mut self, own: &[u8]) -> Option<()> {
        let end = self.time_end?;
        let start = end.checked_sub(5)?;
        if own[..start] != self.bytes[..start] || own[end..] != self.bytes[end..own.len()] {
            return None;
        }
        let (now, before) = (seconds(&own[start..end])?, seconds(&self.bytes[start..end])?);
        self.envelope.stamp.0 += (now - before) * 1000;
        self.bytes[start..end].copy_from_slice(&own[start..end]);
        Some(())
    }
}

/// Whether the envelope might go on with the begin of this message.
#[inline(always)]
fn goes_on(message: &[u8]) -> bool {
    match message {
        [b'a' | b'A' | b'p' | b'P', b'm' | b'M', ..] => true,
        [first, ..] => !first.is_ascii_graphic(),
        [] => true,
    }
}

/// The seconds of `mm:ss`.
fn seconds(time: &[u8]) -> Option<i64> {
    let [tens, minutes, b':', rest @ ..] = time else { return None };
    Some(sixty(&[*tens, *minutes])? * 60 + sixty(rest)?)
}

fn sixty(digits: &[u8]) -> Option<i64> {
    let [tens @ b'0'..=b'5', ones @ b'0'..=b'9'] = digits else { return None };
    Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Whether these are `:mm:ss`.
fn is_time(last: &[u8; 6]) -> bool {
    last[0] == b':' && seconds(&last[1..]).is_some()
}
