//! What the command line prints. Nothing else here writes to standard output and standard error.
//!
//! A reader may go away before the end, as `head` does. What is said after that goes nowhere, quietly; a command that
//! works on for its reader alone looks at [`is_read`], and ends.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static READER_GONE: AtomicBool = AtomicBool::new(false);

/// Prints a line for the person, or the program, at the other end.
pub fn say(line: &str) {
    say_part(&format!("{line}\n"));
}

/// Prints without ending the line, and at once.
pub fn say_part(text: &str) {
    if !is_read() {
        return;
    }
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => READER_GONE.store(true, Ordering::Relaxed),
        Err(error) => {
            complain(&format!("mandi: the output cannot be written: {error}"));
            std::process::exit(1);
        }
    }
}

/// Whether what is said is read, as far as was noticed.
pub fn is_read() -> bool {
    !READER_GONE.load(Ordering::Relaxed)
}

/// Prints a line about what went wrong.
pub fn complain(line: &str) {
    // There is nobody else to tell.
    let _ = writeln!(io::stderr(), "{line}");
}
