//! What the group requests have in common: they ask one group, or several, and write what these answer.

use tora_engine::request::Reply;

use super::{Call, Context, Work};
use crate::coordinator::{Answer, Ask, Name};
use crate::limits;
use crate::wire::{Malformed, Reader, Writer};

/// Work that waits for the answers of groups; `F` writes the response from them.
pub struct GroupWork<F> {
    answers: Vec<Option<Answer>>,
    missing: usize,
    write: F,
}

impl<F: FnMut(Vec<Answer>, &Call, &mut Writer, &mut Context<'_>) + Send + 'static> GroupWork<F> {
    /// Asks each of these groups.
    pub fn ask(asks: Vec<(Name, Ask)>, write: F, cx: &mut Context<'_>) -> Box<dyn Work> {
        let missing = asks.len();
        for (part, (group, ask)) in asks.into_iter().enumerate() {
            cx.ask_group(part, group, ask);
        }
        Self::of(missing, write)
    }

    /// Asks every core for its groups.
    pub fn ask_all(write: F, cx: &mut Context<'_>) -> Box<dyn Work> {
        let missing = cx.ask_for_groups();
        Self::of(missing, write)
    }

    fn of(missing: usize, write: F) -> Box<dyn Work> {
        Box::new(Self { answers: (0..missing).map(|_| None).collect(), missing, write })
    }
}

impl<F: FnMut(Vec<Answer>, &Call, &mut Writer, &mut Context<'_>) + Send> Work for GroupWork<F> {
    fn on_reply(&mut self, _: u32, _: Reply, _: &mut Context<'_>) {
        unreachable!("it asks groups, not the engine");
    }

    fn on_group_answer(&mut self, part: u32, answer: Answer, _: &mut Context<'_>) {
        self.answers[part as usize] = Some(answer);
        self.missing -= 1;
    }

    fn is_done(&self) -> bool {
        self.missing == 0
    }

    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
        let answers = self.answers.drain(..).map(|answer| answer.expect("it is written when it is done"));
        (self.write)(answers.collect(), call, out, cx);
    }
}

/// The one answer to a request of one group.
#[must_use]
pub fn only(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "one group was asked");
    answers.remove(0)
}

/// A name that is stored with a group.
///
/// # Errors
/// One that no record has room for.
pub fn name(reader: &mut Reader<'_>) -> Result<Name, Malformed> {
    let at = reader.position();
    nullable_name(reader)?.ok_or(Malformed { what: "string", at })
}

/// The same, or null.
///
/// # Errors
/// As [`name`].
pub fn nullable_name(reader: &mut Reader<'_>) -> Result<Option<Name>, Malformed> {
    let at = reader.position();
    let text = reader.nullable_string()?;
    if text.is_some_and(|text| text.len() > limits::GROUP_NAME_BYTES_MAX) {
        return Err(Malformed { what: "name of at most 32703 bytes", at });
    }
    Ok(text.map(Name::from))
}
