//! Between the stream of one client and rmcp.

use rmcp::{
    RoleServer,
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::Transport,
};
use tokio::sync::mpsc::{Receiver, Sender, error::SendError};

/// What a client says, and what it is told.
pub(super) struct Line {
    incoming: Receiver<ClientJsonRpcMessage>,
    outgoing: Sender<ServerJsonRpcMessage>,
}

impl Line {
    pub(super) const fn new(
        incoming: Receiver<ClientJsonRpcMessage>,
        outgoing: Sender<ServerJsonRpcMessage>,
    ) -> Self {
        Self { incoming, outgoing }
    }
}

impl Transport<RoleServer> for Line {
    type Error = SendError<ServerJsonRpcMessage>;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let outgoing = self.outgoing.clone();
        async move { outgoing.send(item).await }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.incoming.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.incoming.close();
        Ok(())
    }
}
