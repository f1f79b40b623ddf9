//! Leases: who works on something, until when. A holder that dies lets go by not renewing.

use std::time::Duration;

use crate::ids::LeaseOwner;
use crate::ports::{Condition, Record, Update};
use crate::time::Timestamp;

/// The field that names the holder.
const OWNER: &str = "lease_owner";
/// The field that says until when, in milliseconds since the epoch.
const UNTIL: &str = "lease_until";

/// A lease as fields of a record, so that it is taken, renewed and checked in the same write as the work.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Who holds it.
    pub owner: LeaseOwner,
    /// How long it holds without renewal.
    pub duration: Duration,
}

impl Lease {
    /// A lease of a new holder.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self { owner: LeaseOwner::generate(), duration }
    }

    /// Writes the lease into a record that is about to be put.
    #[must_use]
    pub fn on(&self, record: Record, now: Timestamp) -> Record {
        record.with(OWNER, self.owner.as_str()).with(UNTIL, now.plus(self.duration))
    }

    /// Adds taking or renewing to an update. Use with [`Lease::free_or_mine`] or [`Lease::mine`].
    #[must_use]
    pub fn renewing(&self, update: Update, now: Timestamp) -> Update {
        update.set(OWNER, self.owner.as_str()).set(UNTIL, now.plus(self.duration))
    }

    /// Adds letting go to an update.
    #[must_use]
    pub fn releasing(update: Update) -> Update {
        update.remove(OWNER).remove(UNTIL)
    }

    /// This holder has it.
    #[must_use]
    pub fn mine(&self) -> Condition {
        Condition::equals(OWNER, self.owner.as_str())
    }

    /// This holder has it, or nobody has, or whoever had it let it run out.
    #[must_use]
    pub fn free_or_mine(&self, now: Timestamp) -> Condition {
        Condition::Any(vec![self.mine(), Self::run_out(now)])
    }

    /// Nobody has it, or whoever had it let it run out.
    #[must_use]
    pub fn run_out(now: Timestamp) -> Condition {
        Condition::Any(vec![
            Condition::FieldAbsent(UNTIL.to_owned()),
            Condition::LessThan(UNTIL.to_owned(), now.unix_ms()),
        ])
    }

    /// Whether a record's lease, if it has one, still holds.
    #[must_use]
    pub fn holds(record: &Record, now: Timestamp) -> bool {
        record.int(UNTIL).is_some_and(|until| until >= now.unix_ms())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::identity::TenantId;
    use crate::ports::{Key, Partition};

    fn record() -> Record {
        let tenant = TenantId::from_stored("demo").unwrap();
        Record::new(Key::new(Partition::of(&tenant, &["jobs"]), "1"))
    }

    #[test]
    fn a_lease_is_held_until_it_runs_out() {
        let now = Timestamp::from_unix_ms(1_000);
        let lease = Lease::new(Duration::from_secs(1));
        let other = Lease::new(Duration::from_secs(1));
        let held = lease.on(record(), now);

        assert!(lease.free_or_mine(now).holds(Some(&held)));
        assert!(!other.free_or_mine(now).holds(Some(&held)));
        assert!(other.free_or_mine(Timestamp::from_unix_ms(2_001)).holds(Some(&held)));
        assert!(Lease::holds(&held, Timestamp::from_unix_ms(2_000)));
    }

    #[test]
    fn a_released_lease_is_free() {
        let now = Timestamp::from_unix_ms(1_000);
        let mut held = Lease::new(Duration::from_secs(60)).on(record(), now);
        Lease::releasing(Update::new()).apply(&mut held);
        assert!(Lease::new(Duration::from_secs(1)).free_or_mine(now).holds(Some(&held)));
    }
}
