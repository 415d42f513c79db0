//! Sampling: which decisions are recorded, and how many there were.
//!
//! A decision is selected, or not, when it begins. One that is not is kept in memory until it ends: if it failed, was refused or
//! broken off, or a person acted on it, it is recorded as a whole after all; else it is counted. For a while it can still be recorded
//! should a person act on it later. Counts become `sampling` events: of how many decisions so many were selected. A crash takes the
//! counts since the last of them with it, and the next start says that the population of that time is unknown.

mod chance;

use self::chance::{Chance, chance, is_below, method};
use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::seal::Keys;
use crate::recorder::write::{Steps, life_append};
use crate::recorder::{InForce, RecordError, System};
use bytes::Bytes;
use inferlog_log::Flags;
use inferlog_policy::{Method, Sample};
use inferlog_record::body::{Body, ExchangeEnd, Guarantee, Outcome, Sampling, SamplingMethod, StepOutcome};
use inferlog_record::{
    ClearName, Count, DataClass, Id, MediaType, PayloadRole, RetentionClass, Tally, Timestamp, Why,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kind under which the keystore's key makes digests of decisions' ids: whoever has it can check a selection.
const DIGEST_KIND: &str = "inferlog/sampling/v1";

/// A policy's id, and one of its strata.
type StratumOf = (ClearName, Option<ClearName>);

/// What a system's sampling has counted since it was last told.
#[derive(Default)]
pub(crate) struct Sampler {
    counts: Mutex<BTreeMap<StratumOf, Counts>>,
    told: Mutex<Told>,
}

/// Since when counts are of, and which policies the log says all of since this process began.
#[derive(Default)]
struct Told {
    until: Option<Timestamp>,
    explained: Vec<ClearName>,
}

struct Counts {
    policy: Arc<InForce>,
    /// Since when, if that is known.
    from: Option<Timestamp>,
    population: u64,
    selected: u64,
    always: u64,
    /// Where systematic selection began.
    start: u64,
}

/// A decision that was not selected: what is recorded of it, should it have to be.
pub(crate) struct Unselected {
    pub(crate) subjects: Vec<Bytes>,
    pub(crate) class: RetentionClass,
    pub(crate) events: Vec<NewEvent>,
    place: StratumOf,
    /// Whether something happened that is always recorded, whatever is left of what tells of it.
    must_be_kept: bool,
}

impl System {
    /// Says whether a decision that begins is selected, and counts it in the population.
    pub(crate) fn select(&self, decision: Id, opened: &NewEvent) -> Result<Selection, RecordError> {
        let Some(policy) = self.policy() else { return Ok(Selection::Unasked) };
        let Some(sample) = &policy.policy.sampling else { return Ok(Selection::Unasked) };
        let route = match &opened.body {
            Body::DecisionOpened(opened) => opened.route.clone(),
            _ => None,
        };
        let (stratum, chance) = chance(sample, route.as_ref());
        let place = (policy.id.clone(), stratum);
        let mut counts = self.state.sampler.counts.lock();
        let start = match (counts.get(&place), &chance) {
            (Some(counts), _) => counts.start,
            (None, Chance::Every(_)) => self.random()?,
            (None, _) => 0,
        };
        let counts = counts.entry(place.clone()).or_insert_with(|| Counts {
            policy: policy.clone(),
            from: self.state.sampler.told.lock().until,
            population: 0,
            selected: 0,
            always: 0,
            start,
        });
        counts.population += 1;
        let is_selected = match chance {
            Chance::Certain => true,
            Chance::Every(every) => {
                counts.start.wrapping_add(counts.population).is_multiple_of(u64::from(every.max(1)))
            }
            Chance::Of(probability) => is_below(self.digest(decision), probability),
        };
        Ok(if is_selected { Selection::Selected(Place(place)) } else { Selection::PassedOver(Place(place)) })
    }

    /// Counts a decision that was selected, once its opening is known to be durable: what was refused is in no sample. One that is left while
    /// recording ends may be counted as not selected: that makes the sample look smaller, never larger.
    pub(crate) fn count_selected(&self, place: &Place) {
        if let Some(counts) = self.state.sampler.counts.lock().get_mut(&place.0) {
            counts.selected += 1;
        }
    }

    /// A decision that no log has, that began not later than now, and that the policy in force would not have selected: what a person
    /// did about it is recorded, though nothing else of it is known any more.
    pub(crate) fn may_have_passed_over(&self, decision: Id) -> Option<Unselected> {
        let policy = self.policy()?;
        let sample = policy.policy.sampling.as_ref()?;
        let is_past = decision.millis() <= self.now().nanos() / 1_000_000;
        let digest = || self.digest(decision);
        let may_be = match &sample.method {
            Method::Systematic { .. } => true,
            Method::Bernoulli { probability } => !is_below(digest(), *probability),
            Method::Stratified { strata } => strata.iter().any(|one| !is_below(digest(), one.probability)),
        };
        let place = Place((policy.id.clone(), None));
        (is_past && may_be).then(|| Unselected::new(place, Vec::new(), self.class_of(None), Vec::new()))
    }

    fn digest(&self, decision: Id) -> u64 {
        let digest = self.inner.vault.index_digest(Some(DIGEST_KIND), decision.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }

    fn random(&self) -> Result<u64, RecordError> {
        let mut random = [0; 8];
        self.inner.env.rng.fill(&mut random)?;
        Ok(u64::from_be_bytes(random))
    }

    /// The policy's id, where it samples.
    pub(crate) fn sampling_id(&self) -> Option<ClearName> {
        let policy = self.state.policy.read();
        policy.as_ref().filter(|known| known.policy.sampling.is_some()).map(|known| known.id.clone())
    }

    /// Counts a decision that is recorded although it was not selected.
    pub(crate) fn count_always(&self, unselected: &Unselected) {
        if let Some(counts) = self.state.sampler.counts.lock().get_mut(&unselected.place) {
            counts.always += 1;
        }
    }

    /// Says what was selected since this was last said, if anything was counted; the first time with the policy's own words. The caller
    /// does not hold the gate.
    pub(crate) async fn tell_sampling(&self) -> Result<(), RecordError> {
        // From before counts are taken until they are durable, or counted again: an end of recording finds all that was not told.
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        self.tell_counts(true).await
    }

    /// The same when recording ends: the caller holds the gate, and nothing can be sealed. It has room on a full disk too.
    pub(crate) async fn tell_last_sampling(&self) -> Result<(), RecordError> {
        self.tell_counts(false).await
    }

    async fn tell_counts(&self, may_seal: bool) -> Result<(), RecordError> {
        let (mut taken, now) = self.take_counts();
        while let Some((place, counts)) = taken.pop() {
            if counts.population == 0 && counts.selected == 0 && counts.always == 0 {
                continue;
            }
            if let Err(error) = self.tell_count(&place, &counts, now, may_seal).await {
                taken.push((place, counts));
                self.put_back(taken);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn tell_count(
        &self,
        (id, stratum): &StratumOf,
        counts: &Counts,
        now: Timestamp,
        may_seal: bool,
    ) -> Result<(), RecordError> {
        let body = said(counts, stratum.clone(), now);
        if !may_seal {
            return self.tell_counted(body, Flags::RESERVED).await;
        }
        let is_explained = self.state.sampler.told.lock().explained.contains(id);
        if let Some(sample) = counts.policy.policy.sampling.as_ref().filter(|_| !is_explained) {
            self.tell_explained(body, sample).await?;
            self.state.sampler.told.lock().explained.push(id.clone());
            return Ok(());
        }
        self.tell_counted(body, Flags::NONE).await
    }

    fn take_counts(&self) -> (Vec<(StratumOf, Counts)>, Timestamp) {
        let mut counts = self.state.sampler.counts.lock();
        let now = self.now();
        let taken = counts.iter_mut().map(|(place, counts)| {
            let start = counts.start.wrapping_add(counts.population);
            let (policy, from) = (counts.policy.clone(), Some(now));
            let next = Counts { policy, from, population: 0, selected: 0, always: 0, start };
            (place.clone(), std::mem::replace(counts, next))
        });
        let taken = taken.collect();
        self.state.sampler.told.lock().until = Some(now);
        (taken, now)
    }

    /// Counts again what could not be told: it is told with what is counted from now on.
    fn put_back(&self, untold: Vec<(StratumOf, Counts)>) {
        let mut counts = self.state.sampler.counts.lock();
        for (place, untold) in untold {
            let Some(counts) = counts.get_mut(&place) else { continue };
            counts.population += untold.population;
            counts.selected += untold.selected;
            counts.always += untold.always;
            (counts.from, counts.start) = (untold.from, untold.start);
        }
    }

    async fn tell_counted(&self, body: Sampling, flags: Flags) -> Result<(), RecordError> {
        let append = life_append(&self.inner, self.life_event(body)?, flags)?;
        self.state.log.append(vec![append]).await?;
        Ok(())
    }

    async fn tell_explained(&self, body: Sampling, sample: &Sample) -> Result<(), RecordError> {
        let text = |words: &str| NewContent::Sealed {
            media_type: MediaType::Text,
            class: DataClass::Pseudonymous,
            bytes: Bytes::copy_from_slice(words.as_bytes()),
        };
        let mut event = NewEvent::new(body)
            .with(PayloadRole::SamplingRationale, text(&sample.rationale))
            .with(PayloadRole::SamplingAcceptance, text(&sample.acceptance));
        event.reviewer = Some(Bytes::copy_from_slice(sample.approver.as_bytes()));
        let (pending, steps) = self.submit_sealed(event).await?;
        pending.durable().await?;
        steps.mark_durable();
        Ok(())
    }

    /// What is counted is of the time from now on.
    pub(crate) fn begin_counting(&self) {
        self.state.sampler.told.lock().until = Some(self.now());
    }

    /// Says that nobody knows how many decisions were not selected since the recorder before ended in disorder.
    pub(crate) async fn tell_uncounted(&self, from: Timestamp) -> Result<(), RecordError> {
        self.begin_counting();
        let now = self.now();
        let Some(policy) = self.policy() else { return Ok(()) };
        let Some(sample) = &policy.policy.sampling else { return Ok(()) };
        let (method, probability_millionths) = method(sample, None);
        let body = Sampling {
            always: Count(0),
            approver: None,
            from: Some(from.min(now)),
            guarantee: Guarantee::None,
            method,
            policy: policy.id.clone(),
            population: Tally::Unknown,
            probability_millionths,
            selected: Count(0),
            stratum: None,
            to: Some(now),
        };
        self.tell_counted(body, Flags::NONE).await
    }
}

/// What a policy's sampling says of a decision that begins.
pub(crate) enum Selection {
    /// There is nothing to select by.
    Unasked,
    Selected(Place),
    PassedOver(Place),
}

/// Where a decision is counted.
pub(crate) struct Place(StratumOf);

impl Unselected {
    pub(crate) fn new(
        place: Place,
        subjects: Vec<Bytes>,
        class: RetentionClass,
        events: Vec<NewEvent>,
    ) -> Self {
        Self { subjects, class, events, place: place.0, must_be_kept: false }
    }

    /// What is recorded under: made now, for of what is not recorded nothing is kept.
    pub(crate) fn steps(&self, system: &System, decision: Id) -> Result<Steps, RecordError> {
        let steps = Steps::begin_as(system, decision, &self.subjects, self.class.clone());
        steps.inspect_err(|error| system.inner.note(error))
    }

    /// Whether it is recorded, now that these events end it; once it is to be, with fewer of them too.
    pub(crate) fn must_be_kept(&mut self, events: &[NewEvent]) -> bool {
        self.must_be_kept |= is_always_kept(self.events.iter().chain(events));
        self.must_be_kept
    }

    /// Steps of a decision that nothing is recorded of.
    pub(crate) fn no_steps(decision: Id, class: RetentionClass) -> Steps {
        Steps::new(decision, class, Keys::destroyed(decision, Vec::new(), None))
    }

    /// Leaves the content out: that it was not sampled stands in its place.
    pub(crate) fn forget_content(&mut self) {
        self.events = self.events.iter().map(|event| event.without_content(Why::NotSampled)).collect();
    }

    /// Bytes of content that it keeps in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.events.iter().map(NewEvent::bytes).sum()
    }

    /// Takes events that were noted; pieces of an answer are not, which its end holds as a whole.
    pub(crate) fn note(&mut self, events: Vec<NewEvent>) {
        let is_piece = |event: &NewEvent| matches!(&event.body, Body::Delivery(body) if body.end.is_none());
        self.events.extend(events.into_iter().filter(|event| !is_piece(event)));
    }
}

/// Whether a decision with these events is always recorded: something in it failed, was refused or broken off, or a person acted.
pub(crate) fn is_always_kept<'a>(events: impl IntoIterator<Item = &'a NewEvent>) -> bool {
    events.into_iter().any(|event| match &event.body {
        Body::DecisionClosed(body) => body.outcome != Outcome::Answered,
        Body::Inference(body) => body.outcome != StepOutcome::Ok,
        Body::Retrieval(body) => body.outcome != StepOutcome::Ok,
        Body::ToolCall(body) => body.outcome != StepOutcome::Ok,
        Body::Transform(body) => body.outcome != StepOutcome::Ok,
        Body::Delivery(body) => body.end.is_some_and(|end| end != ExchangeEnd::Complete),
        Body::Human(_) | Body::BiometricMatch(_) => true,
        _ => false,
    })
}

fn said(counts: &Counts, stratum: Option<ClearName>, to: Timestamp) -> Sampling {
    let (method, probability_millionths) = match &counts.policy.policy.sampling {
        Some(sample) => method(sample, stratum.as_ref()),
        None => (SamplingMethod::All, None),
    };
    Sampling {
        always: Count(counts.always),
        approver: None,
        from: Some(counts.from.unwrap_or(to).min(to)),
        guarantee: Guarantee::None,
        method,
        policy: counts.policy.id.clone(),
        population: Tally::Known(counts.population),
        probability_millionths,
        selected: Count(counts.selected),
        stratum,
        to: Some(to),
    }
}
