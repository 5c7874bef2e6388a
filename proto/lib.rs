//! The hub's language: what an agent and a hub say to each other, as `uplink.proto` has it.
//!
//! Used at the edges only: the agent's uplink and enrollment, the hub's doors. Pure.

/// Messages and services of `platen.v1`.
pub mod v1 {
    #![expect(missing_docs, reason = "generated; uplink.proto holds the words")]
    #![expect(
        clippy::large_enum_variant,
        reason = "generated; nearly every report is a reading"
    )]
    tonic::include_proto!("platen.v1");
}
