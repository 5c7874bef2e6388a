//! Generates the types and services of `uplink.proto` and `command.proto`, without protoc.

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=uplink.proto");
    println!("cargo::rerun-if-changed=command.proto");
    let files =
        protox::compile(["uplink.proto", "command.proto"], ["."]).map_err(std::io::Error::other)?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
