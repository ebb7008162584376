//! One file on the simulated disk: what the running system sees of it, and all that a crash may leave of it.

use std::sync::Arc;

use super::rng::Rng;

/// What the device writes as a whole: a crash leaves each sector as one of its versions, never a mixture.
pub(super) const SECTOR_SIZE: usize = 512;

const SECTOR: u64 = SECTOR_SIZE as u64;

/// When a change was complete. A sync covers the changes up to a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub(super) u64);

impl Stamp {
    /// Of a write still in flight: part of it may be on the device, but no sync answers for it.
    pub(super) const IN_FLIGHT: Self = Self(u64::MAX);
}

/// One sector's bytes: zeros, or a place in some write's data.
#[derive(Clone, Default)]
struct Content(Option<(Arc<[u8]>, usize)>);

impl Content {
    fn of(data: &Arc<[u8]>, at: usize) -> Self {
        let bytes = &data[at..at + SECTOR_SIZE];
        Self(bytes.iter().any(|&byte| byte != 0).then(|| (Arc::clone(data), at)))
    }

    fn bytes(&self) -> &[u8] {
        const ZEROS: [u8; SECTOR_SIZE] = [0; SECTOR_SIZE];
        match &self.0 {
            None => &ZEROS,
            Some((data, at)) => &data[*at..at + SECTOR_SIZE],
        }
    }
}

/// A change that no sync has covered yet.
struct Pending<T> {
    stamp: Stamp,
    /// A sync that should have covered it failed; later ones don't.
    given_up: bool,
    value: T,
}

/// Something with a durable value and later ones that a crash may or may not take.
struct Versions<T> {
    durable: T,
    pending: Vec<Pending<T>>,
}

impl<T: Default> Default for Versions<T> {
    fn default() -> Self {
        Self { durable: T::default(), pending: Vec::new() }
    }
}

impl<T: Clone> Versions<T> {
    fn current(&self) -> &T {
        self.pending.last().map_or(&self.durable, |pending| &pending.value)
    }

    fn push(&mut self, value: T, stamp: Stamp) {
        self.pending.push(Pending { stamp, given_up: false, value });
    }

    /// Makes durable what was complete at `upto`; what came later stays pending.
    fn sync(&mut self, upto: Stamp) {
        let covered = |pending: &Pending<T>| pending.stamp <= upto && !pending.given_up;
        if let Some(last) = self.pending.iter().rposition(covered) {
            self.durable = self.pending[last].value.clone();
            self.pending.drain(..=last);
        }
    }

    fn give_up(&mut self, upto: Stamp) {
        for pending in self.pending.iter_mut().filter(|pending| pending.stamp <= upto) {
            pending.given_up = true;
        }
    }

    /// What is pending is in the system's hands: a sync from `now` on covers it, unless one has failed before. What
    /// that one left becomes whatever it is on the device.
    fn outlive(&mut self, now: Stamp, rng: &mut Rng) {
        if self.pending.iter().any(|pending| pending.given_up) {
            self.crash(Fate::Each(8), rng);
        }
        for pending in &mut self.pending {
            pending.stamp = now;
        }
    }

    /// Settles on one of the versions.
    fn crash(&mut self, fate: Fate, rng: &mut Rng) {
        let versions = self.pending.len();
        if versions > 0 {
            match fate.pick(versions, rng) {
                0 => {}
                kept => self.durable = self.pending.swap_remove(kept - 1).value,
            }
            self.pending.clear();
        }
    }
}

/// How a crash deals with one file's unsynced changes. Pure chance alone would almost never leave a large write whole
/// and lose the one before it; each of these is something a device may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing unsynced survives.
    Nothing,
    /// Everything does.
    Everything,
    /// Each sector on its own: the newest version so many times in 16, else any.
    Each(u64),
    /// Each run of so many sectors on its own.
    Runs(u64),
}

impl Fate {
    pub(super) fn random(rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::Each(1),
            3 => Self::Each(8),
            4 => Self::Each(15),
            5 => Self::Runs(8),
            6 => Self::Runs(2),
            _ => Self::Runs(32),
        }
    }

    /// 0 for the durable version, n for the n-th pending one.
    fn pick(self, versions: usize, rng: &mut Rng) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Everything => versions,
            Self::Each(newest) if rng.odds(newest, 16) => versions,
            Self::Each(_) | Self::Runs(_) => rng.index(versions + 1),
        }
    }

    /// The fate of the run that a sector begins, if it begins one.
    fn at_sector(self, sector: usize, rng: &mut Rng) -> Option<Self> {
        match self {
            Self::Runs(length) if (sector as u64).is_multiple_of(length) => {
                Some(if rng.coin() { Self::Everything } else { Self::Nothing })
            }
            Self::Runs(_) => None,
            other => Some(other),
        }
    }
}

/// A file's bytes and size.
#[derive(Default)]
pub(super) struct Image {
    /// Up to the last sector that was ever written; the rest are zeros.
    sectors: Vec<Versions<Content>>,
    /// The sectors that have pending versions, in any order.
    dirty: Vec<usize>,
    size: Versions<u64>,
}

impl Image {
    /// Writes whole sectors: those of `data` that `chosen` picks by their number within it.
    pub(super) fn write(
        &mut self,
        offset: u64,
        data: &Arc<[u8]>,
        stamp: Stamp,
        mut chosen: impl FnMut(usize) -> bool,
    ) {
        assert!(offset.is_multiple_of(SECTOR) && data.len().is_multiple_of(SECTOR_SIZE));
        let first = index(offset / SECTOR);
        let mut end = None;
        for nth in (0..data.len() / SECTOR_SIZE).filter(|&nth| chosen(nth)) {
            self.put(first + nth, Content::of(data, nth * SECTOR_SIZE), stamp);
            end = Some(offset + (nth as u64 + 1) * SECTOR);
        }
        if let Some(end) = end {
            self.extend(end, stamp);
        }
    }

    /// Writes any bytes anywhere.
    pub(super) fn write_bytes(&mut self, offset: u64, bytes: &[u8], stamp: Stamp) {
        if bytes.is_empty() {
            return;
        }
        let start = offset / SECTOR * SECTOR;
        let end = offset + bytes.len() as u64;
        let mut whole = vec![0; index(end.next_multiple_of(SECTOR) - start)];
        self.copy_out(start, &mut whole);
        let at = index(offset - start);
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        let size = self.size();
        self.write(start, &whole.into(), stamp, |_| true);
        // The write above may have rounded the size up to whole sectors.
        if self.size() > size.max(end) {
            self.size.push(size.max(end), stamp);
        }
    }

    /// Cuts the file, or extends it with zeros. Until it is synced, what is cut may come back.
    pub(super) fn set_size(&mut self, size: u64, stamp: Stamp) {
        if size == self.size() {
            return;
        }
        let (whole, rest) = (index(size / SECTOR), index(size % SECTOR));
        let mut first_cut = whole;
        if rest > 0 && whole < self.sectors.len() {
            let mut kept = [0; SECTOR_SIZE];
            kept[..rest].copy_from_slice(&self.sectors[whole].current().bytes()[..rest]);
            self.put(whole, Content::of(&Arc::from(kept), 0), stamp);
            first_cut += 1;
        }
        for sector in first_cut..self.sectors.len() {
            self.put(sector, Content::default(), stamp);
        }
        self.size.push(size, stamp);
    }

    /// Makes durable what was complete at `upto`, the size included.
    pub(super) fn sync(&mut self, upto: Stamp) {
        self.size.sync(upto);
        let sectors = &mut self.sectors;
        self.dirty.retain(|&sector| {
            sectors[sector].sync(upto);
            !sectors[sector].pending.is_empty()
        });
    }

    /// The same for `len` bytes at `offset` alone.
    pub(super) fn sync_range(&mut self, offset: u64, len: u64, upto: Stamp) {
        self.size.sync(upto);
        let range = index(offset / SECTOR)..index((offset + len) / SECTOR);
        let sectors = &mut self.sectors;
        self.dirty.retain(|sector| {
            let versions = &mut sectors[*sector];
            if range.contains(sector) {
                versions.sync(upto);
            }
            !versions.pending.is_empty()
        });
    }

    /// A sync failed: no later one covers what this one should have.
    pub(super) fn give_up(&mut self, upto: Stamp) {
        self.size.give_up(upto);
        for &sector in &self.dirty {
            self.sectors[sector].give_up(upto);
        }
    }

    /// The program has ended, the system goes on.
    pub(super) fn outlive(&mut self, now: Stamp, rng: &mut Rng) {
        self.size.outlive(now, rng);
        let sectors = &mut self.sectors;
        self.dirty.retain(|&sector| {
            sectors[sector].outlive(now, rng);
            !sectors[sector].pending.is_empty()
        });
    }

    /// Settles on what survives.
    pub(super) fn crash(&mut self, fate: Fate, rng: &mut Rng) {
        // The size has a fate of its own: it is kept elsewhere on the device.
        self.size.crash(Fate::Each(8), rng);
        self.dirty.sort_unstable();
        let mut run = fate.at_sector(0, rng).expect("the first sector begins a run");
        for sector in std::mem::take(&mut self.dirty) {
            run = fate.at_sector(sector, rng).unwrap_or(run);
            self.sectors[sector].crash(run, rng);
        }
        let size = self.size.durable;
        self.sectors.truncate(index(size.div_ceil(SECTOR)));
        let rest = index(size % SECTOR);
        if rest > 0
            && let Some(last) = self.sectors.get_mut(index(size / SECTOR))
        {
            let mut kept = [0; SECTOR_SIZE];
            kept[..rest].copy_from_slice(&last.durable.bytes()[..rest]);
            last.durable = Content::of(&Arc::from(kept), 0);
        }
    }

    pub(super) fn size(&self) -> u64 {
        *self.size.current()
    }

    /// Reads what the running system sees, and says how much the file has there.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let count = into.len().min(index(self.size().saturating_sub(offset)));
        self.copy_out(offset, &mut into[..count]);
        count
    }

    fn copy_out(&self, offset: u64, into: &mut [u8]) {
        let mut at = offset;
        let mut rest = into;
        while !rest.is_empty() {
            let within = index(at % SECTOR);
            let (part, later) = rest.split_at_mut((SECTOR_SIZE - within).min(rest.len()));
            match self.sectors.get(index(at / SECTOR)) {
                Some(sector) => part.copy_from_slice(&sector.current().bytes()[within..within + part.len()]),
                None => part.fill(0),
            }
            at += part.len() as u64;
            rest = later;
        }
    }

    /// Raises the size to `end`. What part of a write in flight did to it already counts for nothing here, since no sync
    /// covers that; it stays the newest version, for who looks at the size now.
    fn extend(&mut self, end: u64, stamp: Stamp) {
        let pending = &mut self.size.pending;
        if stamp == Stamp::IN_FLIGHT {
            if end > self.size() {
                self.size.push(end, stamp);
            }
            return;
        }
        let complete = pending.iter().rposition(|version| version.stamp != Stamp::IN_FLIGHT);
        let size = complete.map_or(self.size.durable, |at| pending[at].value);
        if end > size {
            let version = Pending { stamp, given_up: false, value: end };
            pending.insert(complete.map_or(0, |at| at + 1), version);
            pending.retain(|version| version.stamp != Stamp::IN_FLIGHT || version.value > end);
        }
    }

    fn put(&mut self, sector: usize, content: Content, stamp: Stamp) {
        let is_zero = content.0.is_none();
        if sector >= self.sectors.len() {
            if is_zero {
                return;
            }
            self.sectors.resize_with(sector + 1, Versions::default);
        }
        let versions = &mut self.sectors[sector];
        if is_zero && versions.pending.is_empty() && versions.durable.0.is_none() {
            return;
        }
        if versions.pending.is_empty() {
            self.dirty.push(sector);
        }
        versions.push(content, stamp);
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("simulated files are small")
}
