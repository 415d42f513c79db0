//! What is kept, frozen and removed: incidents, holds, erasures, purges.

use crate::member::{List, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Digest, Id, KeyId, Pseudonym, RetentionClass, Timestamp};

members! {
    /// A serious incident; its description is the payload `incident.report`.
    pub struct Incident {
        /// When the organisation became aware.
        aware_at: Timestamp => R "73" "S";
        /// What happened.
        category: IncidentCategory => R "73" "S";
        /// The time allowed for the report, days: 15, 10 or 2.
        days: u8 => R "73" "derived";
        /// The hold that freezes the records of it.
        hold: Option<Id> => R "73, 75a(6)(b)" "P" when "records are frozen";
        /// The incident's own id, the same in all its events.
        incident: Id => R "73" "P";
        /// Where its handling stands.
        phase: IncidentPhase => R "73" "S";
    }
}

members! {
    /// Records were frozen; an order's text is the payload `order`.
    pub struct HoldPlaced {
        /// On what ground.
        basis: Basis => R "73, 75a(6)(b)" "S";
        /// The hold's own id.
        hold: Id => R "73, 75a(6)(b)" "P";
        /// The incident behind it.
        incident: Option<Id> => R "73" "S" when "the basis is an incident";
        /// What is frozen.
        scope: Scope => R "73, 75a(6)(b)" "S";
    }
}

members! {
    /// What a hold freezes: records that fit every member that is there; all, if none is.
    #[derive(Default)]
    pub struct Scope {
        /// These retention classes.
        classes: List<RetentionClass> => r "73, 75a(6)(b)" "S";
        /// These decisions.
        decisions: List<Id> => r "73, 75a(6)(b)" "S";
        /// Logged at or after.
        from: Option<Timestamp> => r "73, 75a(6)(b)" "S";
        /// About any of these persons.
        subjects: List<Pseudonym> => r "73, 75a(6)(b)" "S";
        /// Logged before.
        to: Option<Timestamp> => r "73, 75a(6)(b)" "S";
    }
}

members! {
    /// A hold ended.
    pub struct HoldReleased {
        /// On what ground.
        basis: Basis => R "73, 75a(6)(b)" "S";
        /// The hold.
        hold: Id => R "73, 75a(6)(b)" "P";
    }
}

members! {
    /// Keys are to be destroyed (`intent`), or have been (`completed`). The order's text is the payload `order`; payloads
    /// that a hold withholds are the event's references of the role `withheld`.
    pub struct Erasure {
        /// When the last backup that may still hold the keys is gone.
        backup_horizon: Option<Timestamp> => R "GDPR 17" "C" when "completed, and backups exist";
        /// SHA-256 of the certificate.
        certificate: Option<Digest> => R "GDPR 17" "P" when "completed";
        /// How many decisions are concerned.
        decisions: Count => R "GDPR 17" "P";
        /// The holds that withhold payloads.
        holds: List<Id> => R "GDPR 17" "P" when "payloads are withheld";
        /// The event that announced it.
        intent: Option<Id> => R "GDPR 17" "P" when "completed";
        /// The keys.
        keys: List<KeyId> => R "GDPR 17" "P";
        /// On whose order.
        order: OrderKind => R "GDPR 17" "S";
        /// Announced or done.
        phase: ErasurePhase => R "GDPR 17" "P";
        /// The epoch of the root key that came with it.
        root_epoch: Option<u32> => R "GDPR 17" "P" when "completed";
        /// Every store that was touched.
        stores: List<Store> => R "GDPR 17" "P" when "completed";
        /// The persons, by pseudonym.
        subjects: List<Pseudonym> => R "GDPR 17" "P" when "persons are erased, not single decisions";
        /// How many payloads are withheld under a hold.
        withheld: Count => R "GDPR 17" "P";
    }
}

members! {
    /// Records were removed under a retention policy: a prefix of the log, of one class.
    pub struct Purge {
        /// Bytes removed.
        bytes: Count => R "19, 26(6)" "P";
        /// The retention class; every class, if absent.
        class: Option<RetentionClass> => R "19, 26(6)" "C" when "one class is concerned";
        /// Entries removed.
        entries: Count => R "19, 26(6)" "P";
        /// Index of the first entry removed.
        first: Count => R "19, 26(6)" "P";
        /// Entries in the range that are kept: held, or of a longer class.
        kept: Count => R "19, 26(6)" "P";
        /// Index of the last entry of the range.
        last: Count => R "19, 26(6)" "P";
        /// SHA-256 of each pack removed, in the order of their names.
        packs: List<Digest> => R "19, 26(6)" "P" when "packs were removed";
        /// Payloads removed.
        payloads: Count => R "19, 26(6)" "P";
        /// The policy.
        policy: ClearName => R "19, 26(6)" "C";
    }
}

text_enum! {
    /// What a serious incident is (Article 3(49)), and its time limit (Article 73).
    pub enum IncidentCategory {
        /// A person's death: 10 days.
        Death = "death",
        /// Serious harm to a person's health: 15 days.
        HealthHarm = "health_harm",
        /// Serious and irreversible disruption of critical infrastructure: 2 days.
        CriticalInfrastructure = "critical_infrastructure",
        /// A widespread infringement: 2 days.
        WidespreadInfringement = "widespread_infringement",
        /// Infringement of obligations that protect fundamental rights: 15 days.
        FundamentalRights = "fundamental_rights",
        /// Serious harm to property or the environment: 15 days.
        PropertyOrEnvironment = "property_or_environment",
    }
}

impl IncidentCategory {
    /// The time allowed for the report, days (Article 73(2)–(4)).
    pub const fn days(self) -> u8 {
        match self {
            IncidentCategory::Death => 10,
            IncidentCategory::CriticalInfrastructure | IncidentCategory::WidespreadInfringement => 2,
            _ => 15,
        }
    }
}

text_enum! {
    /// Where the handling of an incident stands.
    pub enum IncidentPhase {
        /// The organisation is aware.
        Aware = "aware",
        /// It was reported.
        Reported = "reported",
        /// It is closed.
        Closed = "closed",
    }
}

text_enum! {
    /// On what ground a hold is placed or released.
    pub enum Basis {
        /// An incident.
        Incident = "incident",
        /// An authority's order.
        AuthorityOrder = "authority_order",
        /// A legal claim.
        LegalClaim = "legal_claim",
        /// The organisation's own decision.
        Internal = "internal",
    }
}

text_enum! {
    /// On whose order keys are destroyed.
    pub enum OrderKind {
        /// The person's request.
        Request = "request",
        /// An authority's order.
        Authority = "authority",
        /// A court's order.
        Court = "court",
        /// A policy.
        Policy = "policy",
        /// Recorded by mistake or without a ground.
        Unlawful = "unlawful",
    }
}

text_enum! {
    /// How far an erasure is.
    pub enum ErasurePhase {
        /// From here on nothing is sealed under the keys.
        Intent = "intent",
        /// The keys are destroyed.
        Completed = "completed",
    }
}

text_enum! {
    /// A store that an erasure touches.
    pub enum Store {
        /// Pages, table and root key.
        Keystore = "keystore",
        /// Segments of the write-ahead log.
        Wal = "wal",
        /// The hot index.
        Index = "index",
        /// Packs.
        Packs = "packs",
        /// The object store.
        Archive = "archive",
        /// Tables.
        Lake = "lake",
        /// Backups of the keystore.
        Backups = "backups",
    }
}
