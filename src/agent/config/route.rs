//! The way to the hub: what `[hub]` says of a proxy, or what the environment says where it is
//! silent.

use std::fs;
use std::path::PathBuf;

use dial::{NoProxy, Proxy, Route};
use toml::Spanned;

use super::secret::secret_from;
use super::{ConfigError, Places, RawHub};

/// What `proxy` is where the environment's proxy is not to be used either.
const NO_PROXY_AT_ALL: &str = "none";
/// Longest file of roots that is read, in bytes.
const ROOTS_BYTES_MAX: u64 = 64 * 1024;

/// The way to the hub, and what to show of it.
#[derive(Debug, Clone, Default)]
pub struct RouteConfig {
    /// The way itself.
    pub route: Route,
    /// `proxy` as written, if it is.
    pub proxy: Option<String>,
    /// `no_proxy` as written.
    pub no_proxy: Vec<String>,
    /// `proxy_password_file` as written.
    pub proxy_password_file: Option<PathBuf>,
    /// `intercept_ca_file` as written.
    pub intercept_ca_file: Option<PathBuf>,
}

/// Checks where the hub is.
pub(super) fn check_url(url: Spanned<String>, places: &Places) -> Result<String, ConfigError> {
    match crate::enroll::check_url(url.as_ref()) {
        Ok(checked) => Ok(checked),
        Err(what) => Err(places.error(&url, what, "write https://HOST:PORT")),
    }
}

/// Checks the way; `environment` is asked for the variables that other programs use too.
pub(super) fn check(
    raw: &RawHub,
    environment: &[(String, String)],
    places: &Places,
) -> Result<RouteConfig, ConfigError> {
    let route = match &raw.proxy {
        None => of_environment(environment)?,
        Some(proxy) if proxy.as_ref() == NO_PROXY_AT_ALL => Route::direct(),
        Some(proxy) => of_file(proxy, raw, places)?,
    };
    if let (Some(file), None) = (&raw.proxy_password_file, &raw.proxy) {
        let what = "there is a password for a proxy, and no proxy".to_owned();
        return Err(places.error(
            file,
            what,
            "write proxy = \"http://USER@HOST:PORT\" beside it",
        ));
    }
    let route = match &raw.intercept_ca_file {
        None => route,
        Some(file) => believing(route, file, places)?,
    };
    Ok(RouteConfig {
        route,
        proxy: raw.proxy.as_ref().map(|it| it.as_ref().clone()),
        no_proxy: raw.no_proxy.clone(),
        proxy_password_file: raw
            .proxy_password_file
            .as_ref()
            .map(|it| it.as_ref().clone()),
        intercept_ca_file: raw.intercept_ca_file.as_ref().map(|it| it.as_ref().clone()),
    })
}

fn of_file(proxy: &Spanned<String>, raw: &RawHub, places: &Places) -> Result<Route, ConfigError> {
    let hint = "write proxy = \"http://USER@HOST:PORT\"";
    let refuse = |what: String| places.error(proxy, what, hint);
    let written = Proxy::parse(proxy.as_ref(), None).map_err(|error| refuse(error.to_string()))?;
    if written.has_password() {
        let what = "a password stands in the address of the proxy".to_owned();
        let cure = "put it into a file of mode 0600 and name that in proxy_password_file";
        return Err(places.error(proxy, what, cure));
    }
    let password = match &raw.proxy_password_file {
        None => None,
        Some(file) => {
            let secret = secret_from(file, places)?;
            Some(String::from_utf8_lossy(secret.expose()).into_owned())
        }
    };
    let proxy = Proxy::parse(proxy.as_ref(), password.as_deref())
        .map_err(|error| refuse(error.to_string()))?;
    Ok(Route::through(
        proxy,
        NoProxy::parse(&raw.no_proxy.join(",")),
    ))
}

fn of_environment(environment: &[(String, String)]) -> Result<Route, ConfigError> {
    let variable = |name: &str| {
        let found = environment.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    Route::from_environment(variable).map_err(|error| ConfigError {
        place: "HTTPS_PROXY".to_owned(),
        what: error.to_string(),
        hint: "correct it, or write proxy = \"none\" into [hub]".to_owned(),
    })
}

fn believing(route: Route, file: &Spanned<PathBuf>, places: &Places) -> Result<Route, ConfigError> {
    let shown = file.as_ref().display();
    let hint = "name a file with the proxy's CA certificate in PEM";
    let unreadable = |error: std::io::Error| {
        places.error(file, format!("{shown} cannot be read: {error}"), hint)
    };
    let about = fs::metadata(file.as_ref()).map_err(unreadable)?;
    if about.len() > ROOTS_BYTES_MAX {
        let what = format!("{shown} is longer than {ROOTS_BYTES_MAX} bytes");
        return Err(places.error(file, what, hint));
    }
    let pem = fs::read_to_string(file.as_ref()).map_err(unreadable)?;
    route
        .believing(&pem)
        .map_err(|_| places.error(file, format!("{shown} holds no certificate in PEM"), hint))
}
