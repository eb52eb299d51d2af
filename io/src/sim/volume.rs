//! One simulated file system: names, and the journal that makes changes of names durable in order.
//!
//! ```text
//!   create, rename, remove, truncate ──▶ live tree, at once
//!                                   └──▶ journal ──(sync_dir, most syncs, now and then by itself)──▶ durable tree
//!   power cut: a drawn prefix of the journal survives, then live becomes durable
//! ```
//!
//! That is what journalling file systems promise and no more: a rename is whole or has not happened, and of two changes
//! the later never survives alone. A sync of a file usually takes its name along, as ext4 does, but need not.
//!
//! Invariants: every entry of a directory names a node that exists; a node without live name, durable name, open handle
//! or journal entry does not exist; `used` is the sum of what all contents use.

use super::content::{Content, PAGE, Snapshot, Wreck};
use super::rng::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::io::Error;

type Result<T> = std::io::Result<T>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ino(pub u64);

pub const ROOT: Ino = Ino(1);

/// Longer than any file of a simulated machine; a position beyond it is a broken caller.
const FILE_BYTES_MAX: u64 = 1 << 42;
/// Changes of names after which the journal is written out by itself. More would only make power cuts wilder.
const JOURNAL_MAX: usize = 512;

pub fn errno(code: i32) -> Error {
    Error::from_raw_os_error(code)
}

enum Kind {
    File(Content),
    Dir { live: BTreeMap<String, Ino>, durable: BTreeMap<String, Ino> },
}

struct Node {
    kind: Kind,
    /// Where it is, or was before it was removed.
    parent: Ino,
    name: String,
    /// It has a name in the live tree.
    linked: bool,
    /// Names in the durable tree.
    durable_links: u32,
    /// Mentions in the journal.
    journaled: u32,
    opens: u32,
    lock: Option<u64>,
}

enum Change {
    Enter { dir: Ino, name: String, ino: Ino },
    Leave { dir: Ino, name: String, ino: Ino },
    Move { from: (Ino, String), to: (Ino, String), ino: Ino },
    Cut { ino: Ino, len: u64 },
}

impl Change {
    fn ino(&self) -> Ino {
        match self {
            Change::Enter { ino, .. } | Change::Leave { ino, .. } | Change::Move { ino, .. } | Change::Cut { ino, .. } => *ino,
        }
    }
}

pub struct Volume {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    journal: VecDeque<Change>,
    /// Bytes; may be changed at any time.
    pub capacity: u64,
    used_pages: u64,
    locks: u64,
    /// Every operation fails until it is mended.
    pub broken: bool,
    pub wreck: Wreck,
}

impl Volume {
    pub fn new(capacity: u64) -> Volume {
        let root = Node {
            kind: Kind::Dir { live: BTreeMap::new(), durable: BTreeMap::new() },
            parent: ROOT,
            name: String::new(),
            linked: true,
            durable_links: 1,
            journaled: 0,
            opens: 0,
            lock: None,
        };
        Volume {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: Ino(ROOT.0 + 1),
            journal: VecDeque::new(),
            capacity,
            used_pages: 0,
            locks: 0,
            broken: false,
            wreck: Wreck::default(),
        }
    }

    // ---- names

    fn dir(&self, ino: Ino) -> Result<&BTreeMap<String, Ino>> {
        match &self.nodes[&ino].kind {
            Kind::Dir { live, .. } => Ok(live),
            Kind::File(_) => Err(errno(libc::ENOTDIR)),
        }
    }
    fn dir_mut(&mut self, ino: Ino) -> Result<&mut BTreeMap<String, Ino>> {
        match &mut self.node(ino).kind {
            Kind::Dir { live, .. } => Ok(live),
            Kind::File(_) => Err(errno(libc::ENOTDIR)),
        }
    }
    fn node(&mut self, ino: Ino) -> &mut Node {
        self.nodes.get_mut(&ino).expect("a node that something names")
    }
    fn content(&mut self, ino: Ino) -> Result<&mut Content> {
        match &mut self.node(ino).kind {
            Kind::File(content) => Ok(content),
            Kind::Dir { .. } => Err(errno(libc::EISDIR)),
        }
    }

    pub fn find(&self, path: &[&str]) -> Result<Ino> {
        let mut at = ROOT;
        for name in path {
            at = *self.dir(at)?.get(*name).ok_or_else(|| errno(libc::ENOENT))?;
        }
        Ok(at)
    }
    pub fn is_dir(&self, ino: Ino) -> bool {
        matches!(self.nodes[&ino].kind, Kind::Dir { .. })
    }
    /// Name, whether it is a directory, bytes.
    pub fn list(&self, ino: Ino) -> Result<Vec<(String, bool, u64)>> {
        let entries = self.dir(ino)?;
        Ok(entries
            .iter()
            .map(|(name, ino)| match &self.nodes[ino].kind {
                Kind::File(content) => (name.clone(), false, content.size()),
                Kind::Dir { .. } => (name.clone(), true, 0),
            })
            .collect())
    }
    /// Where a node is, or was last.
    pub fn path(&self, ino: Ino) -> String {
        let mut names = Vec::new();
        let mut at = ino;
        while at != ROOT {
            let Some(node) = self.nodes.get(&at) else { break };
            names.push(node.name.as_str());
            at = node.parent;
        }
        names.iter().rev().fold(String::new(), |path, name| path + "/" + name)
    }

    pub fn create(&mut self, dir: Ino, name: &str, is_dir: bool) -> Result<Ino> {
        self.free_or_full(1)?;
        let ino = self.next;
        if self.dir(dir)?.contains_key(name) {
            return Err(errno(libc::EEXIST));
        }
        self.next.0 += 1;
        let kind = if is_dir { Kind::Dir { live: BTreeMap::new(), durable: BTreeMap::new() } } else { Kind::File(Content::default()) };
        self.dir_mut(dir)?.insert(name.to_owned(), ino);
        let node = Node { kind, parent: dir, name: name.to_owned(), linked: true, durable_links: 0, journaled: 0, opens: 0, lock: None };
        self.nodes.insert(ino, node);
        self.record(Change::Enter { dir, name: name.to_owned(), ino });
        Ok(ino)
    }

    pub fn remove(&mut self, dir: Ino, name: &str) -> Result<()> {
        let ino = *self.dir(dir)?.get(name).ok_or_else(|| errno(libc::ENOENT))?;
        if self.is_dir(ino) && !self.dir(ino)?.is_empty() {
            return Err(errno(libc::ENOTEMPTY));
        }
        self.dir_mut(dir)?.remove(name);
        self.record(Change::Leave { dir, name: name.to_owned(), ino });
        self.unlinked(ino);
        Ok(())
    }

    pub fn rename(&mut self, from: (Ino, &str), to: (Ino, &str)) -> Result<()> {
        let ino = *self.dir(from.0)?.get(from.1).ok_or_else(|| errno(libc::ENOENT))?;
        let replaced = self.dir(to.0)?.get(to.1).copied();
        if replaced == Some(ino) {
            return Ok(());
        }
        let mut above = to.0;
        while above != ROOT {
            if above == ino {
                return Err(errno(libc::EINVAL));
            }
            above = self.nodes[&above].parent;
        }
        if let Some(replaced) = replaced {
            match (self.is_dir(ino), self.is_dir(replaced)) {
                (true, false) => return Err(errno(libc::ENOTDIR)),
                (false, true) => return Err(errno(libc::EISDIR)),
                (true, true) if !self.dir(replaced)?.is_empty() => return Err(errno(libc::ENOTEMPTY)),
                _ => {}
            }
        }
        self.dir_mut(from.0)?.remove(from.1);
        self.dir_mut(to.0)?.insert(to.1.to_owned(), ino);
        let node = self.node(ino);
        node.parent = to.0;
        node.name = to.1.to_owned();
        self.record(Change::Move { from: (from.0, from.1.to_owned()), to: (to.0, to.1.to_owned()), ino });
        if let Some(replaced) = replaced {
            self.unlinked(replaced);
        }
        Ok(())
    }

    fn unlinked(&mut self, ino: Ino) {
        self.node(ino).linked = false;
        self.release(ino);
    }

    /// Forgets what nobody can reach any more.
    fn release(&mut self, ino: Ino) {
        let Some(node) = self.nodes.get_mut(&ino) else { return };
        if node.linked || node.opens > 0 {
            return;
        }
        if let Kind::File(content) = &mut node.kind {
            self.used_pages -= content.used();
            content.forget();
        }
        if node.durable_links == 0 && node.journaled == 0 {
            self.nodes.remove(&ino);
        }
    }

    // ---- handles

    pub fn opened(&mut self, ino: Ino) {
        self.node(ino).opens += 1;
    }
    pub fn closed(&mut self, ino: Ino) {
        self.node(ino).opens -= 1;
        self.release(ino);
    }
    /// `None` if somebody holds it.
    pub fn lock(&mut self, ino: Ino) -> Option<u64> {
        self.locks += 1;
        let id = self.locks;
        let node = self.node(ino);
        node.lock.is_none().then(|| {
            node.lock = Some(id);
            id
        })
    }
    pub fn unlock(&mut self, ino: Ino, id: u64) {
        if let Some(node) = self.nodes.get_mut(&ino)
            && node.lock == Some(id)
        {
            node.lock = None;
        }
    }

    // ---- bytes

    pub fn space(&self) -> (u64, u64) {
        (self.capacity, self.capacity.saturating_sub(self.used_pages * PAGE))
    }
    fn free_or_full(&self, pages: u64) -> Result<()> {
        if pages > 0 && pages * PAGE > self.space().1 { Err(errno(libc::ENOSPC)) } else { Ok(()) }
    }
    fn bounded(position: u64, len: u64) -> Result<()> {
        match position.checked_add(len) {
            Some(end) if end <= FILE_BYTES_MAX => Ok(()),
            _ => Err(errno(libc::EFBIG)),
        }
    }

    pub fn size(&mut self, ino: Ino) -> Result<u64> {
        self.content(ino).map(|c| c.size())
    }
    pub fn read(&mut self, ino: Ino, position: u64, into: &mut [u8]) -> Result<usize> {
        self.content(ino).map(|c| c.read(position, into))
    }
    pub fn written_end(&mut self, ino: Ino) -> u64 {
        self.content(ino).map_or(0, |c| c.written_end())
    }
    /// Writes what fits; `ENOSPC` if that is not all.
    pub fn write(&mut self, ino: Ino, position: u64, bytes: &[u8]) -> Result<()> {
        Volume::bounded(position, bytes.len() as u64)?;
        let mut fits = bytes.len() as u64;
        let mut answer = Ok(());
        let free = self.space().1 / PAGE;
        while self.content(ino)?.wants(position, fits) > free {
            // Back to the last boundary of a page.
            let end = position + fits;
            fits = ((end - 1) / PAGE * PAGE).saturating_sub(position);
            answer = Err(errno(libc::ENOSPC));
        }
        let part = &bytes[..usize::try_from(fits).expect("a part of a slice")];
        self.changed(ino, |content| content.write(position, part))?;
        answer
    }
    pub fn truncate(&mut self, ino: Ino, len: u64) -> Result<()> {
        Volume::bounded(0, len)?;
        let cuts = len < self.size(ino)?;
        self.changed(ino, |content| content.truncate(len))?;
        if cuts {
            self.record(Change::Cut { ino, len });
        }
        Ok(())
    }
    pub fn reserve(&mut self, ino: Ino, position: u64, len: u64) -> Result<()> {
        Volume::bounded(position, len)?;
        let wants = self.content(ino)?.wants(position, len);
        self.free_or_full(wants)?;
        self.changed(ino, |content| content.reserve(position, len))
    }
    fn changed(&mut self, ino: Ino, change: impl FnOnce(&mut Content)) -> Result<()> {
        let content = self.content(ino)?;
        let before = content.used();
        change(content);
        let after = content.used();
        self.used_pages = self.used_pages - before + after;
        Ok(())
    }

    // ---- becoming durable

    fn record(&mut self, change: Change) {
        self.node(change.ino()).journaled += 1;
        self.journal.push_back(change);
        if self.journal.len() > JOURNAL_MAX {
            self.commit(JOURNAL_MAX / 2);
        }
    }

    /// Applies the oldest `count` changes to the durable tree.
    pub fn commit(&mut self, count: usize) {
        for _ in 0..count.min(self.journal.len()) {
            let change = self.journal.pop_front().expect("counted");
            self.apply(change);
        }
    }

    fn apply(&mut self, change: Change) {
        let ino = change.ino();
        match change {
            Change::Enter { dir, name, ino } => self.durable_insert(dir, name, ino),
            Change::Leave { dir, name, .. } => self.durable_remove(dir, &name),
            Change::Move { from, to, ino } => {
                // Counted up first, so that the node does not go away between its names.
                self.node(ino).durable_links += 1;
                self.durable_remove(from.0, &from.1);
                self.node(ino).durable_links -= 1;
                self.durable_insert(to.0, to.1, ino);
            }
            Change::Cut { ino, len } => {
                let left = self.cut_left(ino);
                if let Kind::File(content) = &mut self.node(ino).kind {
                    content.harden_cut(len, left);
                }
            }
        }
        self.node(ino).journaled -= 1;
        self.release(ino);
    }
    fn cut_left(&self, ino: Ino) -> Option<u64> {
        self.journal.iter().filter_map(|c| if let Change::Cut { ino: i, len } = c { (*i == ino).then_some(*len) } else { None }).min()
    }
    fn durable_insert(&mut self, dir: Ino, name: String, ino: Ino) {
        let Kind::Dir { durable, .. } = &mut self.node(dir).kind else { unreachable!("names are in directories") };
        let replaced = durable.insert(name, ino);
        self.node(ino).durable_links += 1;
        if let Some(replaced) = replaced {
            self.node(replaced).durable_links -= 1;
            self.release(replaced);
        }
    }
    fn durable_remove(&mut self, dir: Ino, name: &str) {
        let Kind::Dir { durable, .. } = &mut self.node(dir).kind else { unreachable!("names are in directories") };
        let ino = durable.remove(name).expect("a journal that repeats what was done");
        self.node(ino).durable_links -= 1;
        self.release(ino);
    }

    /// What an fdatasync that begins now will make durable. Truncations of this file become durable here already, and
    /// with `with_names` everything else that was journalled before them, its own creation included.
    pub fn begin_sync(&mut self, ino: Ino, with_names: bool) -> Result<Snapshot> {
        let last = self.journal.iter().rposition(|change| change.ino() == ino);
        if let Some(last) = last {
            if with_names {
                self.commit(last + 1);
            } else {
                let (cuts, rest) = std::mem::take(&mut self.journal)
                    .into_iter()
                    .partition(|change| matches!(change, Change::Cut { ino: i, .. } if *i == ino));
                self.journal = rest;
                let cuts: VecDeque<Change> = cuts;
                cuts.into_iter().for_each(|cut| self.apply(cut));
            }
        }
        self.content(ino).map(|c| c.snapshot())
    }
    pub fn end_sync(&mut self, ino: Ino, snapshot: Snapshot) -> Result<()> {
        self.content(ino).map(|c| c.harden(snapshot))
    }
    /// Everything that was written or named becomes durable: `syncfs`.
    pub fn sync_all(&mut self) {
        self.commit(usize::MAX);
        for node in self.nodes.values_mut() {
            if let Kind::File(content) = &mut node.kind {
                let snapshot = content.snapshot();
                content.harden(snapshot);
            }
        }
    }
    pub fn fail_sync(&mut self, ino: Ino, forget: bool) -> Result<()> {
        self.changed(ino, |c| c.lose(forget))
    }

    /// The process is gone, the machine is not.
    pub fn process_crash(&mut self) {
        let inos: Vec<Ino> = self.nodes.keys().copied().collect();
        for ino in inos {
            let node = self.node(ino);
            node.opens = 0;
            node.lock = None;
            self.release(ino);
        }
    }

    pub fn power_cut(&mut self, rng: &mut Rng) {
        let survive = match rng.below(4) {
            0 => 0,
            1 => self.journal.len(),
            _ => rng.index(self.journal.len() + 1),
        };
        self.commit(survive);
        self.journal.clear();
        let mut wreck = self.wreck;
        let inos: Vec<Ino> = self.nodes.keys().copied().collect();
        for ino in inos {
            let node = self.node(ino);
            node.opens = 0;
            node.lock = None;
            node.journaled = 0;
            node.linked = node.durable_links > 0;
            if !node.linked {
                self.nodes.remove(&ino);
                continue;
            }
            match &mut node.kind {
                Kind::File(content) => content.power_cut(rng, &mut wreck),
                Kind::Dir { live, durable } => live.clone_from(durable),
            }
        }
        // A durable name says where its node is.
        let places: Vec<(Ino, Ino, String)> = self
            .nodes
            .iter()
            .filter_map(|(dir, node)| match &node.kind {
                Kind::Dir { live, .. } => Some(live.iter().map(|(name, ino)| (*ino, *dir, name.clone()))),
                Kind::File(_) => None,
            })
            .flatten()
            .collect();
        for (ino, dir, name) in places {
            let node = self.node(ino);
            node.parent = dir;
            node.name = name;
        }
        self.wreck = wreck;
        self.count();
    }

    fn count(&mut self) {
        self.used_pages = self
            .nodes
            .values()
            .map(|node| match &node.kind {
                Kind::File(content) => content.used(),
                Kind::Dir { .. } => 0,
            })
            .sum();
    }

    /// Asserts what the file's head promises.
    pub fn check(&self) {
        let mut used = 0;
        for node in self.nodes.values() {
            match &node.kind {
                Kind::File(content) => {
                    content.check();
                    used += content.used();
                }
                Kind::Dir { live, durable } => {
                    assert!(live.values().all(|ino| self.nodes[ino].linked), "a name of something removed");
                    assert!(durable.values().all(|ino| self.nodes[ino].durable_links > 0), "a durable name of something gone");
                }
            }
        }
        assert_eq!(used, self.used_pages, "pages counted as they come and go, and all at once");
    }
}
