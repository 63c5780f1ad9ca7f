//! The way events go up: one bounded queue and an eventfd that is readable while it is not empty.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use jiangtai_core::event::Event;

use crate::sys::EventFd;

/// Events of all shards, oldest first.
pub struct EventQueue {
    events: Mutex<VecDeque<Event>>,
    limit: usize,
    ready: EventFd,
}

impl EventQueue {
    pub fn new(limit: usize) -> std::io::Result<EventQueue> {
        Ok(EventQueue { events: Mutex::new(VecDeque::new()), limit: limit.max(1), ready: EventFd::new()? })
    }

    /// Adds events; returns how many had to be dropped. When full, expendable ones go first, then the oldest.
    pub fn push(&self, new: impl Iterator<Item = Event>) -> u64 {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        for event in new {
            if events.len() >= self.limit {
                dropped += 1;
                if event.is_expendable() {
                    continue;
                }
                let victim = events.iter().position(Event::is_expendable).unwrap_or(0);
                events.remove(victim);
            }
            events.push_back(event);
        }
        if !events.is_empty() {
            self.ready.signal();
        }
        dropped
    }

    /// Everything so far.
    pub fn drain(&self) -> Vec<Event> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        self.ready.clear();
        std::mem::take(&mut *events).into()
    }

    /// Readable while `drain` has something.
    pub fn fd(&self) -> RawFd {
        self.ready.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiangtai_core::event::CloseReason;

    fn closed(peer: u64) -> Event {
        Event::Closed { peer, reason: CloseReason::Requested }
    }

    #[test]
    fn a_full_queue_loses_expendable_events_first_and_counts_them() {
        let queue = EventQueue::new(3).unwrap();
        let speakers = || Event::Speakers { room: 1, levels: vec![] };
        assert_eq!(queue.push([closed(1), speakers(), closed(2)].into_iter()), 0);
        assert_eq!(queue.push([speakers()].into_iter()), 1);
        assert_eq!(queue.push([closed(3)].into_iter()), 1);
        assert_eq!(queue.drain(), vec![closed(1), closed(2), closed(3)]);
        assert!(queue.drain().is_empty());
    }
}
