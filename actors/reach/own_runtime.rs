//! The runtime of a sweep: on a thread of its own, so that no reading waits for it.

use tokio::runtime::{self, Runtime};

/// The runtime of one sweep. It may be dropped anywhere, other than a [`Runtime`].
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn new() -> std::io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn within<T>(
        &self,
        open: impl FnOnce() -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        let Some(runtime) = &self.0 else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        let _within = runtime.enter();
        open()
    }

    pub(super) fn run(self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
