//! Aligned, pooled, counted memory.
//!
//! [`BufMut`] is filled by one owner; [`BufMut::freeze`] turns it into [`Buf`], a counted view that may be sliced, sent
//! to other cores and held by any number of readers. The last view gives the memory back to the [`Pool`] of the core it
//! came from, from whichever thread.
//!
//! Invariants: `len <= capacity`; memory is aligned to 4096 bytes; a pool's `taken` never exceeds its budget unless the
//! caller used [`Pool::take_always`]. Buffers kept for reuse come on top of that, up to `KEPT_MAX`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Alignment of every buffer: what O_DIRECT asks for.
pub const ALIGN: usize = 4096;
/// Smallest and largest capacity kept for reuse; larger ones go back to the allocator.
const CLASS_MIN: usize = 4096;
const CLASS_MAX: usize = 1 << 20;
/// Four sizes per doubling: 4, 8, 12, 16, 20, 24, 28, 32, 40 … KiB. What is asked for is often a power of two and a header
/// (a batch of 64 KiB in its request), and shall not hold twice as much.
const CLASSES: usize = 4 * (CLASS_MAX / CLASS_MIN).ilog2() as usize - 4;
/// Bytes kept for reuse: of one size, and of all. Raising them grows what an idle core holds after a busy time.
const KEPT_CLASS_MAX: usize = 4 << 20;
const KEPT_MAX: usize = 16 << 20;

struct Memory {
    start: NonNull<u8>,
    capacity: usize,
}

// SAFETY: plain memory with one owner; nothing about it is tied to a thread.
unsafe impl Send for Memory {}
// SAFETY: shared access is read-only (`Buf`), exclusive access needs `&mut BufMut`.
unsafe impl Sync for Memory {}

impl Memory {
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, ALIGN).expect("capacity fits an allocation")
    }
    fn new(capacity: usize) -> Memory {
        let layout = Memory::layout(capacity);
        // SAFETY: `capacity` is at least CLASS_MIN, so the layout is not empty.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Memory { start, capacity }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.start.as_ptr(), Memory::layout(self.capacity)) }
    }
}

/// A core's buffers. Cheap to clone; clones share the budget.
#[derive(Clone)]
pub struct Pool(Arc<PoolShared>);

struct PoolShared {
    budget: u64,
    taken: AtomicU64,
    kept: Mutex<Kept>,
    /// Somebody waits for memory: whoever gives some back says so through `wake`, once.
    awaited: AtomicBool,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// Memory for the next ones, by size class.
struct Kept {
    classes: [Vec<Memory>; CLASSES],
    bytes: usize,
}

impl Kept {
    fn take(&mut self, class: usize) -> Option<Memory> {
        let memory = self.classes[class].pop()?;
        self.bytes -= memory.capacity;
        Some(memory)
    }
    /// What is too much comes back, to be freed without the lock.
    fn keep(&mut self, class: usize, memory: Memory) -> Option<Memory> {
        let kept = &mut self.classes[class];
        if (kept.len() + 1) * memory.capacity > KEPT_CLASS_MAX || self.bytes + memory.capacity > KEPT_MAX {
            return Some(memory);
        }
        self.bytes += memory.capacity;
        kept.push(memory);
        None
    }
}

/// The budget is used up; ask again when something has been given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFull;

impl Pool {
    /// `budget`: bytes that may be out at any time.
    pub fn new(budget: u64) -> Pool {
        Pool(Arc::new(PoolShared {
            budget,
            taken: AtomicU64::new(0),
            kept: Mutex::new(Kept { classes: std::array::from_fn(|_| Vec::new()), bytes: 0 }),
            awaited: AtomicBool::new(false),
            wake: OnceLock::new(),
        }))
    }

    /// A buffer of at least `capacity` bytes, empty.
    pub fn take(&self, capacity: usize) -> std::result::Result<BufMut, PoolFull> {
        let capacity = rounded(capacity);
        let within = |taken: u64| taken.checked_add(capacity as u64).filter(|taken| *taken <= self.0.budget);
        self.0.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, within).map_err(|_| PoolFull)?;
        Ok(self.fill(capacity))
    }

    /// The same, whatever the budget says: for answers that end a debt.
    pub fn take_always(&self, capacity: usize) -> BufMut {
        let capacity = rounded(capacity);
        self.0.taken.fetch_add(capacity as u64, Ordering::SeqCst);
        self.fill(capacity)
    }

    /// A buffer that is counted already.
    fn fill(&self, capacity: usize) -> BufMut {
        let kept = class(capacity).and_then(|class| self.0.kept.lock().expect("no panic while held").take(class));
        let memory = kept.unwrap_or_else(|| Memory::new(capacity));
        BufMut { home: Arc::new(Home { memory: Some(memory), pool: self.clone() }), len: 0, capacity }
    }

    /// Bytes that are out now.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }
    pub fn budget(&self) -> u64 {
        self.0.budget
    }

    /// Calls `wake`, from whichever thread it happens on, when memory is given back after [`Pool::await_memory`].
    pub(crate) fn on_memory(&self, wake: Box<dyn Fn() + Send + Sync>) {
        assert!(self.0.wake.set(wake).is_ok(), "one waiter per pool");
    }
    /// Asks for one wake. What is given back from now on is not missed: look at the pool once more after this.
    pub(crate) fn await_memory(&self) {
        self.0.awaited.store(true, Ordering::SeqCst);
    }

    fn give_back(&self, memory: Memory) {
        // Ordered before the look at `awaited`, as `await_memory` is before the waiter's look at `taken`: one of them sees the other.
        self.0.taken.fetch_sub(memory.capacity as u64, Ordering::SeqCst);
        if self.0.awaited.load(Ordering::SeqCst)
            && self.0.awaited.swap(false, Ordering::SeqCst)
            && let Some(wake) = self.0.wake.get()
        {
            wake();
        }
        if let Some(class) = class(memory.capacity) {
            let too_much = self.0.kept.lock().expect("no panic while held").keep(class, memory);
            drop(too_much);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} of {} bytes)", self.taken(), self.budget())
    }
}

/// The size of its class; multiples of ALIGN above the largest.
fn rounded(capacity: usize) -> usize {
    if capacity > CLASS_MAX {
        return capacity.next_multiple_of(ALIGN);
    }
    let capacity = capacity.max(CLASS_MIN);
    // From half a power of two to the next in four steps, none of them smaller than the smallest class.
    let step = (capacity.next_power_of_two() / 8).max(CLASS_MIN);
    capacity.next_multiple_of(step)
}

/// Of a rounded capacity.
fn class(capacity: usize) -> Option<usize> {
    if capacity > CLASS_MAX {
        return None;
    }
    let units = capacity / CLASS_MIN;
    if units <= 4 {
        return Some(units - 1);
    }
    let half = units.next_power_of_two() / 2;
    Some(4 * (half.ilog2() as usize - 1) + (units - half) / (half / 4) - 1)
}

struct Home {
    memory: Option<Memory>,
    pool: Pool,
}

impl Home {
    fn memory(&self) -> &Memory {
        self.memory.as_ref().expect("taken only by Drop")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let memory = self.memory.take().expect("dropped once");
        self.pool.give_back(memory);
    }
}

/// A buffer with one owner: `len` bytes are filled, the rest up to `capacity` is spare.
pub struct BufMut {
    home: Arc<Home>,
    len: usize,
    /// At most what the memory holds; less after [`BufMut::limit`].
    capacity: usize,
}

impl BufMut {
    pub fn capacity(&self) -> usize {
        self.capacity
    }
    /// Makes the rest of the memory unusable, so that a receive stops at the end of a frame.
    pub fn limit(&mut self, capacity: usize) {
        assert!(self.len <= capacity && capacity <= self.home.memory().capacity);
        self.capacity = capacity;
    }
    pub fn spare(&self) -> usize {
        self.capacity() - self.len
    }
    pub fn extend(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.spare(), "{} bytes into {} spare", bytes.len(), self.spare());
        // SAFETY: the spare part holds at least `bytes.len()` bytes and `self` is its only owner.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.spare_ptr(), bytes.len()) };
        self.len += bytes.len();
    }
    /// Fills the rest up to `len` with zeros, or forgets what lies beyond it.
    pub fn resize(&mut self, len: usize) {
        assert!(len <= self.capacity());
        if len > self.len {
            // SAFETY: within the capacity, and `self` is its only owner.
            unsafe { std::ptr::write_bytes(self.spare_ptr(), 0, len - self.len) };
        }
        self.len = len;
    }
    #[allow(clippy::should_implement_trait, reason = "a slice, as in `Vec::as_mut_slice`")]
    pub fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: the first `len` bytes are initialised, and `self` is their only owner.
        unsafe { std::slice::from_raw_parts_mut(self.home.memory().start.as_ptr(), self.len) }
    }
    pub fn freeze(self) -> Buf {
        Buf { range: 0..self.len, home: self.home }
    }
    /// Where the spare part begins; whoever fills it says so by [`BufMut::advance`].
    pub(crate) fn spare_ptr(&mut self) -> *mut u8 {
        // SAFETY: `len <= capacity`, so the result is within the allocation or one past its end.
        unsafe { self.home.memory().start.as_ptr().add(self.len) }
    }
    /// The kernel has filled the next `filled` bytes.
    pub(crate) fn advance(&mut self, filled: usize) {
        assert!(filled <= self.spare());
        self.len += filled;
    }
}

impl Deref for BufMut {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised.
        unsafe { std::slice::from_raw_parts(self.home.memory().start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for BufMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BufMut({} of {})", self.len, self.capacity())
    }
}

/// A counted, immutable view of a part of a buffer.
#[derive(Clone)]
pub struct Buf {
    home: Arc<Home>,
    range: Range<usize>,
}

impl Buf {
    /// A part of this view; shares the memory.
    pub fn slice(&self, range: Range<usize>) -> Buf {
        assert!(range.start <= range.end && range.end <= self.range.len());
        Buf { home: self.home.clone(), range: self.range.start + range.start..self.range.start + range.end }
    }
    /// Memory this view keeps alive: a small slice of a large frame holds the whole frame.
    pub fn held(&self) -> usize {
        self.home.memory().capacity
    }
    /// The buffer itself, if this is the only view of it.
    pub fn try_unfreeze(self) -> std::result::Result<BufMut, Buf> {
        let Buf { mut home, range } = self;
        if Arc::get_mut(&mut home).is_some() && range.start == 0 {
            Ok(BufMut { len: range.end, capacity: home.memory().capacity, home })
        } else {
            Err(Buf { home, range })
        }
    }
}

impl Deref for Buf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let memory = self.home.memory();
        // SAFETY: only initialised bytes are within `range`, and nobody writes to a frozen buffer.
        unsafe { std::slice::from_raw_parts(memory.start.as_ptr().add(self.range.start), self.range.len()) }
    }
}

impl fmt::Debug for Buf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buf({})", self.range.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_returns_to_its_pool_with_the_last_view() {
        let pool = Pool::new(8192);
        let mut buf = pool.take(10).unwrap();
        buf.extend(b"hello");
        let view = buf.freeze();
        let part = view.slice(1..3);
        assert_eq!(&part[..], b"el");
        assert!(pool.take(4097).is_err());
        drop(view);
        assert_eq!(pool.taken(), 4096);
        drop(part);
        assert_eq!(pool.taken(), 0);
    }

    #[test]
    fn threads_that_take_at_once_stay_within_the_budget() {
        let pool = Pool::new(10 * 4096);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let taken: Vec<_> = (0..5).map_while(|_| pool.take(1).ok()).collect();
                        assert!(pool.taken() <= pool.budget());
                        drop(taken);
                    }
                });
            }
        });
        assert_eq!(pool.taken(), 0);
    }

    #[test]
    fn classes_are_dense_and_waste_at_most_a_quarter() {
        let mut sizes: Vec<usize> = (1..=CLASS_MAX).step_by(1111).chain([CLASS_MAX, 65536, 65537]).map(rounded).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let classes: Vec<_> = sizes.iter().map(|size| class(*size).unwrap()).collect();
        assert_eq!(classes, (0..CLASSES).collect::<Vec<_>>(), "{sizes:?}");
        assert!(sizes.iter().all(|size| rounded(*size) == *size && size % ALIGN == 0));
        for asked in (CLASS_MIN..3 * CLASS_MAX).step_by(777) {
            let got = rounded(asked);
            assert!(got >= asked && got - asked <= (asked / 4).max(ALIGN), "{asked} became {got}");
        }
        assert_eq!(class(rounded(CLASS_MAX + 1)), None);
    }

    #[test]
    fn what_is_kept_is_used_again_and_bounded() {
        let pool = Pool::new(1 << 30);
        let first = pool.take(100_000).unwrap();
        let address = first.as_ptr();
        drop(first);
        assert_eq!(pool.take(99_000).unwrap().as_ptr(), address);
        for capacity in [5000, 20_000, 70_000, 100_000, 1 << 20, 3 << 20] {
            drop((0..100).map(|_| pool.take(capacity).unwrap()).collect::<Vec<_>>());
        }
        let kept = pool.0.kept.lock().unwrap();
        assert_eq!(kept.bytes, kept.classes.iter().flatten().map(|memory| memory.capacity).sum::<usize>());
        assert!(kept.bytes > KEPT_MAX / 2 && kept.bytes <= KEPT_MAX, "{}", kept.bytes);
    }

    #[test]
    fn only_a_sole_view_becomes_mutable_again() {
        let pool = Pool::new(1 << 20);
        let mut buf = pool.take(10).unwrap();
        buf.extend(b"abc");
        let view = buf.freeze();
        let twin = view.clone();
        let view = view.try_unfreeze().unwrap_err();
        drop(twin);
        let mut buf = view.try_unfreeze().unwrap();
        buf.extend(b"d");
        assert_eq!(&buf[..], b"abcd");
    }
}
