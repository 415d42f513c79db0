//! A future that outlives whoever waits for it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Runs a future where it is awaited, and to its end even if nobody waits any more: dropped before, it goes on as a task of
/// its own. That costs a request that is waited for, which almost every one is, no task and no change of threads.
pub(crate) struct Detach<F: Future<Output = T> + Send + 'static, T: Send + 'static> {
    future: Option<Pin<Box<F>>>,
    /// Dropped with this: what the future sees of it.
    here: Option<oneshot::Sender<()>>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl<F: Future<Output = T> + Send + 'static, T: Send + 'static> Detach<F, T> {
    /// `make` gets the receiver that tells the future when nobody waits for it any more.
    pub(crate) fn new(
        tasks: &TaskTracker,
        runtime: &Handle,
        make: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> Self {
        let (here, gone) = oneshot::channel();
        Self {
            future: Some(Box::pin(make(gone))),
            here: Some(here),
            tasks: tasks.clone(),
            runtime: runtime.clone(),
        }
    }
}

impl<F: Future<Output = T> + Send + 'static, T: Send + 'static> Future for Detach<F, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        let output = std::task::ready!(future.as_mut().poll(cx));
        self.future = None;
        Poll::Ready(output)
    }
}

impl<F: Future<Output = T> + Send + 'static, T: Send + 'static> Drop for Detach<F, T> {
    fn drop(&mut self) {
        drop(self.here.take());
        if let Some(future) = self.future.take() {
            self.tasks.spawn_on(future, &self.runtime);
        }
    }
}
