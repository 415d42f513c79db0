//! Where new keys go: the active page of each topic, the pages of each topic, and the pages that wait for one.

use std::collections::{BTreeSet, HashMap};

use inferlog_record::{KeyId, RetentionClass, SystemName};

use crate::aead::Key;
use crate::error::{Result, VaultError};
use crate::page::SLOTS_MAX;
use crate::page::header::{Scope, Topic};
use crate::table::PageKey;
use crate::vault::{Admin, Inner, Vault};

/// How many page keys are made at once. More make the table's writes rarer, and longer by 40 bytes each.
const READY_PAGES: u32 = 16;

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

impl Vault {
    /// The UTC days, since 1970, that decisions' keys of a system and class are filed under, in order.
    pub fn days(&self, system: &SystemName, class: &RetentionClass) -> Vec<u32> {
        let allocation = self.inner.allocation.lock();
        let days = allocation.catalog.keys().filter_map(|topic| match topic {
            Topic::Decisions(scope) if scope.system == *system && scope.class == *class => Some(scope.day),
            _ => None,
        });
        let mut days: Vec<u32> = days.collect();
        days.sort_unstable();
        days
    }

    /// The numbers of the pages that decisions' keys of a system, class and day are in, in order.
    pub fn pages(&self, scope: &Scope) -> Vec<u32> {
        self.inner.allocation.lock().pages(&Topic::Decisions(scope.clone()))
    }
}

impl Inner {
    /// A slot for a new key.
    pub(crate) fn allocate(&self, topic: &Topic) -> Result<KeyId> {
        if let Some(id) = self.allocation.lock().take_slot(topic) {
            return Ok(id);
        }
        let admin = self.admin.lock();
        // Another thread may have been here first.
        if let Some(id) = self.allocation.lock().take_slot(topic) {
            return Ok(id);
        }
        self.open_page(&admin, topic)?;
        self.allocation.lock().take_slot(topic).ok_or(VaultError::Full)
    }

    /// Gives the topic an active page: its last one if that has room, or a new one.
    fn open_page(&self, admin: &Admin, topic: &Topic) -> Result<()> {
        let (known, was_active) = {
            let allocation = self.allocation.lock();
            (allocation.pages(topic), allocation.is_active(topic))
        };
        // An active page that is full was the last one.
        if let Some(page) = known.last().filter(|_| !was_active) {
            let mut store = self.store.lock();
            let table = self.table();
            // A rewritten page stays closed: the slots of what was erased are not used again.
            if let Some(page_key) = table.pages.get(page).filter(|page_key| page_key.generation == 0) {
                let next = store.next_slot(*page, page_key, topic)?;
                if next < SLOTS_MAX {
                    self.allocation.lock().activate(topic, *page, next);
                    return Ok(());
                }
            }
        }
        let ready = self.allocation.lock().take_ready();
        let page = match ready {
            Some(page) => page,
            None => {
                self.make_ready(admin)?;
                self.allocation.lock().take_ready().ok_or(VaultError::Full)?
            }
        };
        let mut allocation = self.allocation.lock();
        allocation.add_page(topic, page);
        allocation.activate(topic, page, 0);
        Ok(())
    }

    fn make_ready(&self, admin: &Admin) -> Result<()> {
        let mut made = Vec::new();
        let floor = self.allocation.lock().floor();
        self.change_table_as(admin, |table| {
            for _ in 0..READY_PAGES {
                let Some(page) = table.next_page().map(|next| next.max(floor)) else { break };
                table.pages.insert(page, PageKey { generation: 0, key: Key::random(&*self.rng)? });
                made.push(page);
            }
            Ok(())
        })?;
        self.allocation.lock().add_ready(made);
        Ok(())
    }
}
