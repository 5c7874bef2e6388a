//! Generates the types and services of `uplink.proto`, without protoc.

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=uplink.proto");
    let files = protox::compile(["uplink.proto"], ["."]).map_err(std::io::Error::other)?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
