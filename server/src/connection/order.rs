//! The order of a connection's requests: responses leave in the order of the requests, and so do effects.
//!
//! Only consecutive Produce requests overlap. Any other request waits until everything before it is answered, and
//! everything after it waits for its own answer. (What a client that pipelines sees is then what one that waits sees;
//! Kafka's broker goes further and takes one request of a connection at a time.)

use std::collections::VecDeque;

/// Which requests may overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Produce request: overlaps with its like.
    Produce,
    /// Any other: goes alone.
    Alone,
}

/// A request's number on its connection, counted from 0.
pub type Sequence = u64;

enum State<W, R> {
    /// Under way. The work is `None` while it is being carried on.
    Working(Option<W>),
    /// To be sent, or nothing to send.
    Answered(Option<R>),
}

/// A connection's requests that are started and whose responses are not yet taken: `W` carries one on, `R` is what
/// becomes of it.
pub struct Order<W, R> {
    requests: VecDeque<State<W, R>>,
    /// The sequence number of the front.
    first: Sequence,
    /// What the requests in the queue are; they are all of one kind.
    kind: Kind,
}

impl<W, R> Default for Order<W, R> {
    fn default() -> Self {
        Self { requests: VecDeque::new(), first: 0, kind: Kind::Alone }
    }
}

impl<W, R> Order<W, R> {
    /// Starts a request; [`Order::may_start`] must have said so.
    pub fn start(&mut self, kind: Kind) -> Sequence {
        assert!(self.may_start(kind), "requests of a connection overlap only if both are Produce");
        self.kind = kind;
        self.requests.push_back(State::Working(None));
        self.first + self.requests.len() as u64 - 1
    }

    /// Leaves the work that answers a request, until it can be carried on.
    pub fn put(&mut self, sequence: Sequence, work: W) {
        if let Some(state) = self.state(sequence) {
            *state = State::Working(Some(work));
        }
    }

    /// Takes a request's work to carry it on; `None` where it is answered already.
    pub fn take(&mut self, sequence: Sequence) -> Option<W> {
        match self.state(sequence)? {
            State::Working(work) => work.take(),
            State::Answered(_) => None,
        }
    }

    /// Answers a request; `None` means that nothing is sent.
    pub fn answer(&mut self, sequence: Sequence, response: Option<R>) {
        if let Some(state) = self.state(sequence) {
            *state = State::Answered(response);
        }
    }

    /// Takes the first request away if it is answered, with its response.
    pub fn pop_answered(&mut self) -> Option<Option<R>> {
        if !matches!(self.requests.front()?, State::Answered(_)) {
            return None;
        }
        self.first += 1;
        match self.requests.pop_front()? {
            State::Answered(response) => Some(response),
            State::Working(_) => unreachable!("it was answered a moment ago"),
        }
    }

    /// Whether a request of this kind may start now.
    #[must_use]
    pub fn may_start(&self, kind: Kind) -> bool {
        self.requests.is_empty() || (self.kind == Kind::Produce && kind == Kind::Produce)
    }

    /// The request that goes alone, if there is one.
    #[must_use]
    pub fn alone(&self) -> Option<Sequence> {
        (self.kind == Kind::Alone && !self.requests.is_empty()).then_some(self.first)
    }

    /// How many requests are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether everything is answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn state(&mut self, sequence: Sequence) -> Option<&mut State<W, R>> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.requests.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestOrder = Order<&'static str, u32>;

    fn drain(order: &mut TestOrder) -> Vec<Option<u32>> {
        std::iter::from_fn(|| order.pop_answered()).collect()
    }

    #[test]
    fn produce_requests_overlap_and_leave_in_order() {
        let mut order = TestOrder::default();
        let first = order.start(Kind::Produce);
        let second = order.start(Kind::Produce);
        let third = order.start(Kind::Produce);
        order.answer(third, Some(3));
        order.answer(second, None);
        assert_eq!(drain(&mut order), []);
        order.answer(first, Some(1));
        assert_eq!(drain(&mut order), [Some(1), None, Some(3)]);
        assert!(order.is_empty());
    }

    #[test]
    fn others_wait_and_are_waited_for() {
        let mut order = TestOrder::default();
        let produce = order.start(Kind::Produce);
        assert!(!order.may_start(Kind::Alone));
        assert_eq!(order.alone(), None);
        order.answer(produce, Some(1));
        assert!(!order.may_start(Kind::Alone), "its response is not queued yet");
        assert_eq!(drain(&mut order), [Some(1)]);
        let fetch = order.start(Kind::Alone);
        assert_eq!(order.alone(), Some(fetch));
        assert!(!order.may_start(Kind::Produce));
        assert!(!order.may_start(Kind::Alone));
    }

    #[test]
    fn work_is_taken_carried_on_and_put_back() {
        let mut order = TestOrder::default();
        let sequence = order.start(Kind::Alone);
        order.put(sequence, "work");
        assert_eq!(order.take(sequence), Some("work"));
        assert_eq!(order.take(sequence), None);
        order.put(sequence, "more");
        order.answer(sequence, Some(5));
        assert_eq!(order.take(sequence), None, "an answered request has no work");
        assert_eq!(drain(&mut order), [Some(5)]);
        assert_eq!(order.take(sequence), None, "a request that has left");
        order.answer(sequence, Some(6));
        assert!(order.is_empty());
    }

    #[test]
    #[should_panic(expected = "overlap only if both are Produce")]
    fn starting_out_of_turn_is_a_bug() {
        let mut order = TestOrder::default();
        order.start(Kind::Alone);
        order.start(Kind::Produce);
    }
}
