//! [`Slab`]: values under small numbers that are used again, for what is on its way through the kernel.

/// Slots never move while they are in use; the lowest numbers stay in use, so that memory follows the busiest moment only.
pub struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
    pub fn insert(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.slots[index(slot)] = Some(value);
                slot
            }
            None => {
                self.slots.push(Some(value));
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 operations at once")
            }
        }
    }
    pub fn get_mut(&mut self, slot: u32) -> &mut T {
        self.slots[index(slot)].as_mut().expect("slot in use")
    }
    pub fn remove(&mut self, slot: u32) -> T {
        let value = self.slots[index(slot)].take().expect("slot in use");
        self.free.push(slot);
        value
    }
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// Slots are `u32` on their way through the kernel.
pub fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("at least 32 bits")
}
