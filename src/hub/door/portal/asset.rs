//! The portal's few files: one style sheet and one icon, in the binary, named by their content.
//!
//! A changed file gets a new name, so that a browser may keep what it has for good.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Octets of the SHA-256 that stand in a name: enough to tell versions of two files apart.
const NAME_OCTETS: usize = 8;

/// How long a browser may keep a file whose name is its content: a year, the most RFC 9111 means.
const KEEP: &str = "public, max-age=31536000, immutable";

/// A file and what it is called.
struct Asset {
    name: String,
    kind: &'static str,
    body: &'static str,
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::of(
        "portal",
        "css",
        "text/css; charset=utf-8",
        include_str!("assets/portal.css"),
    )
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::of(
        "icon",
        "svg",
        "image/svg+xml",
        include_str!("assets/icon.svg"),
    )
});

impl Asset {
    fn of(stem: &str, ending: &str, kind: &'static str, body: &'static str) -> Self {
        let digest = Sha256::digest(body.as_bytes());
        let mark: String = digest
            .iter()
            .take(NAME_OCTETS)
            .map(|b| format!("{b:02x}"))
            .collect();
        Self {
            name: format!("{stem}.{mark}.{ending}"),
            kind,
            body,
        }
    }
}

/// The path of the style sheet.
#[must_use]
pub fn style() -> String {
    format!("/assets/{}", STYLE.name)
}

/// The path of the icon.
#[must_use]
pub fn icon() -> String {
    format!("/assets/{}", ICON.name)
}

/// Serves a file by its full name. It holds nothing of the fleet, so it needs no session.
pub async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = [&*STYLE, &*ICON]
        .into_iter()
        .find(|asset| asset.name == name)
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (
        [(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, KEEP)],
        asset.body,
    )
        .into_response()
}
