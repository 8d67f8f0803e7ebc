//! HTTP byte by byte, for what no client library sends.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn connect(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The head of one answer.
    pub(crate) async fn head(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(Duration::from_secs(25), self.0.read_u8()).await;
            bytes.push(byte.unwrap_or_else(|_| panic!("no answer comes")).unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Everything that comes back until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(25), self.0.read_to_end(&mut bytes)).await;
        // a refusal of a request that is still being sent may end in a reset; what came before counts
        let _reset = read.unwrap_or_else(|_| panic!("the connection stays open"));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
