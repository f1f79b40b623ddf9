//! Citations: sentences, what a model cites in them, and whether the sources really say it.

mod facts;
mod months;
mod parse;
mod sentence_splitter;
mod strict;
mod support;
mod units;
mod verbatim;
mod verify;

pub use facts::{DateFact, Facts};
pub(crate) use months::is_month;
pub use parse::{Citation, Claim, parse_claim};
pub(crate) use sentence_splitter::labelled;
pub use sentence_splitter::{SentenceBuffer, sentences};
pub(crate) use strict::keeps_to_sources;
pub(crate) use support::alike;
pub use support::{MIN_COVERAGE, MIN_ORDER, Support, best_span, support};
pub use units::Unit;
pub use verbatim::{Haystack, find_verbatim};
pub use verify::{Rejection, Source, VerifiedCitation, VerifiedClaim, verify};
