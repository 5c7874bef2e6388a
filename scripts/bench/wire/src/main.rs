//! What a discovery is measured with: a floor, and a responder that answers for a whole /16.
//!
//! `wire floor NETWORK PORT` asks every address of a /16 once, with nothing around what the kernel
//! takes, waits a second for late answers, and prints how many there were. `wire responder PORT
//! SPREAD [LOST [printers]]` answers for some addresses (`100`: one in a hundred; `100/16`: as many, all of them
//! in one of sixteen /24) of whatever is routed to it, from the address that was asked, but for so
//! many answers in a hundred, as computers do or as printers. `wire live NETWORK SPREAD` prints those addresses. `wire blast NETWORK
//! PORT COUNT SPREAD` asks one live address as fast as it is answered, which tells the responder's
//! own rate.

mod blast;
mod datagrams;
mod floor;
mod responder;
mod spread;

use std::error::Error;
use std::net::Ipv4Addr;

use responder::{COMPUTER, PRINTER};
use spread::Spread;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor", network, port] => {
            println!("{}", floor::floor(network.parse()?, port.parse()?)?);
            Ok(())
        }
        ["responder", port, spread] => respond(port, spread, "0", COMPUTER),
        ["responder", port, spread, lost] => respond(port, spread, lost, COMPUTER),
        ["responder", port, spread, lost, "printers"] => respond(port, spread, lost, PRINTER),
        ["live", network, spread] => {
            let spread: Spread = spread.parse()?;
            for address in spread.living(network.parse()?) {
                println!("{address}");
            }
            Ok(())
        }
        ["blast", network, port, count, spread] => {
            let spread: Spread = spread.parse()?;
            let network: Ipv4Addr = network.parse()?;
            let live = spread.living(network).next().ok_or("nobody lives")?;
            blast::blast(live, port.parse()?, count.parse()?)
        }
        _ => Err(
            "wire floor NETWORK PORT | responder PORT SPREAD [LOST [printers]] | live NETWORK SPREAD | blast \
             NETWORK PORT COUNT SPREAD"
                .into(),
        ),
    }
}

fn respond(port: &str, spread: &str, lost: &str, device: &str) -> Result<(), Box<dyn Error>> {
    responder::responder(port.parse()?, spread.parse()?, lost.parse()?, device)
}
