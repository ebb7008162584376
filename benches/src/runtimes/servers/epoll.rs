//! On tokio: readiness from epoll, a task a connection. No file is ever ready or not to epoll, so writes and flushes run
//! on the runtime's pool of blocking threads, as many as there are connections.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{spawn, spawn_blocking};

use super::{Disk, lost};
use crate::os;
use crate::runtimes::disk::{Block, Contract, Positions};
use crate::runtimes::frames::{self, Input};

/// The open scratch file.
struct Scratch {
    file: std::fs::File,
    contract: Contract,
    positions: Mutex<Positions>,
}

/// Serves for good.
pub fn serve(listener: std::net::TcpListener, disk: Option<Disk>) -> io::Result<()> {
    let scratch = disk.map(|disk| open(&disk)).transpose()?.map(Arc::new);
    listener.set_nonblocking(true)?;
    // The pool's threads are not tied to the loop's core: the kernel's workers, which do the same for the rings, are not.
    let runtime = Builder::new_current_thread().enable_io().on_thread_start(os::unpin).build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let scratch = scratch.clone();
            spawn(async move {
                if let Err(error) = connection(stream, scratch).await {
                    lost(&error);
                }
            });
        }
    })
}

fn open(disk: &Disk) -> io::Result<Scratch> {
    Ok(Scratch { file: disk.open()?, contract: disk.contract, positions: Mutex::default() })
}

async fn connection(mut stream: TcpStream, scratch: Option<Arc<Scratch>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut answers) = (Input::default(), Vec::new());
    let mut block = Block::default();
    loop {
        match stream.read(&mut input.bytes[input.end..]).await? {
            0 => return Ok(()),
            count => input.received(count),
        }
        while let Some(body) = input.next_body()? {
            let number = frames::number(body);
            if let Some(scratch) = &scratch {
                block.fill(body)?;
                block = write(Arc::clone(scratch), block).await?;
            }
            answers.extend(frames::answer(number));
        }
        input.make_room();
        stream.write_all(&answers).await?;
        answers.clear();
    }
}

async fn write(scratch: Arc<Scratch>, block: Block) -> io::Result<Block> {
    let work = move || {
        let position = scratch.positions.lock().expect("nothing panics with it").next_block();
        block.write(&scratch.file, position, scratch.contract).map(|()| block)
    };
    spawn_blocking(work).await.map_err(io::Error::other)?
}
