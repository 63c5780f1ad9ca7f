//! Commands from one shard to the others: kept, in order, until their mailboxes have room.
//!
//! The shards tell each other once: a lost permission would leave a track silent for good, a lost wish for packets a picture black.

use std::collections::VecDeque;
use std::sync::mpsc::TrySendError;

use jiangtai_core::command::Command;
use jiangtai_core::metrics::Metrics;
use jiangtai_core::relay::Batch;

use crate::engine::{Input, Mailbox};

/// Commands kept for one shard: all its mirrors may come and go a few times over, in two megabytes. A thread so far behind
/// does not come back to itself by getting more.
const KEPT: usize = 16_384;

/// What is on its way to the other shards.
pub struct Errands {
    /// By destination.
    kept: Vec<VecDeque<Command>>,
}

impl Errands {
    /// To so many shards.
    pub fn new(shards: usize) -> Errands {
        Errands { kept: (0..shards).map(|_| VecDeque::new()).collect() }
    }

    /// Whether commands wait for room.
    pub fn wait(&self) -> bool {
        self.kept.iter().any(|commands| !commands.is_empty())
    }

    /// Takes on a command; one too many, or to nobody, is lost and counted.
    pub fn add(&mut self, to: usize, command: Command, metrics: &Metrics) {
        match self.kept.get_mut(to) {
            Some(commands) if commands.len() < KEPT => commands.push_back(command),
            _ => metrics.commands_dropped.inc(),
        }
    }

    /// Hands over what the mailboxes have room for.
    pub fn run(&mut self, mailboxes: &[Mailbox], metrics: &Metrics) {
        for (mailbox, commands) in mailboxes.iter().zip(&mut self.kept) {
            while let Some(command) = commands.pop_front() {
                match mailbox.offer(Input::Command(command)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(Input::Command(command))) => {
                        commands.push_front(command);
                        break;
                    }
                    // Its thread is gone, which has been told: nobody will ever ask for these.
                    Err(_) => {
                        metrics.commands_dropped.add(1 + commands.len() as u64);
                        commands.clear();
                    }
                }
            }
        }
    }

    /// Hands over media, which never overtakes a command and is lost where there is no room.
    pub fn relay(&self, to: usize, batch: Batch, mailboxes: &[Mailbox], metrics: &Metrics) {
        let packets = batch.len() as u64;
        let open = mailboxes.get(to).filter(|_| self.kept.get(to).is_some_and(VecDeque::is_empty));
        if open.is_none_or(|mailbox| mailbox.send(Input::Relayed(Box::new(batch))).is_err()) {
            metrics.dropped_relay_full.add(packets);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::*;

    fn remove(track: u64) -> Command {
        Command::RemoveTrack { track }
    }

    /// The numbers of the tracks to be removed; 0 for media.
    fn arrived(inputs: &Receiver<Input>) -> Vec<u64> {
        let number = |input| match input {
            Input::Command(Command::RemoveTrack { track }) => track,
            _ => 0,
        };
        inputs.try_iter().map(number).collect()
    }

    #[test]
    fn commands_wait_for_room_in_order_and_hold_up_no_other_shard() {
        let (near, far) = (Mailbox::new(1).unwrap(), Mailbox::new(100).unwrap());
        let mailboxes = [near.0, far.0];
        let (mut errands, metrics) = (Errands::new(2), Metrics::default());
        for track in 1..=5 {
            errands.add(0, remove(track), &metrics);
            errands.add(1, remove(10 + track), &metrics);
        }
        errands.run(&mailboxes, &metrics);
        assert_eq!(arrived(&far.1), [11, 12, 13, 14, 15]);
        errands.add(0, remove(6), &metrics);
        let mut all = Vec::new();
        while errands.wait() {
            all.extend(arrived(&near.1));
            errands.run(&mailboxes, &metrics);
        }
        all.extend(arrived(&near.1));
        assert_eq!((all, metrics.commands_dropped.get()), (vec![1, 2, 3, 4, 5, 6], 0));
    }

    #[test]
    fn media_is_lost_rather_than_overtake_a_command() {
        let (mailbox, inputs) = Mailbox::new(1).unwrap();
        let mailboxes = [mailbox];
        let (mut errands, metrics) = (Errands::new(1), Metrics::default());
        (1..=2).for_each(|track| errands.add(0, remove(track), &metrics));
        errands.run(&mailboxes, &metrics);
        assert_eq!(arrived(&inputs), [1]);
        errands.relay(0, Batch::default(), &mailboxes, &metrics);
        assert_eq!(arrived(&inputs), [0; 0], "there was room, but not for media");
        errands.run(&mailboxes, &metrics);
        assert_eq!(arrived(&inputs), [2]);
        errands.relay(0, Batch::default(), &mailboxes, &metrics);
        assert_eq!(arrived(&inputs), [0]);
    }

    #[test]
    fn what_is_too_much_or_for_nobody_is_counted() {
        let (mailbox, inputs) = Mailbox::new(1).unwrap();
        let mailboxes = [mailbox];
        let (mut errands, metrics) = (Errands::new(1), Metrics::default());
        (0..KEPT + 3).for_each(|_| errands.add(0, remove(1), &metrics));
        errands.add(1, remove(1), &metrics);
        assert_eq!(metrics.commands_dropped.get(), 4);
        drop(inputs);
        errands.run(&mailboxes, &metrics);
        assert_eq!((metrics.commands_dropped.get(), errands.wait()), (4 + KEPT as u64, false));
    }
}
