//! The bytes of one simulated file, twice: as programs see them, and as they would be found after a power cut.
//!
//! ```text
//!            write ──▶ live ──▶ dirty sectors ──(sync)──▶ durable
//!                       │             │                      │
//!   process crash keeps ┘             │                      │
//!   power cut: each dirty sector is kept, dropped or torn ───┴──▶ both become this
//! ```
//!
//! Both images share their pages until one is written to, so a file that was synced costs its bytes once.
//!
//! Invariants:
//! - bytes of a page beyond the size are zero, in both images
//! - a page that differs between the images has its differing sectors in `dirty` or in `lost`, or lies beyond a cut
//!   that is not durable yet
//! - `used` counts pages that are held or reserved, each once

use super::rng::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// What a disk writes whole or, when torn, in part.
pub const SECTOR: u64 = 512;
const SECTOR_BYTES: usize = 512;

type Page = [u8; PAGE_BYTES];

fn word(x: u64) -> usize {
    usize::try_from(x).expect("a page's worth, or what fits a slice")
}

#[derive(Clone, Default)]
struct Image {
    size: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Image {
    fn read(&self, position: u64, into: &mut [u8]) -> usize {
        let len = word(self.size.saturating_sub(position).min(into.len() as u64));
        let mut done = 0;
        while done < len {
            let at = position + done as u64;
            let within = word(at % PAGE);
            let part = (PAGE_BYTES - within).min(len - done);
            let target = &mut into[done..done + part];
            match self.pages.get(&(at / PAGE)) {
                Some(page) => target.copy_from_slice(&page[within..within + part]),
                None => target.fill(0),
            }
            done += part;
        }
        len
    }

    fn truncate(&mut self, len: u64) {
        if len < self.size {
            self.pages.split_off(&len.div_ceil(PAGE));
            let within = word(len % PAGE);
            if within > 0
                && let Some(page) = self.pages.get_mut(&(len / PAGE))
            {
                Arc::make_mut(page)[within..].fill(0);
            }
        }
        self.size = len;
    }

    fn page_mut(&mut self, index: u64) -> &mut Page {
        Arc::make_mut(self.pages.entry(index).or_insert_with(|| Arc::new([0; PAGE_BYTES])))
    }
}

/// What a sync that is under way will make durable.
pub struct Snapshot {
    taken: u64,
    size: u64,
    pages: Vec<(u64, Arc<Page>, u8)>,
}

/// What a power cut did to unsynced sectors, for tests that ask whether all of it occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wreck {
    pub kept: u64,
    pub dropped: u64,
    pub torn: u64,
}

#[derive(Default)]
pub struct Content {
    live: Image,
    durable: Image,
    /// Sectors written since the last sync, one bit each, by page.
    dirty: BTreeMap<u64, u8>,
    /// Sectors that a failed sync has marked clean: no later sync writes them.
    lost: BTreeMap<u64, u8>,
    /// The shortest this file was cut to by truncations that are not durable.
    cut: Option<u64>,
    /// Reserved pages: start to end, half-open, disjoint.
    reserved: BTreeMap<u64, u64>,
    used: u64,
    /// Counts snapshots, so that an older one never overwrites what a newer one made durable.
    taken: u64,
    hardened: u64,
    /// Cuts made while snapshots were under way: how many had been taken, and to which length.
    cuts: Vec<(u64, u64)>,
    /// Highest byte written since the machine started; about there the page cache is warm.
    written_end: u64,
}

impl Content {
    pub fn size(&self) -> u64 {
        self.live.size
    }
    /// Pages held or reserved.
    pub fn used(&self) -> u64 {
        self.used
    }
    pub fn read(&self, position: u64, into: &mut [u8]) -> usize {
        self.live.read(position, into)
    }
    pub fn written_end(&self) -> u64 {
        self.written_end
    }

    /// Pages that a write there would take.
    pub fn wants(&self, position: u64, len: u64) -> u64 {
        if len == 0 {
            return 0;
        }
        self.missing(position / PAGE, (position + len).div_ceil(PAGE))
    }

    fn missing(&self, start: u64, end: u64) -> u64 {
        let mut missing = 0;
        let mut at = start;
        while at < end {
            match self.reserved.range(..=at).next_back() {
                Some((_, reserved_end)) if *reserved_end > at => at = *reserved_end,
                _ => {
                    let gap_end = self.reserved.range(at..).next().map_or(end, |(s, _)| *s).min(end);
                    missing += gap_end - at - self.live.pages.range(at..gap_end).count() as u64;
                    at = gap_end;
                }
            }
        }
        missing
    }

    pub fn write(&mut self, position: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.used += self.wants(position, bytes.len() as u64);
        let mut done = 0;
        while done < bytes.len() {
            let at = position + done as u64;
            let within = word(at % PAGE);
            let part = (PAGE_BYTES - within).min(bytes.len() - done);
            self.live.page_mut(at / PAGE)[within..within + part].copy_from_slice(&bytes[done..done + part]);
            *self.dirty.entry(at / PAGE).or_default() |= sectors(within, within + part);
            done += part;
        }
        let end = position + bytes.len() as u64;
        self.live.size = self.live.size.max(end);
        self.written_end = self.written_end.max(end);
    }

    /// Cuts or lengthens it. A cut becomes durable by [`Content::harden_cut`].
    pub fn truncate(&mut self, len: u64) {
        if len < self.live.size {
            self.cut = Some(self.cut.map_or(len, |cut| cut.min(len)));
            if self.taken > self.hardened {
                self.cuts.push((self.taken, len));
            }
            self.dirty.split_off(&len.div_ceil(PAGE));
            self.lost.split_off(&len.div_ceil(PAGE));
        }
        self.live.truncate(len);
        let end = len.div_ceil(PAGE);
        self.reserved.split_off(&end);
        if let Some(mut last) = self.reserved.last_entry() {
            *last.get_mut() = (*last.get()).min(end);
        }
        self.count();
        self.written_end = self.written_end.min(len);
    }

    pub fn reserve(&mut self, position: u64, len: u64) {
        if len == 0 {
            return;
        }
        let (mut start, mut end) = (position / PAGE, (position + len).div_ceil(PAGE));
        self.used += self.missing(start, end);
        while let Some((&s, &e)) = self.reserved.range(..=end).next_back()
            && e >= start
        {
            self.reserved.remove(&s);
            start = start.min(s);
            end = end.max(e);
        }
        self.reserved.insert(start, end);
    }

    fn count(&mut self) {
        let reserved: u64 = self.reserved.iter().map(|(s, e)| e - s).sum();
        let inside: u64 = self.reserved.iter().map(|(s, e)| self.live.pages.range(*s..*e).count() as u64).sum();
        self.used = reserved + self.live.pages.len() as u64 - inside;
    }

    // ---- becoming durable

    /// Everything that is dirty now.
    pub fn snapshot(&mut self) -> Snapshot {
        self.taken += 1;
        let pages = self.dirty.iter().map(|(index, mask)| (*index, self.live.pages[index].clone(), *mask)).collect();
        Snapshot { taken: self.taken, size: self.live.size, pages }
    }

    /// The sync that took `snapshot` has succeeded. Cuts made before it are durable already.
    pub fn harden(&mut self, snapshot: Snapshot) {
        if snapshot.taken < self.hardened {
            return;
        }
        self.hardened = snapshot.taken;
        self.durable.size = snapshot.size;
        for (index, page, mask) in snapshot.pages {
            // Written again since: those sectors stay dirty, and what the snapshot saw of them is on disk.
            let untouched = self.live.pages.get(&index).is_some_and(|live| Arc::ptr_eq(live, &page));
            if untouched {
                clear(&mut self.dirty, index, mask);
                clear(&mut self.lost, index, mask);
            }
            if mask == u8::MAX || (untouched && !self.lost.contains_key(&index) && !self.dirty.contains_key(&index)) {
                self.durable.pages.insert(index, page);
            } else {
                copy_sectors(self.durable.page_mut(index), &page, mask);
            }
        }
        // What was cut off since the snapshot does not come back with it.
        let cut = self.cuts.iter().filter(|(taken, _)| *taken >= snapshot.taken).map(|(_, len)| *len).min();
        if let Some(cut) = cut.filter(|cut| *cut < self.durable.size) {
            self.durable.truncate(cut);
        }
        self.cuts.retain(|(taken, _)| *taken > snapshot.taken);
    }

    /// A truncation to `len` has become durable; `left` says which others have not.
    pub fn harden_cut(&mut self, len: u64, left: Option<u64>) {
        if len < self.durable.size {
            self.durable.truncate(len);
        }
        self.cut = left;
    }

    /// A sync failed: what was dirty counts as clean from now on, and is not on disk. `forget`: nor is it in memory.
    pub fn lose(&mut self, forget: bool) {
        for (index, mask) in std::mem::take(&mut self.dirty) {
            *self.lost.entry(index).or_default() |= mask;
            if forget {
                let visible = word(self.live.size.saturating_sub(index * PAGE).min(PAGE));
                let old = self.durable.pages.get(&index).cloned();
                let live = self.live.page_mut(index);
                match old {
                    Some(old) => copy_sectors(live, &old, mask),
                    None => copy_sectors(live, &[0; PAGE_BYTES], mask),
                }
                // Beyond the size nothing may be seen, whichever page it came from.
                live[visible..].fill(0);
            }
        }
    }

    /// Drops what programs see; the file is unlinked and closed.
    pub fn forget(&mut self) {
        self.live = Image::default();
        self.dirty.clear();
        self.lost.clear();
        self.reserved.clear();
        self.used = 0;
    }
    pub fn is_forgotten(&self) -> bool {
        self.live.size == 0 && self.live.pages.is_empty() && self.dirty.is_empty() && self.lost.is_empty()
    }

    /// The power is gone: what was not synced is kept, dropped or torn, sector by sector.
    pub fn power_cut(&mut self, rng: &mut Rng, wreck: &mut Wreck) {
        let mut found = self.durable.clone();
        if !self.is_forgotten() {
            found.size = match self.cut {
                // An undone truncation brings the old end back.
                Some(_) => self.durable.size,
                None if self.live.size > self.durable.size => match rng.below(4) {
                    0 => self.durable.size,
                    1 | 2 => self.live.size,
                    _ => rng.between(self.durable.size, self.live.size),
                },
                None => self.durable.size,
            };
            let mut unsettled = std::mem::take(&mut self.dirty);
            for (index, mask) in std::mem::take(&mut self.lost) {
                *unsettled.entry(index).or_default() |= mask;
            }
            // Blocks freed by a truncation are not written to before it is durable.
            let beyond = self.cut.map_or(u64::MAX, |cut| cut.div_ceil(PAGE));
            // Often all of a file shares one fate, as it does when write-back has or has not come by.
            let fate = rng.below(4);
            for (index, mask) in unsettled.range(..beyond) {
                let Some(live) = self.live.pages.get(index) else { continue };
                for sector in 0..PAGE_BYTES / SECTOR_BYTES {
                    if mask & (1 << sector) == 0 {
                        continue;
                    }
                    let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                    let end = match fate {
                        0 => SECTOR_BYTES,
                        1 => 0,
                        _ => match rng.below(8) {
                            0..=3 => SECTOR_BYTES,
                            4..=6 => 0,
                            _ => word(rng.between(1, SECTOR - 1)),
                        },
                    };
                    match end {
                        0 => wreck.dropped += 1,
                        SECTOR_BYTES => wreck.kept += 1,
                        _ => wreck.torn += 1,
                    }
                    if end > 0 {
                        found.page_mut(*index)[range.start..range.start + end].copy_from_slice(&live[range.start..range.start + end]);
                    }
                }
            }
            let size = found.size;
            found.size = u64::MAX;
            found.truncate(size);
        }
        self.live = found.clone();
        self.durable = found;
        self.dirty.clear();
        self.lost.clear();
        self.cut = None;
        self.cuts.clear();
        self.hardened = self.taken;
        self.count();
        self.written_end = 0;
    }

    pub fn check(&self) {
        for image in [&self.live, &self.durable] {
            if let Some((index, page)) = image.pages.last_key_value() {
                let visible = word(image.size.saturating_sub(index * PAGE).min(PAGE));
                assert!(page[visible..].iter().all(|b| *b == 0), "bytes beyond the end of a file");
            }
        }
    }
}

/// Sectors touched by bytes `start..end` of a page.
fn sectors(start: usize, end: usize) -> u8 {
    let mut mask = 0;
    for sector in start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
        mask |= 1 << sector;
    }
    mask
}

fn clear(masks: &mut BTreeMap<u64, u8>, index: u64, mask: u8) {
    if let Some(left) = masks.get_mut(&index) {
        *left &= !mask;
        if *left == 0 {
            masks.remove(&index);
        }
    }
}

fn copy_sectors(to: &mut Page, from: &Page, mask: u8) {
    for sector in 0..PAGE_BYTES / SECTOR_BYTES {
        if mask & (1 << sector) != 0 {
            let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
            to[range.clone()].copy_from_slice(&from[range]);
        }
    }
}
