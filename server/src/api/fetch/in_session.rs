//! A fetch in a session: it reads what was called up, and tells what is news.

use std::collections::BTreeMap;

use tora_engine::catalog::Catalog;
use tora_engine::io::Io;
use tora_engine::request::{Records, Reply};
use tora_engine::types::LeaderEpoch;

use super::super::{Call, Context, Work};
use super::reading::{LOG_START_UNKNOWN, Part, Reading, write_part};
use super::sessions::{Place, Session, Sessions};
use super::{Stage, Terms, TopicName, find_partition, read_forgotten, read_wanted, write_head};
use crate::limits;
use crate::wire::{Malformed, Reader, Writer};

/// See the module.
pub struct InSession {
    /// Taken out of the cache until the response is written.
    session: Option<Session>,
    /// Whether everything is told, be it news or not.
    is_first: bool,
    reading: Reading,
    /// The parts' places in the session.
    places: Vec<Place>,
    parts: BTreeMap<Place, usize>,
    terms: Terms,
    stage: Stage,
    /// Whether it has been parked.
    has_waited: bool,
}

impl InSession {
    /// Begins with a session that was just made.
    pub fn begin(session: Session, version: i16, terms: Terms, cx: &mut Context<'_>) -> Box<dyn Work> {
        let mut work = Self::new(session, true, version, terms);
        work.read(cx);
        Box::new(work)
    }

    /// Goes on with a session, as the request's rest changes it.
    pub fn go_on(
        session: Session,
        reader: &mut Reader<'_>,
        version: i16,
        terms: Terms,
        cx: &mut Context<'_>,
    ) -> Result<Box<dyn Work>, Malformed> {
        let mut work = Self::change(session, reader, version, terms)?;
        work.read(cx);
        Ok(Box::new(work))
    }

    /// Changes a session as the request's rest says.
    ///
    /// # Errors
    /// A body that cannot be read.
    pub fn change(
        mut session: Session,
        reader: &mut Reader<'_>,
        version: i16,
        terms: Terms,
    ) -> Result<Self, Malformed> {
        for _ in 0..reader.array_len()? {
            let name = TopicName::read(reader, version)?;
            for _ in 0..reader.array_len()? {
                let wanted = read_wanted(reader, version)?;
                session.want(&name, wanted.index, wanted.epoch, wanted.from, wanted.bytes_max);
            }
            reader.skip_tagged_fields()?;
        }
        read_forgotten(reader, version, |name, index| session.forget(name, index))?;
        Ok(Self::new(session, false, version, terms))
    }

    fn new(session: Session, is_first: bool, version: i16, terms: Terms) -> Self {
        Self {
            session: Some(session),
            is_first,
            reading: Reading::new(version, terms.bytes_max),
            places: Vec::new(),
            parts: BTreeMap::new(),
            terms,
            stage: Stage::Reading,
            has_waited: false,
        }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is put back with the response")
    }

    /// Reads what was called up.
    fn read(&mut self, cx: &mut Context<'_>) {
        self.choose(cx.sessions, cx.shard.catalog(), cx.shard.leader_epoch());
        self.reading.begin(cx);
        if self.reading.is_over() {
            self.judge(cx);
        }
    }

    /// Chooses what is read: what was called up, with the topics and the leader epoch that there are.
    pub fn choose(&mut self, sessions: &mut Sessions, catalog: &Catalog, epoch: LeaderEpoch) {
        let session = self.session.as_mut().expect("it is put back with the response");
        sessions.tell_ended(session);
        for part in &mut self.reading.parts {
            part.is_wanted = false;
        }
        for place in session.take_ready() {
            let entry = session.entry(place);
            let found = find_partition(entry.topic.find(catalog), entry.index, entry.epoch, epoch);
            entry.partition = found.ok();
            let part = Part {
                index: entry.index,
                partition: entry.partition,
                from: entry.from,
                bytes_max: entry.bytes_max,
                outcome: found.err().map(Err),
                is_wanted: true,
            };
            match self.parts.get(&place) {
                Some(at) => self.reading.parts[*at] = part,
                None => {
                    self.parts.insert(place, self.reading.parts.len());
                    self.places.push(place);
                    self.reading.parts.push(part);
                }
            }
        }
    }

    /// Gives its session up.
    pub fn into_session(self) -> Session {
        self.session.expect("it is put back with the response")
    }

    /// Everything was read: what has come to its end is watched; is the rest enough, or to be waited for?
    fn judge(&mut self, cx: &mut Context<'_>) {
        self.sort_out(cx);
        // Even a fetch that does not wait is parked once, until the turn's mail has been read: a watch may have ended whose
        // notice is in there.
        let expired = self.has_waited && cx.shard.io().now() >= self.terms.until;
        let enough = self.reading.bytes >= self.terms.bytes_min || self.session().len() == 0;
        if expired || enough || self.reading.has_failed() {
            self.stage = Stage::Done;
            return;
        }
        (self.stage, self.has_waited) = (Stage::Watching, true);
        self.reading.let_go();
        // What was read and not watched for long is watched for as long as this fetch waits.
        for (part, place) in self.reading.parts.iter().zip(&self.places) {
            let session = self.session.as_ref().expect("it is put back with the response");
            if let (Some(partition), Some(Ok(records))) = (part.partition, &part.outcome)
                && !session.is_watched(*place)
            {
                cx.wait_for(partition, records.high_watermark);
            }
        }
        cx.wait(self.terms.until);
    }

    /// Leaves a watch with each partition that has no more; the others are read by the next fetch again.
    fn sort_out(&mut self, cx: &mut Context<'_>) {
        let session = self.session.as_mut().expect("it is put back with the response");
        // The order of the session's next fetch: those that got nothing for want of room go before those that did.
        let served = |part: &Part| matches!(&part.outcome, Some(Ok(records)) if !records.slices.is_empty());
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (part, place) in self.reading.parts.iter().zip(&self.places) {
            if !part.is_wanted {
                continue;
            }
            let ended = matches!(&part.outcome, Some(Ok(records))
                if records.slices.is_empty() && records.high_watermark == part.from);
            let Some(partition) = part.partition.filter(|_| ended) else {
                if served(part) {
                    last.push(*place)
                } else {
                    first.push(*place)
                }
                continue;
            };
            if session.is_watched(*place) {
                continue;
            }
            let owner = cx.shard.owner(partition);
            match cx.sessions.begin_watch(session, *place, owner) {
                Some(watch) => {
                    let until = cx.shard.io().now().plus_millis(limits::SESSION_WATCH_MS);
                    cx.watch_for_session((session.id, *place, watch), partition, part.from, until);
                }
                None => first.push(*place),
            }
        }
        for place in first.into_iter().chain(last) {
            session.call_up(place);
        }
    }
}

impl Work for InSession {
    fn on_reply(&mut self, part: u32, reply: Reply, cx: &mut Context<'_>) {
        self.reading.take(part, reply, cx);
        if self.reading.is_over() {
            self.judge(cx);
        }
    }

    fn on_wake(&mut self, cx: &mut Context<'_>) {
        assert!(self.stage == Stage::Watching, "a fetch that is parked has read everything");
        self.stage = Stage::Reading;
        self.read(cx);
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn write(&mut self, call: &Call, out: &mut Writer, cx: &mut Context<'_>) {
        let mut session = self.session.take().expect("it is written once");
        let mut told: Vec<usize> = Vec::with_capacity(self.places.len());
        for (at, place) in self.places.iter().enumerate() {
            if is_news(&mut session, *place, &mut self.reading.parts[at]) || self.is_first {
                told.push(at);
            }
        }
        // Partitions of one topic that follow one another are told together.
        let mut names: Vec<(TopicName, usize)> = Vec::new();
        for at in &told {
            let topic = &session.entry(self.places[*at]).topic;
            match names.last_mut() {
                Some((name, count)) if name == topic => *count += 1,
                _ => names.push((topic.clone(), 1)),
            }
        }
        let id = session.id;
        let stays = cx.sessions.put_back(session);
        write_head(call.version, if stays { id } else { 0 }, out);
        out.array_len(names.len());
        let mut told = told.into_iter();
        for (name, count) in names {
            name.write(out);
            out.array_len(count);
            for at in told.by_ref().take(count) {
                write_part(call.version, &mut self.reading.parts[at], out);
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
    }
}

/// Whether the client does not know a part's outcome yet; it does from now on (Kafka's
/// `CachedPartition.maybeUpdateResponseData`).
fn is_news(session: &mut Session, place: Place, part: &mut Part) -> bool {
    let entry = session.entry(place);
    match part.outcome.as_mut().expect("it is written when everything is read") {
        Err(error) => {
            assert!(!error.is_none(), "an outcome that is an error has a code");
            // Whatever comes after the error is news.
            (entry.told_watermark, entry.told_start) = (-1, -1);
            true
        }
        Ok(Records { slices, high_watermark, log_start, .. }) => {
            if *log_start == LOG_START_UNKNOWN {
                *log_start = tora_engine::types::Offset::new(entry.told_start);
            }
            let now = (high_watermark.value(), log_start.value());
            let before = (entry.told_watermark, entry.told_start);
            (entry.told_watermark, entry.told_start) = now;
            !slices.is_empty() || now != before
        }
    }
}
