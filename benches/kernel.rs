//! The kernel alone, in bytes per second, next to a copy of the same bytes: `cargo bench --bench kernel`.

use capchat::capitals::append_capitals;
use capchat::message::{Buffer, Messages};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

use texts::Text;

mod texts;

/// The names of [`Text::all`].
const TEXTS: [&str; 13] = [
    "ascii",
    "latin",
    "greek",
    "cyrillic",
    "vietnamese",
    "georgian",
    "turkish",
    "german",
    "chinese",
    "hindi",
    "arabic",
    "emoji",
    "random",
];

/// As much of a text as the server reads at a time.
fn block(name: &str) -> Vec<u8> {
    Text::all().into_iter().find(|text| text.name == name).expect("the name of a text").bytes
}

#[divan::bench(args = TEXTS)]
fn copy(bencher: Bencher, name: &str) {
    let block = block(name);
    let mut out = Vec::with_capacity(4 * block.len());
    bencher.counter(BytesCount::new(block.len())).bench_local(|| {
        out.clear();
        out.extend_from_slice(black_box(&block));
        black_box(&out);
    });
}

#[divan::bench(args = TEXTS)]
fn capitals(bencher: Bencher, name: &str) {
    let block = block(name);
    let mut out = Vec::with_capacity(4 * block.len());
    bencher.counter(BytesCount::new(block.len())).bench_local(|| {
        out.clear();
        append_capitals(black_box(&block), &mut out);
        black_box(&out);
    });
}

#[divan::bench(args = TEXTS)]
fn messages(bencher: Bencher, name: &str) {
    let block = block(name);
    let mut out = Vec::with_capacity(4 * block.len());
    let mut messages = Messages::default();
    // Replies are made in place: each run gets a new copy.
    let input = || {
        let mut buffer = Buffer::new(block.len());
        buffer.space().copy_from_slice(&block);
        buffer
    };
    bencher.counter(BytesCount::new(block.len())).with_inputs(input).bench_local_refs(|buffer| {
        let _ = black_box(messages.receive(black_box(buffer), block.len(), &mut out));
    });
}

fn main() {
    divan::main();
}
