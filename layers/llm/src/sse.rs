//! Server-sent events as bytes arrive: lines and characters may be cut anywhere.
//!
//! Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream". Only the data is kept: event names, ids
//! and retry times mean nothing in the protocols read here.

/// The longest event that is read, in bytes.
pub(crate) const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Why a stream of events cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    /// An event is longer than [`MAX_EVENT_BYTES`].
    #[error("an event is longer than {MAX_EVENT_BYTES} bytes")]
    TooLong,
    /// A line is not UTF-8.
    #[error("a line is not UTF-8")]
    NotUtf8,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    after_return: bool,
}

impl SseParser {
    /// Takes more bytes; gives the data of each event that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, SseError> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let is_second_half = end == 0 && self.after_return && rest[0] == b'\n';
            self.after_return = rest[end] == b'\r';
            if !is_second_half {
                self.line.extend_from_slice(&rest[..end]);
                self.end_line(&mut events)?;
            }
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            self.after_return = false;
            self.line.extend_from_slice(rest);
        }
        if self.line.len() + self.data.len() > MAX_EVENT_BYTES {
            return Err(SseError::TooLong);
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<String>) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| SseError::NotUtf8)?;
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                events.push(std::mem::take(&mut self.data));
            }
            return Ok(());
        }
        let value = match line.strip_prefix("data") {
            Some("") => "",
            Some(rest) => match rest.strip_prefix(':') {
                Some(value) => value.strip_prefix(' ').unwrap_or(value),
                None => return Ok(()),
            },
            None => return Ok(()),
        };
        if self.has_data {
            self.data.push('\n');
        }
        self.data.push_str(value);
        self.has_data = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = SseParser::default();
        pieces.iter().flat_map(|piece| parser.push(piece).unwrap()).collect()
    }

    #[test]
    fn given_any_cut_then_the_events_are_the_same() {
        let stream = "data: {\"a\": \"भुगतान\"}\n\n: comment\r\ndata:x\r\ndata: y\r\n\r\nevent: z\ndata\n\n".as_bytes();
        let whole = parse(&[stream]);
        assert_eq!(whole, ["{\"a\": \"भुगतान\"}", "x\ny", ""]);
        for cut in 1..stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(parse(&[left, right]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(parse(&bytes), whole);
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_complete() {
        assert!(parse(&[b"data: x\n"]).is_empty());
    }

    #[test]
    fn bytes_that_are_not_utf_8_and_endless_lines_are_errors() {
        assert_eq!(SseParser::default().push(b"data: \xff\n\n"), Err(SseError::NotUtf8));
        let endless = vec![b'x'; MAX_EVENT_BYTES + 1];
        assert_eq!(SseParser::default().push(&endless), Err(SseError::TooLong));
    }
}
