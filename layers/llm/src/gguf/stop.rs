//! Stop texts: the generation ends before them, also when they come in pieces.

/// Holds text back for as long as it could begin a stop text.
#[derive(Debug)]
pub(super) struct StopFilter<'a> {
    stops: Vec<&'a str>,
    held: String,
}

/// What may be shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// This text, and the generation goes on.
    Text(String),
    /// This text, and then came a stop text.
    Stopped(String),
}

impl<'a> StopFilter<'a> {
    /// A filter for these texts; empty ones are ignored.
    pub(super) fn new(stops: &'a [String]) -> Self {
        Self { stops: stops.iter().map(String::as_str).filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    /// Takes more text; gives what can be shown.
    pub(super) fn push(&mut self, text: &str) -> Passed {
        self.held.push_str(text);
        if let Some(position) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(position);
            return Passed::Stopped(std::mem::take(&mut self.held));
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        Passed::Text(std::mem::replace(&mut self.held, rest))
    }

    /// What was held back, once no more comes.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// The length of the longest end of `text` that begins `stop`, in bytes.
fn overlap(text: &str, stop: &str) -> usize {
    let starts = stop.char_indices().map(|(position, _)| position).filter(|length| *length > 0);
    starts.filter(|length| text.ends_with(&stop[..*length])).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Passed {
        Passed::Text(text.to_owned())
    }

    #[test]
    fn given_a_stop_in_pieces_then_nothing_of_it_is_shown() {
        let stops = ["\nUser:".to_owned()];
        let mut filter = StopFilter::new(&stops);
        assert_eq!(filter.push("yes\n"), text("yes"));
        assert_eq!(filter.push("Us"), text(""));
        assert_eq!(filter.push("er: x"), Passed::Stopped(String::new()));
    }

    #[test]
    fn given_text_that_only_began_like_a_stop_then_it_is_shown_later() {
        let stops = ["\nUser:".to_owned(), "।।".to_owned()];
        let mut filter = StopFilter::new(&stops);
        assert_eq!(filter.push("a\nUs"), text("a"));
        assert_eq!(filter.push("es it ।"), text("\nUses it "));
        assert_eq!(filter.finish(), "।");
    }

    #[test]
    fn without_stops_all_passes() {
        assert_eq!(StopFilter::new(&[]).push("abc"), text("abc"));
    }
}
