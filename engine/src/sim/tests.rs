//! Each element of the fault model is observed, and nothing that was synced is ever lost.

mod checker;
mod contents;
mod contract;
mod names;
mod running;

use std::path::Path;

use super::{Faults, SimFs, SimIo, SimWorld, Step};
use crate::io::{BLOCK_SIZE, Completion, File, Fs, Io, Op, OpenMode, Pool, Returned, Slice, Token, Wait};

const PATH: &str = "/data/file";

/// A machine with one shard and an empty file whose name is durable.
struct Rig {
    world: SimWorld,
    io: SimIo,
    fs: SimFs,
    file: File,
}

impl Rig {
    fn new(seed: u64, faults: Faults) -> Self {
        let world = SimWorld::new(seed, Faults::none());
        let fs = world.fs();
        fs.create_folder(Path::new("/data")).unwrap();
        fs.sync_folder(Path::new("/")).unwrap();
        let created = fs.open(Path::new(PATH), OpenMode::CreateNew).unwrap();
        fs.sync_folder(Path::new("/data")).unwrap();
        fs.close(created);
        world.set_faults(faults);
        let io = world.io(0, Pool::new(1));
        let file = fs.open(Path::new(PATH), OpenMode::Direct).unwrap();
        Self { world, io, fs, file }
    }

    /// Starts writing so many blocks, each full of `byte`.
    fn write(&mut self, token: u64, block: u64, blocks: usize, byte: u8) {
        let data = Slice::copy_from(&vec![byte; blocks * BLOCK_SIZE]);
        self.io.submit(Token(token), Op::Write { file: self.file, offset: block * BLOCK_SIZE as u64, data });
    }

    /// Runs the machine until so many operations have ended.
    fn wait(&mut self, count: usize) -> Vec<Completion> {
        let mut completions = Vec::new();
        while completions.len() < count {
            match self.world.step() {
                Step::Turn(_) => turn(&mut self.io, &mut completions),
                Step::Inside => {}
                Step::Idle | Step::Crashed => {
                    panic!("only {} of {count} operations ended", completions.len())
                }
            }
        }
        completions
    }

    fn write_and_wait(&mut self, block: u64, blocks: usize, byte: u8) {
        self.write(0, block, blocks, byte);
        self.wait(1)[0].result.as_ref().unwrap();
    }

    fn flush(&mut self) {
        self.io.submit(Token(0), Op::Flush { file: self.file });
        self.wait(1)[0].result.as_ref().unwrap();
    }

    /// The file's bytes after a crash; `None` where its name is gone.
    fn crash(self) -> Option<Vec<u8>> {
        self.world.crash();
        contents(&self.world, PATH)
    }
}

/// A turn that would sleep as long as it takes.
fn turn(io: &mut SimIo, completions: &mut Vec<Completion>) {
    match io.turn(Wait::Forever, completions) {
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
            panic!("the turn has failed: {error}")
        }
        _ => {}
    }
}

/// A file's bytes as the machine now sees them.
fn contents(world: &SimWorld, path: &str) -> Option<Vec<u8>> {
    crate::io::read_file(&world.fs(), Path::new(path)).ok()
}

/// Whether each of these happened in at least one of many seeds.
fn observed<const N: usize>(seen: [(&str, bool); N]) {
    for (what, happened) in seen {
        assert!(happened, "never observed: {what}");
    }
}
