//! What is kept, frozen and removed: incidents, holds, erasures, purges.

use crate::member::{List, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Digest, Id, KeyId, Pseudonym, RetentionClass, Timestamp};

members! {
    /// A serious incident; its description is the payload `incident.report`.
    pub struct Incident {
        /// When the organisation became aware.
        aware_at: Timestamp => R "73" "S";
        /// Who says so.
        by: Option<Pseudonym> => r "profile" "P C";
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
        /// Who placed it.
        by: Option<Pseudonym> => r "profile" "P C";
        /// The hold's own id; several events of one id freeze what any of them names.
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

impl Scope {
    /// Whether an event is frozen: of this decision (`None`: of the system's life), class and time, about these persons. A hold
    /// covers a decision if a scope of its covers any event of it.
    pub fn covers(
        &self,
        decision: Option<Id>,
        class: &RetentionClass,
        logged_at: Timestamp,
        subjects: &[Pseudonym],
    ) -> bool {
        (self.classes.is_empty() || self.classes.contains(class))
            && (self.decisions.is_empty() || decision.is_some_and(|id| self.decisions.contains(&id)))
            && self.from.is_none_or(|from| logged_at >= from)
            && (self.subjects.is_empty() || self.subjects.iter().any(|subject| subjects.contains(subject)))
            && self.to.is_none_or(|to| logged_at < to)
    }
}

members! {
    /// A hold ended.
    pub struct HoldReleased {
        /// On what ground.
        basis: Basis => R "73, 75a(6)(b)" "S";
        /// Who released it.
        by: Option<Pseudonym> => r "profile" "P C";
        /// The hold.
        hold: Id => R "73, 75a(6)(b)" "P";
    }
}

members! {
    /// Keys are to be destroyed (`intent`), are withheld from that (`withheld`), have been destroyed (`completed`), or are not to be
    /// (`refused`). The order's text is the payload `order`, the certificate the payload `certificate`.
    pub struct Erasure {
        /// When the last backup that may still hold the keys is gone.
        backup_horizon: Option<Timestamp> => R "GDPR 17" "C" when "completed, and backups exist";
        /// Who asked for it to be done.
        by: Option<Pseudonym> => r "profile" "P C";
        /// SHA-256 of the certificate.
        certificate: Option<Digest> => R "GDPR 17" "P" when "completed";
        /// How many decisions are concerned, the withheld ones not counted.
        decisions: Count => R "GDPR 17" "P";
        /// The holds that withhold keys, or for which the erasure is refused.
        holds: List<Id> => R "GDPR 17" "P" when "a hold withholds keys";
        /// The event that announced it; of what is withheld, the event that follows in the same write.
        intent: Option<Id> => R "GDPR 17" "P" when "completed or withheld";
        /// The keys.
        keys: List<KeyId> => R "GDPR 17" "P";
        /// On whose order.
        order: OrderKind => R "GDPR 17" "S";
        /// Announced, withheld, done or refused.
        phase: ErasurePhase => R "GDPR 17" "P";
        /// Why keys are withheld, or the erasure is refused.
        refusals: List<Refusal> => R "GDPR 17(3)" "P" when "keys are withheld, or it is refused";
        /// The earlier intent whose withheld keys this erasure destroys.
        resumes: Option<Id> => R "GDPR 17" "P" when "it destroys what was withheld";
        /// The epoch of the root key that came with it.
        root_epoch: Option<u32> => R "GDPR 17" "P" when "completed";
        /// Every store that was touched.
        stores: List<Store> => R "GDPR 17" "P" when "completed";
        /// The persons, by pseudonym.
        subjects: List<Pseudonym> => R "GDPR 17" "P" when "persons are erased, not single decisions";
        /// The earliest time at which a legal duty to keep the withheld keys may end.
        until: Option<Timestamp> => R "GDPR 17(3)(b)" "P" when "a legal duty withholds keys";
        /// How many decisions' keys are withheld, or kept by a refusal.
        withheld: Count => R "GDPR 17" "P";
    }
}

members! {
    /// Records were removed, or are about to be, under a retention policy. Of `payloads`: the sealed payloads and keys of one class, of the
    /// entries from `first` to `last`. Of `entries`: the entries from `first` to `last` themselves. What is held, or is to be kept longer,
    /// stays. A reader takes what the event covers for removed from here on, whether or not it is gone yet.
    pub struct Purge {
        /// Bytes that are removed.
        bytes: Count => R "19, 26(6)" "P";
        /// The retention class.
        class: Option<RetentionClass> => R "19, 26(6)" "C" when "payloads are removed";
        /// Entries that are removed, or whose payloads are.
        entries: Count => R "19, 26(6)" "P";
        /// Index of the first entry of the range.
        first: Count => R "19, 26(6)" "P";
        /// The holds that keep something of the range.
        holds: List<Id> => R "73, 75a(6)(b)" "P" when "a hold keeps something";
        /// Entries of the range that are kept, or whose payloads are: held, or of a longer class.
        kept: Count => R "19, 26(6)" "P";
        /// Index of the last entry of the range.
        last: Count => R "19, 26(6)" "P";
        /// SHA-256 of each pack removed, in the order of their names.
        packs: List<Digest> => R "19, 26(6)" "P" when "packs are removed";
        /// Payloads that are removed.
        payloads: Count => R "19, 26(6)" "P";
        /// The policy, `<name>/<version>`.
        policy: ClearName => R "19, 26(6)" "C";
        /// SHA-256 of the policy.
        policy_sha256: Option<Digest> => R "19, 26(6)" "C" when "it is registered";
        /// What is removed.
        what: Purged => R "19, 26(6)" "P";
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
        /// These keys are withheld from the erasure whose intent follows.
        Withheld = "withheld",
        /// The keys are destroyed, in every store.
        Completed = "completed",
        /// Nothing is destroyed.
        Refused = "refused",
    }
}

text_enum! {
    /// Why content is not erased although that was asked for.
    pub enum Refusal {
        /// A hold stands.
        Hold = "hold",
        /// The law asks for the record (Article 17(3)(b) GDPR with Articles 19 and 26(6)), until its floor is reached.
        LegalDuty = "legal_duty",
    }
}

text_enum! {
    /// What a purge removes.
    pub enum Purged {
        /// Sealed payloads, and the keys that open them.
        Payloads = "payloads",
        /// Entries: their bytes, whose hashes stay.
        Entries = "entries",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(scope: &Scope, decision: u64, class: &str, at: u64, subject: u8) -> bool {
        let class = RetentionClass::new(class).unwrap();
        let subjects = [Pseudonym::new([subject; 16])];
        scope.covers(Some(Id::new(decision, &[0; 10])), &class, Timestamp(at), &subjects)
    }

    #[test]
    fn a_scope_covers_what_fits_every_member_that_is_there() {
        assert!(covers(&Scope::default(), 1, "default", 5, 1), "all, if no member is there");
        let scope = Scope {
            classes: vec![RetentionClass::new("loans").unwrap(), RetentionClass::default()].into(),
            decisions: vec![Id::new(1, &[0; 10]), Id::new(2, &[0; 10])].into(),
            from: Some(Timestamp(5)),
            subjects: vec![Pseudonym::new([1; 16]), Pseudonym::new([2; 16])].into(),
            to: Some(Timestamp(9)),
        };
        assert!(covers(&scope, 2, "default", 5, 1) && covers(&scope, 1, "loans", 8, 2));
        assert!(!covers(&scope, 3, "default", 5, 1), "another decision");
        assert!(!covers(&scope, 2, "health", 5, 1), "another class");
        assert!(!covers(&scope, 2, "default", 4, 1) && !covers(&scope, 2, "default", 9, 1), "another time");
        assert!(!covers(&scope, 2, "default", 5, 3), "another person");
    }

    #[test]
    fn the_systems_life_is_of_no_decision_and_about_nobody() {
        let class = RetentionClass::default();
        let life = |scope: &Scope| scope.covers(None, &class, Timestamp(5), &[]);
        assert!(life(&Scope::default()) && life(&Scope { to: Some(Timestamp(6)), ..Scope::default() }));
        assert!(!life(&Scope { decisions: vec![Id::new(1, &[0; 10])].into(), ..Scope::default() }));
        assert!(!life(&Scope { subjects: vec![Pseudonym::new([1; 16])].into(), ..Scope::default() }));
    }
}
