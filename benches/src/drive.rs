//! A minimal pipelined Produce client, to drive the floor until the load generator does.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

pub struct Options {
    pub bootstrap: SocketAddr,
    pub connections: usize,
    pub in_flight: usize,
    pub batch_records: usize,
    pub record_size: usize,
    pub partitions: usize,
    pub seconds: f64,
}

pub fn run(options: &Options) -> io::Result<()> {
    let begin = Instant::now() + Duration::from_millis(500);
    let end = begin + Duration::from_secs_f64(options.seconds);
    let results: Vec<io::Result<Vec<u32>>> = thread::scope(|s| {
        let handles: Vec<_> =
            (0..options.connections).map(|n| s.spawn(move || connection(options, n, begin, end))).collect();
        handles.into_iter().map(|h| h.join().expect("no panic")).collect()
    });
    let mut all = Vec::new();
    for r in results {
        all.extend(r?);
    }
    all.sort_unstable();
    let records = all.len() * options.batch_records;
    let rate = records as f64 / options.seconds;
    let at = |q: f64| all[((all.len() - 1) as f64 * q) as usize];
    println!(
        "{:.3} M records/s, {:.0} requests/s, p50 {} us p99 {} us p99.9 {} us max {} us",
        rate / 1e6,
        all.len() as f64 / options.seconds,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    Ok(())
}

fn connection(options: &Options, number: usize, begin: Instant, end: Instant) -> io::Result<Vec<u32>> {
    let mut socket = TcpStream::connect(options.bootstrap)?;
    socket.set_nodelay(true)?;
    let frame = frame(options.batch_records, options.record_size, (number % options.partitions) as i32);
    let mut sent = VecDeque::new();
    let mut latencies = Vec::with_capacity(1 << 20);
    let mut input = vec![0u8; 64 << 10];
    let mut filled = 0;
    loop {
        while sent.len() < options.in_flight {
            sent.push_back(Instant::now());
            socket.write_all(&frame)?;
        }
        let n = socket.read(&mut input[filled..])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += n;
        let mut at = 0;
        let now = Instant::now();
        while filled - at >= 4 {
            let len = u32::from_be_bytes(input[at..at + 4].try_into().unwrap()) as usize;
            if filled - at < 4 + len {
                break;
            }
            let error = i16::from_be_bytes(input[at + 4 + 4 + 4 + 2 + 1 + 4 + 4..][..2].try_into().unwrap());
            assert_eq!(error, 0);
            at += 4 + len;
            let start = sent.pop_front().unwrap();
            if now > begin && now < end {
                latencies.push((now - start).as_micros() as u32);
            }
        }
        input.copy_within(at..filled, 0);
        filled -= at;
        if now >= end {
            return Ok(latencies);
        }
    }
}

fn varint(out: &mut Vec<u8>, v: i64) {
    let mut z = ((v << 1) ^ (v >> 63)) as u64;
    while z >= 0x80 {
        out.push(z as u8 | 0x80);
        z >>= 7;
    }
    out.push(z as u8);
}

fn frame(records: usize, size: usize, partition: i32) -> Vec<u8> {
    let mut body = Vec::new();
    for i in 0..records {
        let mut r = Vec::new();
        r.push(0);
        varint(&mut r, 0);
        varint(&mut r, i as i64);
        varint(&mut r, -1);
        varint(&mut r, size as i64);
        r.extend((0..size).map(|b| (b * 31 + i) as u8));
        varint(&mut r, 0);
        varint(&mut body, r.len() as i64);
        body.extend(r);
    }
    let mut tail = Vec::new();
    tail.extend(0i16.to_be_bytes());
    tail.extend((records as i32 - 1).to_be_bytes());
    tail.extend(0i64.to_be_bytes());
    tail.extend(0i64.to_be_bytes());
    tail.extend((-1i64).to_be_bytes());
    tail.extend((-1i16).to_be_bytes());
    tail.extend((-1i32).to_be_bytes());
    tail.extend((records as i32).to_be_bytes());
    tail.extend(body);
    let mut batch = Vec::new();
    batch.extend(0i64.to_be_bytes());
    batch.extend((tail.len() as i32 + 9).to_be_bytes());
    batch.extend((-1i32).to_be_bytes());
    batch.push(2);
    batch.extend(crc32c::crc32c(&tail).to_be_bytes());
    batch.extend(tail);
    let mut f = vec![0; 4];
    f.extend(0i16.to_be_bytes());
    f.extend(7i16.to_be_bytes());
    f.extend(1i32.to_be_bytes());
    f.extend((-1i16).to_be_bytes());
    f.extend((-1i16).to_be_bytes());
    f.extend((-1i16).to_be_bytes());
    f.extend(30000i32.to_be_bytes());
    f.extend(1i32.to_be_bytes());
    f.extend(1i16.to_be_bytes());
    f.push(b't');
    f.extend(1i32.to_be_bytes());
    f.extend(partition.to_be_bytes());
    f.extend((batch.len() as i32).to_be_bytes());
    f.extend(batch);
    let len = f.len() as i32 - 4;
    f[..4].copy_from_slice(&len.to_be_bytes());
    f
}
