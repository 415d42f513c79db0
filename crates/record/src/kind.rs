//! Kinds of event.

use crate::text::text_enum;

text_enum! {
    /// What an event says: one step of a decision, or of the system's life.
    pub enum Kind {
        /// A request was admitted: when, on which route, the sealed input.
        DecisionOpened = "decision.opened",
        /// A further request joined an open decision.
        DecisionJoined = "decision.joined",
        /// What the application knew of a decision's input and surroundings, and its request did not show.
        ContextAdded = "context",
        /// One model call.
        Inference = "inference",
        /// One query of an index, and the documents found.
        Retrieval = "retrieval",
        /// One call of a tool, one attempt.
        ToolCall = "tool_call",
        /// One step of pre- or post-processing.
        Transform = "transform",
        /// Intermediate reasoning that the system consumed.
        Reasoning = "reasoning",
        /// The final, user-facing answer.
        Output = "output",
        /// A piece of an answer that was passed on before the answer was whole, or how passing it on ended.
        Delivery = "delivery",
        /// What a person did about the decision.
        Human = "human",
        /// How the decision ended; may recur, the highest index counts.
        DecisionClosed = "decision.closed",
        /// A recorder began to take events.
        RecorderStarted = "recorder.started",
        /// A recorder ended in order.
        RecorderStopped = "recorder.stopped",
        /// Ground truth or feedback that arrived later.
        Label = "label",
        /// A period of use began.
        SessionStarted = "session.started",
        /// A period of use ended.
        SessionEnded = "session.ended",
        /// One comparison with a biometric reference database.
        BiometricMatch = "biometric.match",
        /// A part of the system appears for the first time in this version.
        SystemChanged = "system.changed",
        /// A serious incident: awareness, report, end.
        Incident = "incident",
        /// Records were frozen.
        HoldPlaced = "hold.placed",
        /// A hold ended.
        HoldReleased = "hold.released",
        /// Keys are to be destroyed, or have been.
        Erasure = "erasure",
        /// Records were removed under a retention policy.
        Purge = "purge",
        /// Coverage that is known to be lost.
        Gap = "gap",
        /// The sampling policy in force, and what it selected.
        Sampling = "sampling",
        /// The state of the clock that stamps events.
        Clock = "clock",
        /// Somebody read records.
        Access = "access",
        /// Result of a reconstruction drill.
        Drill = "drill",
        /// Alarm of a monitor or a rule.
        Alert = "alert",
        /// A finding of the record's coverage was accepted until a date.
        RiskAccepted = "risk.accepted",
    }
}

impl Kind {
    /// Whether events of this kind are steps of one decision; the others belong to the system's life.
    pub const fn of_decision(self) -> bool {
        matches!(
            self,
            Kind::DecisionOpened
                | Kind::DecisionJoined
                | Kind::ContextAdded
                | Kind::Inference
                | Kind::Retrieval
                | Kind::ToolCall
                | Kind::Transform
                | Kind::Reasoning
                | Kind::Output
                | Kind::Delivery
                | Kind::Human
                | Kind::DecisionClosed
                | Kind::Label
                | Kind::BiometricMatch
        )
    }

    /// The provision that events of this kind serve.
    pub const fn serves(self) -> &'static str {
        match self {
            Kind::DecisionOpened | Kind::DecisionJoined | Kind::DecisionClosed => "12(1)",
            Kind::Delivery | Kind::RecorderStarted => "12(1)",
            Kind::RecorderStopped | Kind::Gap => "12(1)",
            Kind::Inference => "12(1), 12(2)(a)",
            Kind::ContextAdded => "12(2)(a)",
            Kind::Retrieval | Kind::ToolCall | Kind::Transform | Kind::Reasoning => "12(2)(a)",
            Kind::Output => "12(2)(a), 86",
            Kind::Human => "14(4)(d)–(e), 14(5), 26(2)",
            Kind::Label => "72",
            Kind::SessionStarted | Kind::SessionEnded => "12(3)(a)",
            Kind::BiometricMatch => "12(3)(b)–(d), 14(5)",
            Kind::SystemChanged => "12(2)(a), 3(23)",
            Kind::Incident | Kind::HoldPlaced | Kind::HoldReleased => "73, 75a(6)(b)",
            Kind::Erasure => "GDPR 17",
            Kind::Purge => "19, 26(6)",
            Kind::Sampling | Kind::Clock | Kind::Access | Kind::RiskAccepted => "profile",
            Kind::Drill | Kind::Alert => "72, 12(2)(a)",
        }
    }
}
