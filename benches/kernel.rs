//! The kernel alone, in bytes a second, beside a copy of the same bytes: `cargo bench --bench kernel`.

use capchat::capitals::append_capitals;
use capchat::message::Messages;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

/// How much the server reads at once.
const BLOCK: usize = 256 * 1024;

/// What is measured: the scripts that people write in, and what is no text at all.
const TEXTS: [&str; 5] = ["ascii", "latin", "greek", "cyrillic", "random"];

fn block(name: &str) -> Vec<u8> {
    let line = match name {
        "ascii" => "The quick brown fox jumps over the lazy dog, again and again and again.\n",
        "latin" => "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë.\n",
        "greek" => "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, και πάλι από την αρχή.\n",
        "cyrillic" => "Съешь же ещё этих мягких французских булок, да выпей чаю.\n",
        _ => return random_bytes(),
    };
    line.bytes().cycle().take(BLOCK).collect()
}

/// Bytes without a pattern, the same in each run (xorshift64*).
fn random_bytes() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        Some(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes())
    };
    std::iter::from_fn(next).flatten().take(BLOCK).collect()
}

#[divan::bench(args = TEXTS)]
fn copy(bencher: Bencher, name: &str) {
    let block = block(name);
    let mut out = Vec::with_capacity(4 * BLOCK);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| {
        out.clear();
        out.extend_from_slice(black_box(&block));
        black_box(&out);
    });
}

#[divan::bench(args = TEXTS)]
fn capitals(bencher: Bencher, name: &str) {
    let block = block(name);
    let mut out = Vec::with_capacity(4 * BLOCK);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| {
        out.clear();
        append_capitals(black_box(&block), &mut out);
        black_box(&out);
    });
}

#[divan::bench(args = TEXTS)]
fn messages(bencher: Bencher, name: &str) {
    let block = block(name);
    let mut out = Vec::with_capacity(4 * BLOCK);
    let mut messages = Messages::default();
    // What is answered in place is text in capitals from then on: each run gets a new copy.
    bencher.counter(BytesCount::new(BLOCK)).with_inputs(|| block.clone()).bench_local_refs(|block| {
        out.clear();
        let _ = black_box(messages.receive(black_box(block), &mut out));
        black_box(&out);
    });
}

fn main() {
    divan::main();
}
