//! A client and a server that speak TLS to each other, with no socket between them.

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
};

use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::pair;

/// Takes any certificate, and keeps it.
#[derive(Debug, Default)]
struct Notebook(Mutex<Option<CertificateDer<'static>>>);

fn algorithms() -> WebPkiSupportedAlgorithms {
    pair::provider().signature_verification_algorithms
}

impl ServerCertVerifier for Notebook {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = Some(certificate.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// A client and a server that have shaken hands.
pub(super) struct Meeting {
    pub(super) client: ClientConnection,
    server: ServerConnection,
    notebook: Arc<Notebook>,
}

impl Meeting {
    pub(super) fn begin(
        tls: &Arc<ServerConfig>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let notebook = Arc::new(Notebook::default());
        let config = ClientConfig::builder_with_provider(pair::provider())
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&notebook) as _)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut meeting = Self {
            client: ClientConnection::new(Arc::new(config), name).unwrap(),
            server: ServerConnection::new(Arc::clone(tls)).unwrap(),
            notebook,
        };
        while meeting.client.is_handshaking() || meeting.server.is_handshaking() {
            meeting.carry();
        }
        meeting
    }

    /// Carries what each has to say to the other.
    fn carry(&mut self) {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).unwrap();
        }
        self.server.read_tls(&mut wire.as_slice()).unwrap();
        self.server.process_new_packets().unwrap();
        wire.clear();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).unwrap();
        }
        self.client.read_tls(&mut wire.as_slice()).unwrap();
        self.client.process_new_packets().unwrap();
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.notebook.0.lock().unwrap().clone().unwrap()
    }

    /// Sends a word there; what arrives.
    pub(super) fn says(&mut self, word: &str) -> String {
        self.client.writer().write_all(word.as_bytes()).unwrap();
        self.carry();
        let mut heard = vec![0; word.len()];
        self.server.reader().read_exact(&mut heard).unwrap();
        String::from_utf8(heard).unwrap()
    }
}
