//! The pins of the store: what each printer's certificate was when somebody first saw it.

use jiff::Timestamp;

use super::tls::{PinError, Pins};
use crate::session::{Later, Terms};
use crate::store::{Store, StoreError};

impl From<StoreError> for PinError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl Pins for Store {
    fn get(&self, terms: &Terms) -> Later<Result<Option<String>, PinError>> {
        let (store, terms) = (self.clone(), terms.clone());
        Box::pin(async move {
            let pin = store.pin_of(&terms.tenant, &terms.device, terms.port);
            Ok(pin.await?.map(|pin| pin.fingerprint))
        })
    }

    fn first(&self, terms: &Terms, fingerprint: &str) -> Later<Result<(), PinError>> {
        let (store, terms, fingerprint) = (self.clone(), terms.clone(), fingerprint.to_owned());
        Box::pin(async move {
            let at = (&terms.device, terms.port);
            let pins = (None, fingerprint.as_str());
            // It says no where another was first; which one that is, is asked next.
            store
                .pin_take(&terms.tenant, at, pins, (&terms.holder, Timestamp::now()))
                .await?;
            Ok(())
        })
    }
}
