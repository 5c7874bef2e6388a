//! A runtime of one's own: for a sweep, so that no reading waits for it, and for who takes long.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime that may be dropped anywhere, other than a [`Runtime`]; what runs on it then ends.
#[derive(Debug)]
pub(crate) struct OwnRuntime {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl OwnRuntime {
    /// Starts what this builds, with all that may be waited for.
    ///
    /// # Errors
    /// The system gives no thread, or no way to wait.
    pub(crate) fn of(builder: &mut Builder) -> io::Result<Self> {
        let runtime = builder.enable_all().build()?;
        let handle = runtime.handle().clone();
        let runtime = Some(runtime);
        Ok(Self { runtime, handle })
    }

    /// What puts work on it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs on this thread until the work is done.
    pub(super) fn run(self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(work);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
