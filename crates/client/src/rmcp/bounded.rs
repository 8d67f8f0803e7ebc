//! A stream of events of which none is too large.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream::BoxStream};

/// Counts the bytes between blank lines, and ends with an error where there are too many: an event must not fill the memory.
pub(super) struct Bounded<B> {
    bytes: BoxStream<'static, io::Result<B>>,
    limit: usize,
    seen: usize,
    /// Whether the line that is being read is blank so far.
    is_blank: bool,
    ended: bool,
}

impl<B: AsRef<[u8]> + 'static> Bounded<B> {
    /// Lets pass events of at most `limit` bytes.
    pub(super) fn new<E>(bytes: impl Stream<Item = Result<B, E>> + Send + 'static, limit: usize) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self {
            bytes: bytes.map(|chunk| chunk.map_err(io::Error::other)).boxed(),
            limit,
            seen: 0,
            is_blank: true,
            ended: false,
        }
    }

    fn fits(&mut self, chunk: &[u8]) -> bool {
        for byte in chunk {
            match byte {
                b'\n' if self.is_blank => self.seen = 0,
                b'\n' => self.is_blank = true,
                b'\r' => {}
                _ => self.is_blank = false,
            }
            self.seen += 1;
            if self.seen > self.limit {
                return false;
            }
        }
        true
    }
}

impl<B: AsRef<[u8]> + Unpin + 'static> Stream for Bounded<B> {
    type Item = io::Result<B>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = self.bytes.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(chunk))) = &polled
            && !self.fits(chunk.as_ref())
        {
            self.ended = true;
            let text = format!("an event has more than {} bytes", self.limit);
            return Poll::Ready(Some(Err(io::Error::other(text))));
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn read(chunks: &'static [&'static str], limit: usize) -> Vec<bool> {
        let chunks = stream::iter(chunks.iter().map(|chunk| Ok::<_, io::Error>(*chunk)));
        let bounded = Bounded::new(chunks, limit);
        bounded.map(|chunk| chunk.is_ok()).collect().await
    }

    #[tokio::test]
    async fn many_small_events_pass_and_a_large_one_ends_the_stream() {
        let events = &["data: a\n\n", "data: b\r\n", "\r\ndata: c\n\n"];
        assert_eq!(read(events, 12).await, [true, true, true]);
        let endless = &["data: aaaa", "aaaaaaaaaa", "aaaa"];
        assert_eq!(read(endless, 12).await, [true, false]);
        let lines = &["data: a\n", "data: b\n", "data: c\n"];
        assert_eq!(read(lines, 12).await, [true, false]);
    }
}
