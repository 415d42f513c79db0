//! Where new keys go: the active page of each topic, the pages of each topic, and the pages that wait for one.

use std::collections::{BTreeSet, HashMap};

use inferlog_record::KeyId;

use crate::page::SLOTS_MAX;
use crate::page::header::Topic;

/// How many page keys are made at once. More make the table's writes rarer, and longer by 40 bytes each.
pub(crate) const READY_PAGES: u32 = 16;

#[derive(Debug, Default)]
pub(crate) struct Allocation {
    /// Page and next slot.
    active: HashMap<Topic, (u32, u16)>,
    /// The pages of each topic, ascending, those assigned in memory alone included.
    catalog: HashMap<Topic, Vec<u32>>,
    /// The topic of each page of the catalog.
    topics: HashMap<u32, Topic>,
    /// Pages whose key is durable and whose topic is open.
    ready: BTreeSet<u32>,
    /// No page below this is made: files of such numbers are there, of which the table knows nothing.
    floor: u32,
}

impl Allocation {
    /// The next slot of the topic's active page, if it has one left.
    pub(crate) fn take_slot(&mut self, topic: &Topic) -> Option<KeyId> {
        let (page, next) = self.active.get_mut(topic).filter(|(_, next)| *next < SLOTS_MAX)?;
        *next += 1;
        Some(KeyId { page: *page, slot: *next - 1 })
    }

    /// Takes slots of `page` from `next` on.
    pub(crate) fn activate(&mut self, topic: &Topic, page: u32, next: u16) {
        self.active.insert(topic.clone(), (page, next));
    }

    /// Takes no more slots of `page`.
    pub(crate) fn deactivate(&mut self, page: u32) {
        self.active.retain(|_, (active, _)| *active != page);
        self.ready.remove(&page);
    }

    pub(crate) fn is_active(&self, topic: &Topic) -> bool {
        self.active.contains_key(topic)
    }

    pub(crate) fn pages(&self, topic: &Topic) -> Vec<u32> {
        self.catalog.get(topic).cloned().unwrap_or_default()
    }

    pub(crate) fn topic(&self, page: u32) -> Option<Topic> {
        self.topics.get(&page).cloned()
    }

    /// A page of `topic` is on disk, or was assigned to it.
    pub(crate) fn add_page(&mut self, topic: &Topic, page: u32) {
        self.ready.remove(&page);
        let pages = self.catalog.entry(topic.clone()).or_default();
        if let Err(place) = pages.binary_search(&page) {
            pages.insert(place, page);
            self.topics.insert(page, topic.clone());
        }
    }

    /// The topic has no pages any more.
    pub(crate) fn drop_topic(&mut self, topic: &Topic) {
        for page in self.catalog.remove(topic).into_iter().flatten() {
            self.topics.remove(&page);
        }
        self.active.remove(topic);
    }

    pub(crate) fn raise_floor(&mut self, floor: u32) {
        self.floor = self.floor.max(floor);
    }

    pub(crate) fn floor(&self) -> u32 {
        self.floor
    }

    pub(crate) fn add_ready(&mut self, pages: impl IntoIterator<Item = u32>) {
        self.ready.extend(pages);
    }

    pub(crate) fn take_ready(&mut self) -> Option<u32> {
        self.ready.pop_first()
    }
}
