//! [`Shares`]: which background class may take a step now.
//!
//! Each class has a clock that runs the slower the larger its share is: `used time / share`. When requests are waiting, a
//! class may step while its clock is behind that of the requests; when nothing is waiting, the class that is furthest
//! behind steps. Example: after 8 ms of turns the requests' clock shows 10; replication (15 %) may step for 1.5 ms, the
//! background (5 %) for 0.5 ms.
//!
//! No clock falls more than [`BEHIND_MAX`] behind that of the requests, nor runs more than [`AHEAD_MAX`] ahead: what was not
//! used in a quiet hour is not claimed in a busy second, and what was taken in a quiet hour is not paid back in one.

use crate::Class;
use std::time::Duration;

/// Nanoseconds on the classes' clocks: the longest burst of the background is a twentieth of this, 1 ms.
const BEHIND_MAX: u64 = 20_000_000;
/// For so long a class that took too much, in one step or while nothing waited, waits while requests want the core.
const AHEAD_MAX: u64 = 200_000_000;

/// Classes that step, in the order of preference.
const STEPPING: [Class; 2] = [Class::Replication, Class::Background];

#[derive(Default)]
pub struct Shares {
    requests: u64,
    stepping: [u64; 2],
}

impl Shares {
    pub fn used(&mut self, class: Class, time: Duration) {
        let ran = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(100) / u64::from(class.share());
        match class {
            Class::Requests => self.requests += ran,
            Class::Replication => self.stepping[0] += ran,
            Class::Background => self.stepping[1] += ran,
        }
        for clock in &mut self.stepping {
            *clock = (*clock).clamp(self.requests.saturating_sub(BEHIND_MAX), self.requests + AHEAD_MAX);
        }
    }

    /// Who may step; `waiting`: so are requests.
    pub fn pick(&self, waiting: bool, mut has_work: impl FnMut(Class) -> bool) -> Option<Class> {
        let furthest_behind = STEPPING.iter().zip(self.stepping).filter(|(class, _)| has_work(**class)).min_by_key(|(_, clock)| *clock);
        furthest_behind.filter(|(_, clock)| !waiting || *clock < self.requests).map(|(class, _)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core on which requests always wait; every turn and every step takes 100 µs.
    fn run(steps: usize, has_work: impl Fn(Class) -> bool) -> [u32; 3] {
        let mut shares = Shares::default();
        let mut ran = [0; 3];
        for _ in 0..steps {
            shares.used(Class::Requests, Duration::from_micros(100));
            ran[0] += 1;
            while let Some(class) = shares.pick(true, &has_work) {
                shares.used(class, Duration::from_micros(100));
                ran[if class == Class::Replication { 1 } else { 2 }] += 1;
            }
        }
        ran
    }

    #[test]
    fn when_all_want_everything_each_gets_its_share() {
        // The last step of each may begin before its share is reached.
        let [_, replication, background] = run(8000, |_| true);
        assert!((1500..=1501).contains(&replication), "{replication}");
        assert!((500..=501).contains(&background), "{background}");
    }

    #[test]
    fn what_one_class_does_not_want_goes_to_the_requests() {
        let [_, replication, background] = run(8000, |class| class == Class::Background);
        assert_eq!(replication, 0);
        assert!((500..=501).contains(&background), "{background}");
    }

    #[test]
    fn a_quiet_hour_is_neither_saved_nor_paid_back() {
        let mut shares = Shares::default();
        shares.used(Class::Requests, Duration::from_secs(3600));
        let mut burst = Duration::ZERO;
        while let Some(class) = shares.pick(true, |_| true) {
            shares.used(class, Duration::from_micros(100));
            burst += Duration::from_micros(100);
        }
        assert!(burst <= Duration::from_millis(5), "{burst:?}");
        shares.used(Class::Background, Duration::from_secs(3600));
        shares.used(Class::Requests, Duration::from_millis(161));
        assert!(shares.pick(true, |class| class == Class::Background).is_some());
    }

    #[test]
    fn an_idle_core_lets_everyone_step() {
        let shares = Shares::default();
        assert_eq!(shares.pick(false, |_| true), Some(Class::Replication));
        assert_eq!(shares.pick(true, |_| true), None);
        assert_eq!(shares.pick(false, |_| false), None);
    }
}
