//! Where CSV records end, also behind quoted ends of lines.

use memchr::{memchr, memchr2, memchr3};

use super::{Delimiter, Quote};
use crate::records::Boundaries;

/// Looks for the ends of records. It stops at quotes and ends of lines only; what is before a quote says whether the
/// quote opens a field.
#[derive(Debug, Clone)]
pub(crate) struct CsvBoundaries {
    delimiter: u8,
    quote: Option<u8>,
    state: State,
    /// The byte before those that come next.
    before: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first byte of a record comes.
    Start,
    /// Outside quotes.
    Open,
    /// Within quotes.
    Quoted,
    /// Behind a quote within quotes: it closed the field, or it is the first of two.
    Closing,
}

impl CsvBoundaries {
    pub(crate) fn new(delimiter: Delimiter, quote: Quote) -> Self {
        Self { delimiter: delimiter.byte(), quote: quote.byte(), state: State::Start, before: 0 }
    }
}

impl Boundaries for CsvBoundaries {
    fn blanks(&self, bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count()
    }

    fn begin(&mut self) {
        self.state = State::Start;
    }

    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let Some(quote) = self.quote else { return memchr2(b'\n', b'\r', bytes).map(|place| place + 1) };
        let mut place = 0;
        while let Some(rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Start => {
                    let is_quoted = rest.first() == Some(&quote);
                    self.state = if is_quoted { State::Quoted } else { State::Open };
                    place += usize::from(is_quoted);
                }
                State::Open => {
                    let Some(found) = memchr3(quote, b'\n', b'\r', rest) else { break };
                    place += found + 1;
                    if rest.get(found) != Some(&quote) {
                        return Some(place);
                    }
                    let before = (place - 1).checked_sub(1).and_then(|at| bytes.get(at)).copied();
                    if before.unwrap_or(self.before) == self.delimiter {
                        self.state = State::Quoted;
                    }
                }
                State::Quoted => {
                    let Some(found) = memchr(quote, rest) else { break };
                    place += found + 1;
                    self.state = State::Closing;
                }
                State::Closing => {
                    let is_doubled = rest.first() == Some(&quote);
                    self.state = if is_doubled { State::Quoted } else { State::Open };
                    place += usize::from(is_doubled);
                }
            }
        }
        self.before = bytes.last().copied().unwrap_or(self.before);
        None
    }
}
