//! Messages as they come from one side of a stream.

use crate::wire::grpc::{FrameError, Message, Messages};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// A body of messages, and the trailers after it.
pub(crate) struct Source {
    body: Incoming,
    messages: Messages,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Why no further message comes.
#[derive(Clone, Copy)]
pub(crate) enum Broken {
    /// The peer went away, or what it sends are no messages.
    Off,
    /// A message is longer than allowed.
    OverLimit {
        /// Its length, at least, bytes.
        bytes_min: u64,
    },
}

impl Source {
    pub(crate) fn new(body: Incoming, bytes_max: usize) -> Self {
        Self { body, messages: Messages::new(bytes_max), trailers: None }
    }

    /// The next message; none at the end. What has come is kept if this is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Broken> {
        loop {
            match self.messages.take() {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) => {}
                Err(FrameError::Malformed) => return Err(Broken::Off),
                Err(FrameError::OverLimit { bytes_min }) => return Err(Broken::OverLimit { bytes_min }),
            }
            match self.body.frame().await {
                None if self.messages.is_between() => return Ok(None),
                None | Some(Err(_)) => return Err(Broken::Off),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.messages.push(bytes),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
}
