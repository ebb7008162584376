use super::*;

const LIMIT: usize = 8 << 20;

fn frame(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = u32::try_from(length).expect("short").to_be_bytes().to_vec();
    bytes.extend((0..length).map(|at| seed.wrapping_add((at % 251).to_le_bytes()[0])));
    bytes
}

fn memory() -> ReceiveMemory {
    ReceiveMemory::new(16 << 20)
}

/// Plays the kernel: puts at most `at_most` bytes into the chunk handed out.
fn receive(receiver: &mut Receiver, memory: &mut ReceiveMemory, from: &mut &[u8], at_most: usize) {
    let mut chunk = receiver.begin(memory).expect("good frames").expect("memory enough");
    assert!(chunk.remaining() > 0, "a receive needs room");
    let count = chunk.push(&from[..from.len().min(at_most)]);
    *from = &from[count..];
    receiver.filled(chunk);
}

fn frames_of(receiver: &mut Receiver) -> Vec<Slice> {
    std::iter::from_fn(|| receiver.next_frame().expect("good frames")).collect()
}

#[test]
fn frames_come_out_whole_however_the_stream_is_split() {
    let frames = [frame(8, 1), frame(40, 2), frame(9, 3)];
    let stream = frames.concat();
    for split in 0..=stream.len() {
        let mut receiver = Receiver::new(LIMIT);
        let mut memory = memory();
        let mut found = Vec::new();
        for mut part in [&stream[..split], &stream[split..]] {
            while !part.is_empty() {
                receive(&mut receiver, &mut memory, &mut part, usize::MAX);
                found.extend(frames_of(&mut receiver));
            }
        }
        assert_eq!(found.len(), 3, "split at {split}");
        for (found, sent) in found.iter().zip(&frames) {
            assert_eq!(&**found, &sent[LENGTH_BYTES..], "split at {split}");
        }
    }
}

#[test]
fn frames_of_every_size_survive_growth_and_carrying_over() {
    let sizes =
        [8, 16_000, 20_000, 300, 57_000, 57_000, 57_000, 57_000, 300_000, 2_000_000, 2_100_000, 12, 70_000];
    for at_most in [1_000, 4_096, 65_536, usize::MAX] {
        let frames: Vec<_> = sizes.iter().zip(0..).map(|(size, seed)| frame(*size, seed)).collect();
        let stream = frames.concat();
        let mut left = &stream[..];
        let mut receiver = Receiver::new(LIMIT);
        let mut memory = memory();
        let mut found = Vec::new();
        while !left.is_empty() {
            receive(&mut receiver, &mut memory, &mut left, at_most);
            found.extend(frames_of(&mut receiver));
        }
        assert_eq!(found.len(), frames.len());
        for (found, sent) in found.iter().zip(&frames) {
            assert!(**found == sent[LENGTH_BYTES..], "a frame of {} bytes, {at_most} at a time", found.len());
        }
        drop(found);
        receiver.release(&mut memory);
        assert_eq!((memory.grown.used(), memory.large.used()), (0, 0));
    }
}

#[test]
fn a_quiet_connection_costs_the_base_chunk() {
    let mut receiver = Receiver::new(LIMIT);
    let mut memory = memory();
    let big = frame(100_000, 0);
    let mut left = &big[..];
    while !left.is_empty() {
        receive(&mut receiver, &mut memory, &mut left, usize::MAX);
        frames_of(&mut receiver);
    }
    assert!(memory.grown.used() > 0);
    for _ in 0..=QUIET_RECEIVES {
        let small = frame(100, 0);
        receive(&mut receiver, &mut memory, &mut &small[..], usize::MAX);
        assert_eq!(frames_of(&mut receiver).len(), 1);
    }
    receiver.trim(&mut memory);
    assert_eq!(memory.grown.used(), 0);
}

#[test]
fn without_memory_for_a_large_frame_nothing_is_read() {
    let mut memory = ReceiveMemory::new(1 << 20);
    let announced = frame(900_000, 0);
    let mut first = Receiver::new(LIMIT);
    let mut second = Receiver::new(LIMIT);
    for receiver in [&mut first, &mut second] {
        receive(receiver, &mut memory, &mut &announced[..100], usize::MAX);
        assert!(frames_of(receiver).is_empty());
    }
    let chunk = first.begin(&mut memory).expect("a good frame").expect("the first gets the memory");
    assert!(second.begin(&mut memory).expect("a good frame").is_none());
    first.filled(chunk);
    first.release(&mut memory);
    assert!(second.begin(&mut memory).expect("a good frame").is_some());
}

#[test]
fn memory_of_a_large_frame_comes_back_when_nothing_reads_it_any_more() {
    let mut memory = memory();
    let mut receiver = Receiver::new(LIMIT);
    let large = frame(900_000, 0);
    let mut left = &large[..];
    let mut held = Vec::new();
    while !left.is_empty() {
        receive(&mut receiver, &mut memory, &mut left, usize::MAX);
        held.extend(frames_of(&mut receiver));
    }
    let chunk = receiver.begin(&mut memory).expect("good frames").expect("a small chunk is always there");
    receiver.trim(&mut memory);
    assert!(memory.large.used() > 0, "the frame is still read");
    held.clear();
    receiver.trim(&mut memory);
    assert_eq!(memory.large.used(), 0, "while the next receive is under way");
    receiver.filled(chunk);
}

#[test]
fn full_chunks_that_are_still_read_from_stop_the_receiving() {
    let mut receiver = Receiver::new(LIMIT);
    let mut memory = ReceiveMemory::new(1 << 20);
    assert!(memory.grown.take(crate::limits::RECEIVE_BYTES_GROWN_ALL), "nothing left to grow with");
    let request = frame(10_000, 0);
    let mut held = Vec::new();
    let stopped = (0..1000).any(|_| {
        let mut left = &request[..];
        while !left.is_empty() {
            let Some(mut chunk) = receiver.begin(&mut memory).expect("good frames") else { return true };
            let count = chunk.push(left);
            left = &left[count..];
            receiver.filled(chunk);
            held.extend(frames_of(&mut receiver));
        }
        false
    });
    assert!(stopped);
    assert!(held.len() <= RECEIVE_BUFFERS_RETIRED_MAX * 2 + 2);
    held.clear();
    assert!(
        receiver.begin(&mut memory).expect("good frames").is_some(),
        "it goes on when they are done with"
    );
}

#[test]
fn a_bad_length_is_found_before_its_bytes_are_there() {
    let mut receiver = Receiver::new(100);
    let mut memory = memory();
    receive(&mut receiver, &mut memory, &mut &101_u32.to_be_bytes()[..], usize::MAX);
    assert_eq!(receiver.next_frame().map(drop), Err(BadLength::TooLong { length: 101, limit: 100 }));
}
