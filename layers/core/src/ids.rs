//! Ids that we give out: opaque to callers, sortable by time of creation (UUID version 7).

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new one, later in order than those made before it.
            #[must_use]
            pub fn generate() -> Self {
                Self(format!(concat!($prefix, "{}"), uuid::Uuid::now_v7().simple()))
            }

            /// An id that came from outside. Whether it names something is for the store to say.
            ///
            /// Returns `None` when it cannot be one of ours: callers answer with "not found".
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let rest = text.strip_prefix($prefix)?;
                let well_formed = rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
                well_formed.then(|| Self(text.to_owned()))
            }

            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A conversation.
    ConversationId,
    "conv_"
);
id!(
    /// A message of a conversation.
    MessageId,
    "msg_"
);
id!(
    /// A job that goes on after its request was answered.
    JobId,
    "job_"
);
id!(
    /// One call of a model, as it is metered.
    CallId,
    "call_"
);
id!(
    /// A model of the registry.
    ModelId,
    "mdl_"
);
id!(
    /// A file that was sent, or is to be sent, for later use.
    UploadId,
    "upl_"
);
id!(
    /// One traffic split of a model; its arms are drawn by it.
    RolloutId,
    "rol_"
);
id!(
    /// An answer of a fusion.
    FusedAnswerId,
    "fus_"
);
id!(
    /// An entry of the audit trail.
    AuditId,
    "aud_"
);
id!(
    /// An execution of a state machine.
    ExecutionId,
    "exec_"
);
id!(
    /// An event of the bus.
    EventId,
    "evt_"
);
id!(
    /// Who holds a lease.
    LeaseOwner,
    "own_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_later_sort_later() {
        let first = MessageId::generate();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(first < MessageId::generate());
    }

    #[test]
    fn an_id_of_another_kind_or_with_a_path_in_it_is_not_parsed() {
        assert!(MessageId::parse(MessageId::generate().as_str()).is_some());
        assert!(MessageId::parse(JobId::generate().as_str()).is_none());
        assert!(MessageId::parse("msg_../../../../../../etc/passwd000").is_none());
    }
}
