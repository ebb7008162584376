//! On tokio-uring: a ring whose completions are awaited, a task a connection. Its loop sleeps in epoll until the ring has
//! something, so DEFER_TASKRUN, multishot operations and registered files are out of its reach; COOP_TASKRUN is not.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::net::TcpListener;
use std::rc::Rc;

use tokio_uring::Runtime;
use tokio_uring::buf::BoundedBuf;
use tokio_uring::fs::File;
use tokio_uring::net::TcpStream;

use super::{Disk, lost};
use crate::floor::BLOCK_BYTES;
use crate::runtimes::disk::{Block, Contract, Positions};
use crate::runtimes::frames::{self, Input};

/// Submission entries; the queue is flushed when it is full, so that this is no limit.
const RING_ENTRIES: u32 = 1024;

/// The open scratch file.
struct Scratch {
    file: File,
    contract: Contract,
    positions: RefCell<Positions>,
}

/// Serves for good.
pub fn serve(listener: TcpListener, disk: Option<Disk>) -> io::Result<()> {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun();
    let mut builder = tokio_uring::builder();
    builder.entries(RING_ENTRIES).uring_builder(&ring);
    Runtime::new(&builder)?.block_on(async {
        let scratch = disk.map(|disk| open(&disk)).transpose()?.map(Rc::new);
        let listener = tokio_uring::net::TcpListener::from_std(listener);
        loop {
            let (stream, _) = listener.accept().await?;
            let scratch = scratch.clone();
            tokio_uring::spawn(async move {
                if let Err(error) = connection(stream, scratch).await {
                    lost(&error);
                }
            });
        }
    })
}

fn open(disk: &Disk) -> io::Result<Scratch> {
    Ok(Scratch { file: File::from_std(disk.open()?), contract: disk.contract, positions: RefCell::default() })
}

async fn connection(stream: TcpStream, scratch: Option<Rc<Scratch>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut answers) = (Input::default(), Vec::new());
    let mut block = Block::default();
    loop {
        let room = mem::take(&mut input.bytes).slice(input.end..);
        let (count, room) = stream.read(room).await;
        input.bytes = room.into_inner();
        match count? {
            0 => return Ok(()),
            count => input.received(count),
        }
        while let Some(body) = input.next_body()? {
            let number = frames::number(body);
            if let Some(scratch) = &scratch {
                block.fill(body)?;
                block = write(scratch, block).await?;
            }
            answers.extend(frames::answer(number));
        }
        input.make_room();
        if !answers.is_empty() {
            let (sent, sent_answers) = stream.write_all(answers).await;
            sent?;
            answers = sent_answers;
            answers.clear();
        }
    }
}

async fn write(scratch: &Scratch, block: Block) -> io::Result<Block> {
    let position = scratch.positions.borrow_mut().next_block();
    let (bytes, start) = block.into_parts();
    let (written, bytes) = scratch.file.write_all_at(bytes.slice(start..start + BLOCK_BYTES), position).await;
    written?;
    if scratch.contract == Contract::Flushed {
        scratch.file.sync_data().await?;
    }
    Ok(Block::from_parts(bytes.into_inner(), start))
}
