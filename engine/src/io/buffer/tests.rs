use super::*;

#[test]
fn slices_stay_as_they_were_while_the_writer_goes_on() {
    let pool = Pool::new(2);
    let mut chunk = pool.take().expect("a fresh pool has chunks");
    assert_eq!(chunk.push(b"first"), 5);
    let first = chunk.filled();
    assert_eq!(chunk.push(b"second"), 6);
    assert_eq!(&*first, b"first");
    assert_eq!(&*chunk.slice(5..11), b"second");
    assert_eq!(&*first.slice(1..3), b"ir");
}

#[test]
fn a_chunk_returns_to_its_pool_with_its_last_slice() {
    let pool = Pool::new(1);
    let mut chunk = pool.take().expect("a fresh pool has chunks");
    chunk.push(b"kept");
    let slice = chunk.filled();
    drop(chunk);
    assert!(pool.take().is_none());
    std::thread::spawn(move || drop(slice)).join().expect("the thread only drops");
    assert!(pool.take().is_some());
}

#[test]
fn a_chunk_is_reset_only_when_nobody_looks() {
    let mut chunk = Pool::heap(BLOCK_SIZE);
    chunk.push(b"seen");
    let slice = chunk.filled();
    assert!(!chunk.try_reset());
    drop(slice);
    assert!(chunk.try_reset());
    assert!(chunk.is_empty());
}

#[test]
fn a_full_chunk_takes_what_fits() {
    let mut chunk = Pool::heap(BLOCK_SIZE);
    assert_eq!(chunk.push(&[7; BLOCK_SIZE - 1]), BLOCK_SIZE - 1);
    assert_eq!(chunk.push(b"ab"), 1);
    assert_eq!(chunk.remaining(), 0);
    assert_eq!(chunk[BLOCK_SIZE - 1], b'a');
}

#[test]
#[should_panic(expected = "filled bytes")]
fn a_slice_of_unfilled_bytes_is_refused() {
    let _ = Pool::heap(BLOCK_SIZE).slice(0..1);
}

#[test]
fn a_vectors_bytes_are_shared_where_they_lie() {
    let mut bytes = Vec::with_capacity(100);
    bytes.extend_from_slice(b"a vector");
    let at = bytes.as_ptr();
    let slice = Slice::from_vec(bytes);
    assert_eq!((&*slice, slice.as_ptr()), (&b"a vector"[..], at));
    let part = slice.slice(2..8);
    drop(slice);
    assert_eq!(&*part, b"vector");
    assert_eq!(&*Slice::from_vec(Vec::new()), b"");
}

#[test]
fn a_pools_region_begins_with_a_huge_page() {
    for chunks in [1, 8, 9] {
        let pool = Pool::new(chunks);
        assert_eq!(pool.region().0.addr() % HUGE_PAGE, 0);
    }
}
