//! What came after the decision: a guarantor who is forgotten, a new model, an alarm, an override, a label.

use inferlog_record::body::{
    Alert, Aspect, ContextAdded, Erasure, ErasurePhase, Human, HumanAction, Label, LabelOrigin, OrderKind,
    Severity, SystemChanged,
};
use inferlog_record::{Count, Digest, PayloadRole as Role, Pseudonym};

use super::content as say;
use super::{Agentic, MS, Named, bystander};
use crate::world::{DAY_NS, name};

impl Agentic {
    pub(super) fn live_on(&mut self, named: &Named) {
        self.alarmed();
        self.sealer.world.tick(DAY_NS);
        self.guaranteed(named);
        self.sealer.world.tick(4 * DAY_NS);
        self.changed();
        bystander(&mut self.sealer, "Donald");
        self.sealer.world.tick(4 * DAY_NS);
        self.forgotten();
        self.sealer.world.tick(12 * DAY_NS);
        self.overridden(named);
        bystander(&mut self.sealer, "Leslie");
        self.sealer.world.tick(40 * DAY_NS);
        self.labelled(named);
    }

    /// An alarm about the decision is not a part of it.
    fn alarmed(&mut self) {
        let alarm = Alert {
            about: Some(self.draft.decision),
            from: None,
            monitor: name("tool-failures"),
            samples: None,
            severity: Severity::Warning,
            statistic: None,
            threshold_millionths: None,
            to: None,
            value_millionths: None,
        };
        let alarm = self.sealer.world.life("credit", alarm);
        self.sealer.world.commit("credit", &[alarm]);
    }

    /// Another person's words, under that person's key.
    fn guaranteed(&mut self, named: &Named) {
        let draft = self.sealer.resume(self.draft.decision, "Byron");
        self.guarantor = draft.subject.pseudonym().to_string();
        let own = std::mem::replace(&mut self.draft, draft);
        let mut context = self.sdk(ContextAdded::default(), &[named.closed.unwrap()]);
        self.json(&mut context, Role::InputEnriched, say::GUARANTOR);
        self.write(vec![context]);
        self.draft = own;
    }

    fn changed(&mut self) {
        let version = SystemChanged {
            aspect: Aspect::Version,
            decision: None,
            name: Some(name("atlas-credit")),
            new: Some(name("2026-11-24")),
            new_digest: Some(Digest([0xb3; 32])),
            old: Some(name("2026-09-14")),
            old_digest: Some(Digest([0xa7; 32])),
        };
        let prompt = SystemChanged {
            aspect: Aspect::Prompt,
            decision: None,
            name: Some(name("loan-officer")),
            new: Some(name("8")),
            new_digest: Some(Digest([0x5f; 32])),
            old: Some(name("7")),
            old_digest: Some(self.registered[0]),
        };
        for change in [version, prompt] {
            let change = self.sealer.world.life("credit", change);
            self.sealer.world.commit("credit", &[change]);
            self.sealer.world.tick(180_000 * MS);
        }
    }

    /// The guarantor asks to be forgotten.
    fn forgotten(&mut self) {
        let guarantor = self.sealer.vault.find_subject(&crate::sealed::system(), b"Byron").unwrap().unwrap();
        let intent = Erasure {
            backup_horizon: None,
            by: None,
            certificate: None,
            decisions: Count(1),
            holds: Vec::new().into(),
            intent: None,
            keys: vec![guarantor.key_id()].into(),
            order: OrderKind::Request,
            phase: ErasurePhase::Intent,
            refusals: Vec::new().into(),
            resumes: None,
            root_epoch: None,
            stores: Vec::new().into(),
            subjects: vec![guarantor.pseudonym()].into(),
            until: None,
            withheld: Count(0),
        };
        let intent = self.sealer.world.life("credit", intent);
        self.sealer.world.commit("credit", &[intent]);
        self.sealer.world.integrate();
        self.sealer.erase(&guarantor);
    }

    fn overridden(&mut self, named: &Named) {
        let draft = self.sealer.resume(self.draft.decision, "Ada");
        self.draft = draft;
        let reviewer = Some(Pseudonym::new([0xe4; 16]));
        let body = Human { about: named.output, action: HumanAction::Override, reviewer };
        let mut human = self.sdk(body, &[named.closed.unwrap()]);
        self.text(&mut human, Role::HumanBefore, say::BEFORE);
        self.text(&mut human, Role::HumanAfter, say::AFTER);
        self.text(&mut human, Role::HumanReason, say::REASON);
        self.took(&mut human, 0);
        self.write(vec![human]);
    }

    fn labelled(&mut self, named: &Named) {
        let draft = self.sealer.resume(self.draft.decision, "Ada");
        self.draft = draft;
        let body = Label { about: named.output, name: name("arrears"), origin: LabelOrigin::GroundTruth };
        let mut label = self.sdk(body, &[named.closed.unwrap()]);
        self.text(&mut label, Role::LabelValue, say::LABEL);
        self.write(vec![label]);
    }
}
