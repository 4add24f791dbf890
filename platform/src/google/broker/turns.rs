//! Whose turn it is: messages of one ordering key, one after the other.
//!
//! Pub/Sub sends the messages of a key to one receiver in order, but does not wait for
//! acknowledgements in between. And when one is given back, it sends that one and all after it
//! again; copies that were sent before are then nobody's (to acknowledge one has no effect). So here
//! each key hands out one message at a time, and after a message was given back everything of its
//! key is held until that message comes again, which shows that the service knows.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long a message that was given back is waited for. It may not come back here: it may have
/// become a dead letter, gone to another receiver, or be held by the subscription's retry policy.
/// What was held then is given back too, so that it comes again in order; that may cost one delivery
/// attempt. Much longer than giving back takes (100 ms until it is sent), since a copy that was on
/// its way must not get ahead.
pub(super) const RETURNS_WITHIN: Duration = Duration::from_secs(2);

/// The keys of one receiver that have something handed out or held.
#[derive(Debug)]
pub(super) struct Turns<T> {
    keys: HashMap<String, Turn<T>>,
}

#[derive(Debug)]
struct Turn<T> {
    state: State<T>,
    waiting: VecDeque<(String, T)>,
}

#[derive(Debug)]
enum State<T> {
    /// One message of the key is handed out.
    Out,
    /// The message of that id was given back. Copies of before are dropped oldest first: one given back takes those after it along, at no
    /// attempt of theirs.
    Returning { id: String, until: Instant, _stale: VecDeque<(String, T)> },
}

impl<T> Turns<T> {
    pub(super) fn new() -> Self {
        Self { keys: HashMap::new() }
    }

    /// A message came: it, if it is its turn. What is dropped here is given back by that.
    pub(super) fn arrived(&mut self, key: &str, id: &str, item: T) -> Option<T> {
        let Some(turn) = self.keys.get_mut(key) else {
            self.keys.insert(key.to_owned(), Turn { state: State::Out, waiting: VecDeque::new() });
            return Some(item);
        };
        if matches!(&turn.state, State::Returning { id: returning, .. } if returning == id) {
            // Everything of before is stale now.
            *turn = Turn { state: State::Out, waiting: VecDeque::new() };
            return Some(item);
        }
        // A message comes again with all that follow it: their copies of before are stale.
        if let Some(index) = turn.waiting.iter().position(|(waiting, _)| waiting == id) {
            turn.waiting.truncate(index);
        }
        turn.waiting.push_back((id.to_owned(), item));
        None
    }

    /// The message that was out is acknowledged: the next one, if there is.
    pub(super) fn acknowledged(&mut self, key: &str) -> Option<T> {
        let turn = self.keys.get_mut(key)?;
        match turn.waiting.pop_front() {
            Some((_, next)) => {
                turn.state = State::Out;
                Some(next)
            }
            None => {
                self.keys.remove(key);
                None
            }
        }
    }

    /// The message that was out is given back.
    pub(super) fn given_back(&mut self, key: &str, id: &str, now: Instant) {
        if let Some(turn) = self.keys.get_mut(key) {
            let stale = std::mem::take(&mut turn.waiting);
            turn.state = State::Returning { id: id.to_owned(), until: now + RETURNS_WITHIN, _stale: stale };
        }
    }

    /// Gives back what is held for messages that did not return in time.
    pub(super) fn expire(&mut self, now: Instant) {
        self.keys.retain(|_, turn| !matches!(&turn.state, State::Returning { until, .. } if *until <= now));
    }

    /// When [`Turns::expire`] has something to do.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let expiries = self.keys.values().filter_map(|turn| match &turn.state {
            State::Returning { until, .. } => Some(*until),
            State::Out => None,
        });
        expiries.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "k";

    fn out(turns: &mut Turns<&'static str>, id: &'static str, item: &'static str) -> Option<&'static str> {
        turns.arrived(KEY, id, item)
    }

    #[test]
    fn one_message_of_a_key_is_out_at_a_time_and_keys_do_not_wait_for_each_other() {
        let mut turns = Turns::new();
        assert_eq!(out(&mut turns, "1", "one"), Some("one"));
        assert_eq!(out(&mut turns, "2", "two"), None);
        assert_eq!(turns.arrived("other", "9", "nine"), Some("nine"));
        assert_eq!(turns.acknowledged(KEY), Some("two"));
        assert_eq!(turns.acknowledged(KEY), None);
        assert_eq!(out(&mut turns, "3", "three"), Some("three"), "the key is free again");
    }

    #[test]
    fn after_one_is_given_back_it_comes_first_and_old_copies_never() {
        let (mut turns, now) = (Turns::new(), Instant::now());
        assert_eq!(out(&mut turns, "1", "one"), Some("one"));
        assert_eq!(out(&mut turns, "2", "old two"), None);
        turns.given_back(KEY, "1", now);
        assert_eq!(out(&mut turns, "3", "three, sent before"), None);
        assert_eq!(out(&mut turns, "1", "one again"), Some("one again"));
        assert_eq!(out(&mut turns, "2", "new two"), None);
        assert_eq!(turns.next_expiry(), None);
        assert_eq!(turns.acknowledged(KEY), Some("new two"));
        assert_eq!(turns.acknowledged(KEY), None);
    }

    #[test]
    fn a_message_that_does_not_return_holds_its_key_up_for_a_while_only() {
        let (mut turns, now) = (Turns::new(), Instant::now());
        assert_eq!(out(&mut turns, "1", "poison"), Some("poison"));
        turns.given_back(KEY, "1", now);
        assert_eq!(out(&mut turns, "2", "next"), None);
        assert_eq!(turns.next_expiry(), Some(now + RETURNS_WITHIN));
        turns.expire(now);
        assert_eq!(turns.next_expiry(), Some(now + RETURNS_WITHIN), "not yet");
        turns.expire(now + RETURNS_WITHIN);
        assert_eq!(turns.next_expiry(), None);
        assert_eq!(out(&mut turns, "2", "next again"), Some("next again"));
    }

    #[test]
    fn messages_that_come_again_replace_their_copies_and_what_follows() {
        let mut turns = Turns::new();
        for (id, item) in [("1", "one"), ("2", "two"), ("3", "three"), ("2", "two again"), ("3", "three again")] {
            assert_eq!(out(&mut turns, id, item).is_some(), id == "1");
        }
        assert_eq!(turns.acknowledged(KEY), Some("two again"));
        assert_eq!(turns.acknowledged(KEY), Some("three again"));
        assert_eq!(turns.acknowledged(KEY), None);
    }
}
