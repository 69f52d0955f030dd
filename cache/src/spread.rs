//! Many small pieces of work, done by a few threads at once where there are enough of them.
//!
//! For what waits for the disk or digests bytes in the middle of something else. Knows nothing of
//! the work, and keeps no thread.

use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More threads only wait for each other.
const MOST_THREADS: usize = 8;

/// How many threads run at once, at least 1, as it was when this was first asked: to ask takes a dozen
/// calls where groups of processes have limits.
pub fn processors() -> usize {
    static FOUND: OnceLock<usize> = OnceLock::new();
    *FOUND.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// What `work` makes of each item, in their order. `least` of them are worth a thread's start: with
/// fewer than twice as many there is no other thread. Each thread takes as many at once, as long as
/// there are some, and has scratch space of its own.
pub fn spread<T: Sync, S: Default, R: Send>(
    items: &[T],
    least: usize,
    work: impl Fn(&T, &mut S) -> R + Sync,
) -> Vec<R> {
    let least = least.max(1);
    let goes: Vec<&[T]> = items.chunks(least).collect();
    let next = AtomicUsize::new(0);
    // Each go with its place.
    let part = || {
        let (mut scratch, mut done) = (S::default(), Vec::new());
        while let place = next.fetch_add(1, Ordering::Relaxed)
            && let Some(go) = goes.get(place)
        {
            done.push((place, go.iter().map(|item| work(item, &mut scratch)).collect::<Vec<R>>()));
        }
        done
    };
    let enough = items.len() / least;
    let processors = match enough {
        0 | 1 => 1,
        _ => processors(),
    };
    let threads = processors.min(MOST_THREADS).min(enough);
    let mut done = thread::scope(|scope| {
        // Where the system gives no more threads there are fewer.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, part).ok();
        let others: Vec<_> = (1..threads).filter_map(spawn).collect();
        let mut done = part();
        for thread in others {
            done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|&(place, _)| place);
    done.into_iter().flat_map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_items() {
        for count in [0, 1, 7, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = spread(&items, 3, |item, calls: &mut usize| {
                *calls += 1;
                (item * 2, *calls)
            });
            let right: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(doubled.iter().map(|(item, _)| *item).collect::<Vec<_>>(), right);
        }
    }

    #[test]
    fn few_items_stay_on_their_thread() {
        let own = thread::current().id();
        let threads = spread(&[(); 5], 3, |(), (): &mut ()| thread::current().id());
        assert!(threads.iter().all(|thread| *thread == own));
    }

    #[test]
    fn who_is_done_takes_more() {
        if thread::available_parallelism().is_ok_and(|processors| processors.get() < 2) {
            return;
        }
        // The first item is not done before all others are: by another thread.
        let left = AtomicUsize::new(99);
        let items: Vec<usize> = (0..100).collect();
        let threads = spread(&items, 1, |&item, (): &mut ()| {
            while item == 0 && left.load(Ordering::Acquire) > 0 {
                thread::yield_now();
            }
            if item > 0 {
                left.fetch_sub(1, Ordering::AcqRel);
            }
            thread::current().id()
        });
        assert!(threads[1..].iter().all(|thread| *thread != threads[0]));
    }
}
