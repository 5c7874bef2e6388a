//! How long one question, one answer and one whole reading take, without the sockets.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use walks::pure::Known;

fn codec(criterion: &mut Criterion) {
    let known = Known::default();
    criterion.bench_function("encode", |it| it.iter(|| black_box(known.encode())));
    criterion.bench_function("decode", |it| it.iter(|| black_box(known.decode())));
    criterion.bench_function("judge", |it| it.iter(|| black_box(known.judge())));
    criterion.bench_function("reading", |it| it.iter(|| black_box(known.read())));
}

criterion_group!(benches, codec);
criterion_main!(benches);
