//! Many small pieces of work, done by a few threads at once where there are enough of them.
//!
//! For what waits for the disk or digests bytes in the middle of something else. Knows nothing of
//! the work, and keeps no thread.

use std::panic::resume_unwind;
use std::thread;

/// More threads only wait for each other.
const MOST_THREADS: usize = 8;

/// What `work` makes of each item, in their order. Each thread has at least `least` items, and
/// scratch space of its own; with fewer than twice as many items there is no other thread.
pub fn spread<T: Sync, S: Default, R: Send>(
    items: &[T],
    least: usize,
    work: impl Fn(&T, &mut S) -> R + Sync,
) -> Vec<R> {
    let part = |items: &[T]| {
        let mut scratch = S::default();
        items.iter().map(|item| work(item, &mut scratch)).collect::<Vec<R>>()
    };
    let enough = items.len() / least.max(1);
    if enough < 2 {
        return part(items);
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.min(MOST_THREADS).min(enough);
    thread::scope(|scope| {
        let mut parts = items.chunks(items.len().div_ceil(threads));
        let own = parts.next().unwrap_or_default();
        let part = &part;
        let spawn =
            |items| (items, thread::Builder::new().spawn_scoped(scope, move || part(items)));
        let others: Vec<_> = parts.map(spawn).collect();
        let mut all = part(own);
        for (items, thread) in others {
            match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(done)) => all.extend(done),
                Ok(Err(panic)) => resume_unwind(panic),
                // The system gives no more threads.
                Err(_) => all.extend(part(items)),
            }
        }
        all
    })
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
        let on = |count: usize, least| {
            let items = vec![(); count];
            let threads = spread(&items, least, |(), (): &mut ()| thread::current().id());
            threads.iter().all(|thread| *thread == own)
        };
        assert!(on(5, 3));
        let several = thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
        assert_eq!(on(6, 3), !several);
    }
}
