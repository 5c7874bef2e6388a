//! The hub's language: what an agent and a hub say to each other, as `uplink.proto` (gRPC) and
//! `command.proto` (MQTT, on the topics of [`topics`]) have it.
//!
//! Used at the edges only: the agent's uplink and enrollment, the hub's doors. Pure.

pub mod topics;

/// The metadata by which a hub marks an error as its own, considered refusal of who is asking: a code
/// it does not take, an identity it does not know or has revoked. An agent counts only these; an
/// answer that a proxy, a gateway or the transport made up does not carry it.
pub const REFUSAL: &str = "platen-refusal";

/// Messages and services of `platen.v1`.
pub mod v1 {
    #![expect(missing_docs, reason = "generated; the .proto files hold the words")]
    #![expect(
        clippy::large_enum_variant,
        reason = "generated; nearly every report is a reading"
    )]
    tonic::include_proto!("platen.v1");
}
