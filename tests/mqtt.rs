//! Commands over MQTT: the agent's line and the hub's session, over the hub's own broker and over a
//! real Mosquitto; who is refused, what a broker that is killed costs; and the conventions of Azure
//! IoT Hub, against a broker that plays them.

#[path = "mqtt/azure.rs"]
mod azure;
#[path = "mqtt/bounds.rs"]
mod bounds;
#[path = "mqtt/brokers.rs"]
mod brokers;
#[path = "mqtt/echo.rs"]
mod echo;
#[path = "mqtt/iothub.rs"]
mod iothub;
#[path = "mqtt/site.rs"]
mod site;
#[path = "mqtt/token.rs"]
mod token;
#[path = "mqtt/trust.rs"]
mod trust;
#[path = "mqtt/twin.rs"]
mod twin;
#[path = "mqtt/ways.rs"]
mod ways;
