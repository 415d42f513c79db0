//! The system's life: recorders, changes, lost coverage, clocks, readers, alarms.

use crate::member::{List, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Digest, Id, Millionths, NodeId, Pseudonym, Signed, Tally, Timestamp};

members! {
    /// A recorder began to take events.
    pub struct RecorderStarted {
        /// Build of inferlog.
        build: ClearName => R "12(1)" "P";
        /// SHA-256 of the configuration in force.
        configuration: Digest => R "12(1)" "P";
        /// How the recorder before it ended.
        last_end: LastEnd => R "12(1)" "P";
        /// The node.
        node: NodeId => R "12(1)" "P";
        /// SHA-256 of the policy in force.
        policy: Option<Digest> => R "18, 19, 26(6)" "C" when "a policy is in force";
        /// The shard it writes.
        shard: ClearName => R "12(1)" "C";
    }
}

members! {
    /// A recorder ended in order.
    pub struct RecorderStopped {
        /// The node.
        node: NodeId => R "12(1)" "P";
        /// Why.
        reason: StopReason => R "12(1)" "P";
        /// The shard it wrote.
        shard: ClearName => R "12(1)" "C";
    }
}

members! {
    /// A part of the system appears for the first time in this version: a candidate for a substantial modification.
    /// Texts are the payloads `system.old` and `system.new`.
    pub struct SystemChanged {
        /// Which part.
        aspect: Aspect => R "12(2)(a), 3(23)" "P";
        /// The decision that showed it.
        decision: Option<Id> => r "12(2)(a)" "P";
        /// Which one of its kind.
        name: Option<ClearName> => R "12(2)(a), 3(23)" "P C" when "there are several";
        /// What it is now.
        new: Option<ClearName> => R "12(2)(a), 3(23)" "P" when "it has a name";
        /// Digest of what it is now.
        new_digest: Option<Digest> => R "12(2)(a), 3(23)" "P" when "it has a digest";
        /// What it was before.
        old: Option<ClearName> => R "12(2)(a), 3(23)" "P" when "there was one and it has a name";
        /// Digest of what it was before.
        old_digest: Option<Digest> => R "12(2)(a), 3(23)" "P" when "there was one and it has a digest";
    }
}

members! {
    /// Coverage that is known to be lost.
    pub struct Gap {
        /// How many decisions or events, or unknown.
        count: Tally => R "12(1)" "P";
        /// From when.
        from: Timestamp => R "12(1)" "P";
        /// On which configured route; on all, if absent.
        route: Option<ClearName> => R "12(1)" "C" when "one route is concerned";
        /// To when.
        to: Timestamp => R "12(1)" "P";
        /// Why.
        why: GapReason => R "12(1)" "P";
    }
}

members! {
    /// The sampling policy in force, and what it selected. Its rationale is the payload `sampling.rationale`, its acceptance criteria the
    /// payload `sampling.acceptance`.
    pub struct Sampling {
        /// Decisions recorded although not selected: errors, overrides, incidents.
        always: Count => R "profile" "P";
        /// Who approved it.
        approver: Option<Pseudonym> => R "profile" "C";
        /// Selected from when.
        from: Option<Timestamp> => R "profile" "P" when "it selected";
        /// What it guarantees.
        guarantee: Guarantee => R "profile" "C";
        /// How it selects.
        method: SamplingMethod => R "profile" "C";
        /// The policy's id.
        policy: ClearName => R "profile" "C";
        /// How many decisions there were, or unknown.
        population: Tally => R "profile" "P";
        /// The probability of being selected, in millionths.
        probability_millionths: Option<Millionths> => R "profile" "C" when "the method has one";
        /// How many were selected.
        selected: Count => R "profile" "P";
        /// The stratum that the numbers are of.
        stratum: Option<ClearName> => R "profile" "C" when "the method has strata";
        /// Selected to when.
        to: Option<Timestamp> => R "profile" "P" when "it selected";
    }
}

members! {
    /// The state of the clock that stamps events.
    pub struct Clock {
        /// Who says so, where a person does.
        by: Option<Pseudonym> => r "profile" "P C" when "a person settles it";
        /// From this entry on times were stamped wrongly, somebody says: retention passes over them. Then `disregard_last` stands too.
        disregard_first: Option<Count> => R "profile" "S" when "times are disregarded";
        /// The last entry whose times were stamped wrongly.
        disregard_last: Option<Count> => R "profile" "S" when "times are disregarded";
        /// The largest error it may have, nanoseconds.
        max_error_ns: Option<Count> => R "profile" "P" when "synchronised";
        /// The offset it estimates, nanoseconds.
        offset_ns: Option<Signed> => R "profile" "P" when "synchronised";
        /// Who says so: `kernel`, `chrony`, `none`; `operator`, where a person settles what the clock was worth.
        source: ClearName => R "profile" "P";
        /// Whether it follows a reference.
        synchronised: bool => R "profile" "P";
    }
}

members! {
    /// Somebody read records. The query is the payload `access.query`.
    pub struct Access {
        /// What was done.
        action: AccessAction => R "profile" "P";
        /// Who did it.
        actor: Option<Pseudonym> => R "profile" "P C";
        /// How many decisions were read.
        count: Tally => R "profile" "P";
        /// The decisions, where they are few.
        decisions: List<Id> => r "profile" "P";
        /// Whether it was allowed.
        granted: bool => R "profile" "P";
        /// For what purpose.
        purpose: AccessPurpose => R "profile" "P";
        /// In which role.
        role: AccessRole => R "profile" "C";
    }
}

members! {
    /// Result of a reconstruction drill; details are the payload `report`.
    pub struct Drill {
        /// Decisions that could not be reconstructed as required.
        failed: Count => R "72" "P";
        /// Decisions that could have been drawn.
        population: Tally => r "72" "P";
        /// Its result.
        result: DrillResult => R "72" "P";
        /// Decisions drawn.
        sampled: Count => R "72" "P";
        /// SHA-256 of the report.
        sha256: Option<Digest> => r "72" "P";
    }
}

members! {
    /// Alarm of a monitor or a rule, with its window and statistic, or the decision it is about.
    pub struct Alert {
        /// The decision, of an alarm about one.
        about: Option<Id> => R "72, 12(2)(a)" "P" when "about one decision";
        /// Begin of the window.
        from: Option<Timestamp> => R "72" "P" when "over a window";
        /// The configured monitor or rule.
        monitor: ClearName => R "72, 12(2)(a)" "C";
        /// How many values the window holds.
        samples: Option<Count> => r "72" "P";
        /// How grave.
        severity: Severity => R "72" "C";
        /// The statistic.
        statistic: Option<ClearName> => R "72" "C" when "over a window";
        /// The threshold, in millionths.
        threshold_millionths: Option<Millionths> => R "72" "C" when "over a window";
        /// End of the window.
        to: Option<Timestamp> => R "72" "P" when "over a window";
        /// The statistic's value, in millionths.
        value_millionths: Option<Millionths> => R "72" "P" when "over a window";
    }
}

members! {
    /// Somebody answers for a finding of `inferlog coverage` until a date. Why is the payload `risk.reason`.
    pub struct RiskAccepted {
        /// Who accepted it.
        by: Option<Pseudonym> => R "profile" "P C";
        /// The finding's id, as the coverage report has it.
        finding: ClearName => R "profile" "P";
        /// The rule that found it.
        rule: ClearName => R "profile" "P";
        /// From this time on the finding counts again.
        until: Timestamp => R "profile" "S";
    }
}

text_enum! {
    /// How the recorder before ended.
    pub enum LastEnd {
        /// In order.
        Clean = "clean",
        /// Not in order.
        Unclean = "unclean",
        /// There was none.
        First = "first",
    }
}

text_enum! {
    /// Why a recorder ended.
    pub enum StopReason {
        /// Asked to.
        Requested = "requested",
        /// It could no longer record.
        Failed = "failed",
    }
}

text_enum! {
    /// A part of the system.
    pub enum Aspect {
        /// The model.
        Model = "model",
        /// The model's version.
        Version = "version",
        /// The server's fingerprint.
        Fingerprint = "fingerprint",
        /// A registered prompt.
        Prompt = "prompt",
        /// The tool set.
        Tools = "tools",
        /// An index.
        Index = "index",
        /// The configuration.
        Configuration = "configuration",
        /// The build.
        Build = "build",
        /// The policy.
        Policy = "policy",
    }
}

text_enum! {
    /// Why coverage was lost.
    pub enum GapReason {
        /// A commit failed.
        CommitFailed = "commit_failed",
        /// Storage is full.
        StorageFull = "storage_full",
        /// The recorder could not keep up.
        Overloaded = "overloaded",
        /// The recorder did not run.
        NotRunning = "not_running",
        /// The process ended before the count was written.
        UncleanEnd = "unclean_end",
        /// The log was restored from an older copy.
        Restored = "restored",
        /// A source reported that it dropped some.
        SourceDropped = "source_dropped",
        /// Coverage was switched off.
        SwitchedOff = "switched_off",
    }
}

text_enum! {
    /// How a sampling policy selects.
    pub enum SamplingMethod {
        /// Everything.
        All = "all",
        /// Each by a keyed digest of its id, with the same probability.
        Bernoulli = "bernoulli",
        /// Every n-th, from a random start.
        Systematic = "systematic",
        /// By strata, each with its own probability.
        Stratified = "stratified",
        /// By a rule on the decision.
        Rule = "rule",
        /// Nothing.
        None = "none",
    }
}

text_enum! {
    /// What a sampling policy guarantees.
    pub enum Guarantee {
        /// Every decision is recorded whole.
        Complete = "complete",
        /// Every decision is recorded; payloads are sampled.
        EventsComplete = "events_complete",
        /// Each stratum has its minimum.
        MinimumPerStratum = "minimum_per_stratum",
        /// Nothing beyond the probability.
        None = "none",
    }
}

text_enum! {
    /// What a reader did.
    pub enum AccessAction {
        /// Looked for decisions.
        Find = "find",
        /// Read one decision's content.
        Read = "read",
        /// Queried many.
        Query = "query",
        /// Reconstructed a decision.
        Reconstruct = "reconstruct",
        /// Took content out.
        Export = "export",
        /// Gave openings to another.
        Disclose = "disclose",
        /// Verified.
        Verify = "verify",
    }
}

text_enum! {
    /// For what purpose records are read.
    pub enum AccessPurpose {
        /// Operation and debugging.
        Operation = "operation",
        /// Monitoring after placing on the market.
        Monitoring = "monitoring",
        /// Improvement of the system.
        Improvement = "improvement",
        /// An audit.
        Audit = "audit",
        /// An authority's request.
        Authority = "authority",
        /// An incident.
        Incident = "incident",
        /// A person's request.
        SubjectRequest = "subject_request",
        /// A drill.
        Drill = "drill",
        /// Any other.
        Other = "other",
    }
}

text_enum! {
    /// In which role records are read.
    pub enum AccessRole {
        /// Runs the system.
        Operator = "operator",
        /// Builds it.
        Engineer = "engineer",
        /// Answers for it.
        Compliance = "compliance",
        /// Audits it.
        Auditor = "auditor",
        /// An authority.
        Authority = "authority",
        /// A program.
        Service = "service",
    }
}

text_enum! {
    /// Result of a drill.
    pub enum DrillResult {
        /// Everything drawn was reconstructed.
        Passed = "passed",
        /// Something was not.
        Failed = "failed",
        /// The drill did not finish.
        Incomplete = "incomplete",
    }
}

text_enum! {
    /// How grave an alarm is.
    pub enum Severity {
        /// To be known.
        Info = "info",
        /// To be looked at.
        Warning = "warning",
        /// To be acted upon.
        Critical = "critical",
    }
}
