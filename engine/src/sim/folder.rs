//! One folder on the simulated disk: the names it shows, and the changes to them that a crash may undo.

use std::collections::BTreeMap;

use super::rng::Rng;

/// What a name stands for: a file or folder, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u32);

/// A change to the names. Each survives a crash or doesn't, as a whole.
enum Change {
    Link { name: String, node: NodeId },
    Unlink { name: String },
    Rename { from: String, to: String, node: NodeId },
}

impl Change {
    /// Whether both are about one name: then the later one says what becomes of it.
    fn meets(&self, other: &Self) -> bool {
        self.names().into_iter().flatten().any(|name| other.names().contains(&Some(name)))
    }

    fn names(&self) -> [Option<&str>; 2] {
        match self {
            Self::Link { name, .. } | Self::Unlink { name } => [Some(name), None],
            Self::Rename { from, to, .. } => [Some(from), Some(to)],
        }
    }
}

/// A change that no sync has covered yet.
struct Pending {
    change: Change,
    /// A sync that should have covered it failed; later ones don't.
    given_up: bool,
}

/// A folder's names.
#[derive(Default)]
pub(super) struct Folder {
    names: BTreeMap<String, NodeId>,
    durable: BTreeMap<String, NodeId>,
    pending: Vec<Pending>,
}

impl Folder {
    /// Gives a node a name that is free.
    pub(super) fn link(&mut self, name: &str, node: NodeId) {
        self.change(Change::Link { name: name.to_owned(), node });
    }

    /// Removes a name.
    pub(super) fn unlink(&mut self, name: &str) {
        self.change(Change::Unlink { name: name.to_owned() });
    }

    /// Moves a node from one name to another, which loses what it stood for.
    pub(super) fn rename(&mut self, from: &str, to: &str, node: NodeId) {
        self.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), node });
    }

    /// Makes the names durable, except for changes that a sync before has failed to.
    pub(super) fn sync(&mut self) {
        let mut uncovered: Vec<Pending> = Vec::new();
        for pending in self.pending.drain(..) {
            if pending.given_up {
                uncovered.push(pending);
            } else {
                uncovered.retain(|earlier| !pending.change.meets(&earlier.change));
                apply(&mut self.durable, &pending.change);
            }
        }
        self.pending = uncovered;
    }

    /// A sync failed.
    pub(super) fn give_up(&mut self) {
        self.pending.iter_mut().for_each(|pending| pending.given_up = true);
    }

    /// The program has ended, the system goes on: what a failed sync left becomes whatever it is on the device.
    pub(super) fn outlive(&mut self, rng: &mut Rng) {
        if self.pending.iter().any(|pending| pending.given_up) {
            self.crash(rng);
        }
    }

    /// Settles on what survives: nothing, everything, the first few changes, or each on its own.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        let mut names = std::mem::take(&mut self.durable);
        let style = rng.below(4);
        let first = rng.index(self.pending.len() + 1);
        for (nth, pending) in self.pending.drain(..).enumerate() {
            let survives = match style {
                0 => false,
                1 => true,
                2 => nth < first,
                _ => rng.coin(),
            };
            if survives {
                apply(&mut names, &pending.change);
            }
        }
        self.durable.clone_from(&names);
        self.names = names;
    }

    pub(super) fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&str, NodeId)> {
        self.names.iter().map(|(name, node)| (name.as_str(), *node))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.pending.push(Pending { change, given_up: false });
    }
}

fn apply(names: &mut BTreeMap<String, NodeId>, change: &Change) {
    match change {
        Change::Unlink { name } => {
            names.remove(name);
        }
        Change::Link { name, node } | Change::Rename { to: name, node, .. } => {
            // Where an earlier rename of it was lost, the node still has the older name: a file never has two.
            names.retain(|_, other| other != node);
            if let Change::Rename { from, .. } = change {
                names.remove(from);
            }
            names.insert(name.clone(), *node);
        }
    }
}
