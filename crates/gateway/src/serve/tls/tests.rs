//! With real files, and clients that speak TLS: what is in the files after each look, and what clients are shown.

mod meeting;

use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ProtocolVersion, ServerConnection,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;

use super::{renewal::INTERVAL, renewal::Seen, *};
use meeting::Meeting;

/// 2027-01-15, while most certificates of these tests are valid.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A pair in PEM.
struct Made {
    certificate: String,
    key: String,
}

fn made() -> Made {
    valid_in((2026, 2028))
}

/// Valid from the first day of one year until the first of another.
fn valid_in((from, until): (i32, i32)) -> Made {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Made {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

/// A server whose pair lies in a directory.
struct Place {
    directory: TempDir,
    tls: Arc<ServerConfig>,
    renewal: Renewal,
}

impl Place {
    fn with(made: &Made) -> Self {
        Self::prepared(|directory| {
            fs::write(directory.join("cert.pem"), &made.certificate).unwrap();
            fs::write(directory.join("key.pem"), &made.key).unwrap();
        })
    }

    fn prepared(prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let files = TlsFiles {
            certificates: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
        };
        let (tls, renewal) = set_up(&files).unwrap();
        Self {
            directory,
            tls: Arc::new(tls),
            renewal,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    fn write_both(&self, made: &Made) {
        self.write("cert.pem", &made.certificate);
        self.write("key.pem", &made.key);
    }

    fn look(&mut self) -> Seen {
        self.renewal.look(NOW)
    }

    /// The setting that is named, and what is said.
    fn refused(&mut self) -> (&'static str, String) {
        assert_eq!(self.look(), Seen::Changing);
        match self.look() {
            Seen::Refused(Problem { setting, problem }) => (setting, problem),
            other => panic!("{other:?}"),
        }
    }

    fn shows(&self, made: &Made) -> bool {
        let shown = Meeting::begin(&self.tls, &[&TLS13, &TLS12]).certificate();
        let expected = rustls_pem(&made.certificate);
        shown == expected
    }
}

fn rustls_pem(text: &str) -> CertificateDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(text.as_bytes()).unwrap()
}

#[test]
fn a_new_pair_is_in_use_after_two_looks_and_who_is_connected_stays_so() {
    let (old, new) = (made(), made());
    let mut place = Place::with(&old);
    assert_eq!(place.look(), Seen::Same);
    let mut connected = Meeting::begin(&place.tls, &[&TLS13]);
    place.write_both(&new);
    assert_eq!(place.look(), Seen::Changing);
    assert!(place.shows(&old));
    assert_eq!(place.look(), Seen::Taken);
    assert!(place.shows(&new) && !place.shows(&old));
    assert_eq!(connected.says("still here"), "still here");
    assert_eq!(place.look(), Seen::Same);
}

#[test]
fn two_looks_take_less_than_ten_seconds() {
    assert!(INTERVAL * 3 < std::time::Duration::from_secs(10));
}

#[test]
fn a_pair_that_is_written_in_pieces_is_never_half_in_use() {
    let (old, new) = (made(), made());
    let mut place = Place::with(&old);
    place.write("cert.pem", &new.certificate[..100]);
    assert_eq!(place.look(), Seen::Changing);
    place.write("cert.pem", &new.certificate);
    assert_eq!(place.look(), Seen::Changing);
    place.write("key.pem", &new.key);
    assert_eq!(place.look(), Seen::Changing);
    assert!(place.shows(&old));
    assert_eq!(place.look(), Seen::Taken);
    assert!(place.shows(&new));
}

/// A pair that cannot be used is named once, and the one from before goes on, until there is another.
fn is_refused((certificate, key): (&str, &str), setting: &str, said: &str) {
    let (old, new) = (made(), made());
    let mut place = Place::with(&old);
    place.write("cert.pem", certificate);
    place.write("key.pem", key);
    let (named, problem) = place.refused();
    assert_eq!(named, setting, "{problem}");
    assert!(problem.contains(said), "{said}: {problem}");
    assert!(problem.contains(".pem") && !problem.contains("AAAA"), "{problem}");
    for _ in 0..3 {
        assert_eq!(place.look(), Seen::StillRefused);
    }
    assert!(place.shows(&old), "{said}");
    place.write_both(&old);
    assert_eq!(place.look(), Seen::Same);
    place.write_both(&new);
    assert_eq!((place.look(), place.look()), (Seen::Changing, Seen::Taken));
}

#[test]
fn a_bad_pair_keeps_the_old_one_and_is_named_once() {
    let (new, other) = (made(), made());
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = &new.certificate[..new.certificate.len() / 2];
    let (certificate, key) = (new.certificate.as_str(), new.key.as_str());
    let file = "MCP_SSL_CERT_FILE";
    is_refused((cut, key), file, "breaks off");
    is_refused(("nothing\n", key), file, "holds no certificate");
    is_refused(("", key), file, "holds no certificate");
    is_refused((key, key), file, "holds no certificate");
    is_refused((no_certificate, key), file, "not a certificate");
    let file = "MCP_SSL_KEY_FILE";
    is_refused((certificate, &other.key), file, "does not hold the key");
    is_refused((certificate, &key[..60]), file, "breaks off");
    is_refused((certificate, "nothing\n"), file, "holds no private key");
    is_refused((certificate, certificate), file, "holds no private key");
    is_refused((certificate, no_key), file, "cannot be used");
}

#[test]
fn a_pair_that_clients_would_refuse_for_its_time_keeps_the_old_one() {
    let (ended, early) = (valid_in((2020, 2021)), valid_in((2028, 2029)));
    for (made, said) in [(&ended, "has ended"), (&early, "is not valid yet")] {
        is_refused((&made.certificate, &made.key), "MCP_SSL_CERT_FILE", said);
    }
}

#[test]
fn a_file_that_is_gone_keeps_the_old_pair_until_it_is_back() {
    let (old, new) = (made(), made());
    let mut place = Place::with(&old);
    fs::remove_file(place.directory.path().join("key.pem")).unwrap();
    let (setting, problem) = place.refused();
    assert_eq!(setting, "MCP_SSL_KEY_FILE");
    assert!(problem.contains("cannot be read"), "{problem}");
    assert_eq!(place.look(), Seen::StillRefused);
    place.write_both(&new);
    assert_eq!((place.look(), place.look()), (Seen::Changing, Seen::Taken));
    assert!(place.shows(&new));
}

#[test]
fn another_bad_pair_is_named_again() {
    let (old, new) = (made(), made());
    let mut place = Place::with(&old);
    place.write("key.pem", &new.key);
    place.refused();
    place.write("cert.pem", "nothing\n");
    assert_eq!(place.refused().0, "MCP_SSL_CERT_FILE");
}

#[test]
fn a_pair_that_is_early_is_in_use_once_its_time_has_come() {
    let (old, early) = (made(), valid_in((2028, 2029)));
    let mut place = Place::with(&old);
    place.write_both(&early);
    place.refused();
    let later = Timestamp::from_secs(1_840_000_000);
    assert_eq!(place.renewal.look(later), Seen::Taken);
    assert!(place.shows(&early));
}

#[test]
fn a_change_that_keeps_size_and_time_is_noticed() {
    let old = made();
    let mut place = Place::with(&old);
    let key = place.directory.path().join("key.pem");
    let times = fs::metadata(&key).unwrap().modified().unwrap();
    let flipped = old.key.replace('A', "B");
    assert_eq!(flipped.len(), old.key.len());
    assert_ne!(flipped, old.key);
    place.write("key.pem", &flipped);
    fs::File::options()
        .write(true)
        .open(&key)
        .unwrap()
        .set_modified(times)
        .unwrap();
    assert_eq!(place.look(), Seen::Changing);
}

#[test]
fn links_that_are_turned_are_followed_as_certbot_and_kubernetes_turn_them() {
    let (old, new) = (made(), made());
    let fill = |directory: &Path, made: &Made| {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("cert.pem"), &made.certificate).unwrap();
        fs::write(directory.join("key.pem"), &made.key).unwrap();
    };
    // as Kubernetes: cert.pem -> ..data/cert.pem, ..data -> a directory, and ..data is replaced at once
    let mut place = Place::prepared(|directory| {
        fill(&directory.join("first"), &old);
        symlink("first", directory.join("..data")).unwrap();
        for name in ["cert.pem", "key.pem"] {
            symlink(format!("..data/{name}"), directory.join(name)).unwrap();
        }
    });
    let directory = place.directory.path().to_owned();
    fill(&directory.join("second"), &new);
    symlink("second", directory.join("..new")).unwrap();
    fs::rename(directory.join("..new"), directory.join("..data")).unwrap();
    fs::remove_dir_all(directory.join("first")).unwrap();
    assert_eq!((place.look(), place.look()), (Seen::Changing, Seen::Taken));
    assert!(place.shows(&new));
    // as certbot: each file is a link of its own, and they are turned one after the other
    let third = made();
    fill(&directory.join("third"), &third);
    for name in ["cert.pem", "key.pem"] {
        fs::remove_file(directory.join(name)).unwrap();
        symlink(format!("third/{name}"), directory.join(name)).unwrap();
        assert_eq!(place.look(), Seen::Changing);
    }
    assert_eq!(place.look(), Seen::Taken);
    assert!(place.shows(&third));
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let place = Place::with(&made());
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut meeting = Meeting::begin(&place.tls, &[version]);
        assert_eq!(meeting.client.protocol_version(), Some(expected));
        assert_eq!(meeting.says("hello"), "hello");
    }
}

/// The beginning of the answer to a client that speaks no later version than this: kind of record, and what is in it.
fn answer_to(version: [u8; 2], tls: &Arc<ServerConfig>) -> (u8, Vec<u8>) {
    // a hello (RFC 5246 §7.4.1.2): version, 32 bytes, no session, one suite, no compression, extensions
    let suite_and_compression = [0, 0, 2, 0xc0, 0x2b, 1, 0];
    let groups = [0, 10, 0, 4, 0, 2, 0, 23];
    let points = [0, 11, 0, 2, 1, 0];
    let signatures = [0, 13, 0, 4, 0, 2, 4, 3];
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    hello.extend(suite_and_compression);
    hello.extend([0, 22]);
    hello.extend([&groups[..], &points, &signatures].concat());
    let length = u8::try_from(hello.len()).unwrap();
    let mut wire = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    wire.extend(hello);
    let mut server = ServerConnection::new(Arc::clone(tls)).unwrap();
    server.read_tls(&mut wire.as_slice()).unwrap();
    let _judged_by_its_answer = server.process_new_packets();
    let mut answer = Vec::new();
    server.write_tls(&mut answer).unwrap();
    (answer[0], answer[5..].to_vec())
}

#[test]
fn tls_1_1_is_refused() {
    let place = Place::with(&made());
    // an alert (RFC 5246 §7.2): fatal, protocol_version
    assert_eq!(answer_to([3, 2], &place.tls), (21, vec![2, 70]));
    // the same in TLS 1.2 is answered with a hello
    let (kind, answer) = answer_to([3, 3], &place.tls);
    assert_eq!((kind, answer[0]), (22, 2));
}

#[test]
fn what_is_wrong_at_the_start_is_said_alike() {
    let ended = valid_in((2020, 2021));
    let place = Place::with(&ended);
    let files = TlsFiles {
        certificates: place.directory.path().join("cert.pem"),
        key: place.directory.path().join("key.pem"),
    };
    let problem = examine(&files, NOW).unwrap_err().to_string();
    assert!(
        problem.starts_with("MCP_SSL_CERT_FILE: the certificate in "),
        "{problem}"
    );
    assert_eq!(examine(&files, Timestamp::from_secs(1_590_000_000)), Ok(()));
}
