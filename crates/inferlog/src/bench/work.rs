//! The bare work: serialise, compress, seal, hash the same records, with no queue, no thread and no disk.

use std::time::{Duration, Instant};

use inferlog_record::{
    Content, DataClass, Entry, Event, Id, MediaType, PayloadRole, Reference, RetentionClass, Sealed,
    SystemName, Timestamp,
};
use inferlog_vault::{Scope, SealContext, Vault};

use super::sample::{Samples, capture, ended, inference, opened};
use crate::output::Failure;

/// Decisions made in one go before the clock is looked at.
const GO: usize = 64;

/// Makes decisions on one thread for so long, and answers how many a second. The vault gives keys and nothing else; it writes
/// a page of keys now and then, which a decision's share of is nothing.
pub(crate) fn decisions_per_second(vault: &Vault, samples: &Samples, time: Duration) -> Result<f64, Failure> {
    let mut maker = Maker { vault, system: SystemName::new("bench-work")?, minted: 0 };
    let (began, mut made) = (Instant::now(), 0usize);
    while began.elapsed() < time {
        for _ in 0..GO {
            std::hint::black_box(maker.decision(samples, made)?);
            made += 1;
        }
    }
    Ok(made as f64 / began.elapsed().as_secs_f64())
}

struct Maker<'a> {
    vault: &'a Vault,
    system: SystemName,
    minted: u64,
}

impl Maker<'_> {
    fn id(&mut self) -> Id {
        self.minted += 1;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.minted.to_be_bytes());
        Id::new(1_770_000_000_000, &random)
    }

    /// Both entries of a decision, hashed.
    fn decision(&mut self, samples: &Samples, number: usize) -> Result<[inferlog_merkle::Hash; 2], Failure> {
        let decision = self.id();
        let scope = Scope { system: self.system.clone(), class: RetentionClass::default(), day: 20_000 };
        let key = self.vault.decision_key(&scope, decision, &[])?;
        let mut entries = [Vec::new(), Vec::new()];
        let mut first = None;
        for (half, entry) in entries.iter_mut().enumerate() {
            let (event_id, payload) = (self.id(), self.id());
            let role = if half == 0 { PayloadRole::InputRaw } else { PayloadRole::OutputRaw };
            let context = SealContext {
                origin: "bench/bench/0/20260101-00000000",
                event: event_id,
                role: role.as_str(),
                payload,
            };
            let sealed = key.seal(&context, &samples.content(number + half))?;
            let reference = Reference {
                payload,
                role,
                content: Content::Sealed(Sealed {
                    class: DataClass::Personal,
                    media_type: MediaType::Json,
                    encoding: sealed.encoding,
                    size: sealed.size,
                    key_id: key.id(),
                    commitment: sealed.commitment,
                    sealed: sealed.sealed,
                }),
            };
            let at = Timestamp(1_770_000_000_000_000_000);
            let mut event = match half {
                0 => Event::new(event_id, self.system.clone(), at, opened()),
                _ => Event::new(event_id, self.system.clone(), at, inference()),
            };
            (event.started_at, event.ended_at, event.capture) = (Some(at), Some(at), Some(capture()));
            event.payloads.extend(
                first.map(|(first, of): (Reference, Id)| first.again(PayloadRole::InputAssembled, of)),
            );
            event.payloads.push(reference);
            first = Some((reference, event_id));
            let mut events = vec![event];
            if half == 1 {
                let mut end = Event::new(self.id(), self.system.clone(), at, ended());
                (end.started_at, end.ended_at, end.capture) = (Some(at), Some(at), Some(capture()));
                events.push(end);
            }
            *entry = Entry::new(Some(decision), events).to_bytes()?;
        }
        Ok(entries.map(|entry| inferlog_merkle::leaf_hash(&entry)))
    }
}
