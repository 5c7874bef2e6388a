//! The portal: the pages a person looks at. Reached on a loopback address only.

use axum::Router;
use axum::routing::get;

use crate::store::{Store, Tenant};

/// What the pages need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PortalState {
    /// Where the readings are.
    pub store: Store,
    /// Whose portal it is.
    pub tenant: Tenant,
}

/// Every route of the portal.
pub fn router(state: PortalState) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .with_state(state)
}
