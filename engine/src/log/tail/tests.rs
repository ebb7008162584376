use super::*;

fn batch(base: i64, count: i32, size: usize) -> Vec<u8> {
    let mut bytes = vec![0xab; size];
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[8..12].copy_from_slice(&i32::try_from(size - 12).expect("small").to_be_bytes());
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[35..43].copy_from_slice(&77i64.to_be_bytes());
    bytes
}

#[test]
fn a_batch_runs_on_from_chunk_to_chunk() {
    let (pool, mut clock) = (Pool::new(2), 0);
    let mut tail = Tail::new(Position::ZERO, Vec::new());
    tail.push(&batch(0, 3, 4090), &pool, &mut clock);
    tail.push(&batch(3, 2, 9000), &pool, &mut clock);
    assert_eq!(
        tail.peek(Position::new(4090)),
        BatchPeek { size: 9000, base_offset: 3, last_offset: 4, max_timestamp: 77 }
    );
    let slices = tail.slices(Position::new(4090), tail.end());
    assert!(slices.len() > 1, "the second batch starts in the first chunk's last bytes");
    assert_eq!(slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>(), batch(3, 2, 9000));
}

#[test]
fn it_goes_on_in_a_recovered_partial_block() {
    let (pool, mut clock) = (Pool::new(2), 0);
    let mut tail = Tail::new(Position::new(5000), vec![7; 904]);
    assert_eq!((tail.start(), tail.memory()), (Position::new(4096), 904));
    let seen = tail.piece(tail.start(), tail.end());
    tail.push(&[8; 100], &pool, &mut clock);
    assert_eq!(tail.memory(), BLOCK_SIZE, "what is written from is a block");
    assert_eq!(*seen, [7; 904], "a reader keeps what it has");
    assert_eq!(&*tail.piece(Position::new(4999), Position::new(5001)), &[7, 8]);
}

#[test]
fn a_new_file_starts_a_chunk() {
    let (pool, mut clock) = (Pool::new(2), 0);
    let mut tail = Tail::new(Position::ZERO, Vec::new());
    tail.push(&[1; 10], &pool, &mut clock);
    tail.start_file();
    tail.push(&[2; 10], &pool, &mut clock);
    assert_eq!(&*tail.piece(Position::new(5), Position::new(15)), &[1; 5]);
    assert_eq!(tail.slices(Position::new(5), Position::new(15)).len(), 2);
}

#[test]
fn only_flushed_chunks_go_and_the_last_one_stays() {
    let (pool, mut clock) = (Pool::new(2), 0);
    let mut tail = Tail::new(Position::ZERO, Vec::new());
    tail.push(&[1; BLOCK_SIZE], &pool, &mut clock);
    tail.push(&[2; 10], &pool, &mut clock);
    assert_eq!(tail.oldest(Position::new(4095)), None);
    assert_eq!(tail.oldest(Position::new(4096)), Some(1));
    tail.evict();
    assert_eq!(tail.start(), Position::new(4096));
    assert_eq!(tail.oldest(tail.end()), None);
}

#[test]
fn an_idle_tail_shrinks_to_its_partial_block() {
    let (pool, mut clock) = (Pool::new(2), 0);
    let mut tail = Tail::new(Position::ZERO, Vec::new());
    tail.push(&[1; 10_000], &pool, &mut clock);
    tail.shrink(Position::new(9_999));
    assert!(tail.memory() > BLOCK_SIZE, "unflushed bytes stay");
    tail.shrink(tail.end());
    assert_eq!((tail.start(), tail.end()), (Position::new(8192), Position::new(10_000)));
    assert_eq!(tail.memory(), 10_000 - 8192);
    tail.push(&[2; 10], &pool, &mut clock);
    assert_eq!(&*tail.piece(Position::new(9_999), Position::new(10_001)), &[1, 2]);
    assert_eq!(tail.memory(), BLOCK_SIZE);
    tail.shrink(tail.end());
    tail.shrink(tail.end());
    assert_eq!(tail.memory(), 10_010 - 8192);
    assert_eq!(&*tail.piece(Position::new(9_999), Position::new(10_001)), &[1, 2]);
}

#[test]
fn a_slow_tail_keeps_what_is_new() {
    let (pool, mut clock) = (Pool::new(0), 0);
    let mut tail = Tail::new(Position::ZERO, Vec::new());
    let mut largest = 0;
    for nth in 0..10_000 {
        tail.push(&[1; 100], &pool, &mut clock);
        if nth > 1_000 {
            largest = largest.max(tail.memory());
        }
        tail.give_back_old(tail.end());
    }
    assert_eq!(largest, 2 * BLOCK_SIZE, "one in which it ended before, one in which it ends");

    tail.give_back_old(tail.end());
    let kept = tail.memory();
    tail.push(&[1; 3 * BLOCK_SIZE], &pool, &mut clock);
    let grown = tail.memory();
    assert!(grown > kept);
    tail.give_back_old(tail.end());
    assert_eq!(tail.memory(), grown, "it is all new, in part");
    tail.give_back_old(Position::ZERO);
    assert_eq!(tail.memory(), grown, "nothing of it is flushed");
    tail.give_back_old(tail.end());
    assert!(tail.memory() < grown);
}

#[test]
fn what_rests_where_a_file_ends_stays_there() {
    let (pool, mut clock) = (Pool::new(2), 0);
    let mut tail = Tail::new(Position::new(100), vec![1; 100]);
    tail.start_file();
    tail.shrink(tail.end());
    tail.push(&[2; 10], &pool, &mut clock);
    assert_eq!(tail.slices(Position::new(99), Position::new(101)).len(), 2);
    assert_eq!(tail.memory(), 100 + BLOCK_SIZE);
}
