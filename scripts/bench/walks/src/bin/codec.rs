//! Does one thing so many times, for `scripts/bench/codec`: the instructions of twice as many less
//! those of once are those of the thing.
//!
//! `codec encode|decode|judge|reading TIMES`

use std::error::Error;
use std::hint::black_box;

use walks::pure::Known;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, times] = &words[..] else {
        return Err("codec encode|decode|judge|reading TIMES".into());
    };
    let known = Known::default();
    for _ in 0..times.parse()? {
        match what.as_str() {
            "encode" => drop(black_box(known.encode())),
            "decode" => drop(black_box(known.decode())),
            "judge" => drop(black_box(known.judge())),
            "reading" => drop(black_box(known.read())),
            other => return Err(format!("{other} is not encode, decode, judge or reading").into()),
        }
    }
    Ok(())
}
