//! The socket in `DATA_DIR` over which a running gateway takes orders: one JSON line in, one out. Whoever may open it may
//! give orders, so only the gateway's own user can (0600).

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use actix_web::rt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tracing::warn;

use super::{Done, Office, Order};
use crate::failure::Failure;

const NAME: &str = "admin.sock";
/// The most bytes an order or an answer may have.
const LIMIT: u64 = 1024 * 1024;
/// How long an order may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket; the file goes with the value.
pub(crate) struct Socket {
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.path);
    }
}

/// Takes orders over the socket in `directory`. The store's lock makes sure that nobody else does.
///
/// # Errors
/// [`Failure`] when the socket cannot be made.
pub(crate) fn listen(directory: &Path, office: Office) -> Result<Socket, Failure> {
    let path = directory.join(NAME);
    let failed = |error: io::Error| Failure::Runtime(format!("DATA_DIR: {NAME} cannot be made: {error}"));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    rt::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let office = office.clone();
                    rt::spawn(async move {
                        if let Ok(Err(error)) = timeout(PATIENCE, answer(stream, &office)).await {
                            warn!(%error, "an order over {NAME} could not be answered");
                        }
                    });
                }
                Err(error) => {
                    warn!(%error, "{NAME} takes no orders for a second");
                    rt::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    });
    Ok(Socket { path })
}

async fn answer(mut stream: UnixStream, office: &Office) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(LIMIT)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Order>(&line) {
        Ok(order) => office.carry_out(&order).await,
        Err(error) => Err(format!("the order cannot be read: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await
}

/// Asks the gateway that runs on `directory`; `None` if none does.
///
/// # Errors
/// [`Failure`] when one runs but does not answer.
pub(super) async fn ask(directory: &Path, order: &Order) -> Result<Option<Result<Done, String>>, Failure> {
    let path = directory.join(NAME);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => {
            return Err(Failure::Runtime(format!(
                "{} cannot be opened: {error}",
                path.display()
            )));
        }
    };
    match timeout(PATIENCE, exchange(stream, order)).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(error)) => Err(Failure::Runtime(format!(
            "the running gateway does not answer: {error}"
        ))),
        Err(_) => Err(Failure::Runtime("the running gateway does not answer".to_owned())),
    }
}

async fn exchange(mut stream: UnixStream, order: &Order) -> io::Result<Result<Done, String>> {
    let (read, mut write) = stream.split();
    let mut text = serde_json::to_vec(order)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(read.take(LIMIT)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
