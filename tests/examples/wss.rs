//! The `wss` example as a user runs it: with a certificate of its own, with files, with wrong ones.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use crate::support::example::{Example, Process, command};
use crate::support::tls::{Authority, Certified, connect, secure, trusting};
use crate::support::{Client, exchange, upgrade};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A folder of its own for the files of a test; goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wshub-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn pair(&self, own: &Certified) -> [String; 2] {
        [
            self.file("cert.pem", &own.certificate),
            self.file("key.pem", &own.key),
        ]
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn serving(files: &[String]) -> Example {
    let mut command = command("wss");
    command
        .arg("127.0.0.1:0")
        .args(files)
        .env("RUST_LOG", "info");
    Example::serving(command.stdin(Stdio::null()))
}

/// What it says when it does not start.
fn refusal(files: &[String]) -> String {
    let mut command = command("wss");
    let mut process = Process::start(command.arg("127.0.0.1:0").args(files));
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.stdout().is_empty());
    process.stderr().join("\n")
}

/// The certificate that it has made and printed.
fn printed(example: &Example) -> String {
    example.logs("-----END CERTIFICATE-----");
    let said = example.process.stderr().join("\n");
    let begin = said.find("-----BEGIN CERTIFICATE-----").unwrap();
    let end = said.find("-----END CERTIFICATE-----").unwrap();
    said[begin..end].to_owned() + "-----END CERTIFICATE-----\n"
}

#[test]
fn with_a_certificate_of_its_own_it_serves_who_trusts_that() {
    let example = serving(&[]);
    assert!(example.process.stdout()[0].starts_with("listening on wss://127.0.0.1:"));
    let own = CertificateDer::from_pem_slice(printed(&example).as_bytes()).unwrap();
    for name in ["localhost", "127.0.0.1"] {
        let stream = secure(example.addr, trusting(own.clone()), name).unwrap();
        let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
        client.send_text("hello");
        assert_eq!(client.read_message().text(), "hello");
        client.send_close(1000, "");
        assert_eq!(client.read_message().close().0, 1000);
    }
    let (status, log) = example.terminate();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn with_files_it_shows_that_certificate_and_ends_gracefully() {
    let (authority, folder) = (Authority::new(), Folder::new("wss-files"));
    let example = serving(&folder.pair(&authority.server("localhost")));
    let mut client = connect(example.addr, &authority);
    client.send_text("hello");
    assert_eq!(client.read_message().text(), "hello");
    let ending = std::thread::spawn(move || {
        let code = client.read_message().close().0;
        client.send_close(code, "");
        code
    });
    let (status, log) = example.terminate();
    assert_eq!(ending.join().unwrap(), 1001);
    assert!(status.success(), "{status}: {log}");
    let warnings: Vec<_> = log
        .lines()
        .filter(|line| !line.contains(" INFO "))
        .collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let (authority, folder) = (Authority::new(), Folder::new("wss-wrong"));
    let (own, other) = (authority.server("localhost"), authority.server("localhost"));
    let [certificate, key] = folder.pair(&own);
    let other = folder.file("other.pem", &other.key);
    let missing = folder.0.join("none.pem").to_str().unwrap().to_owned();
    for (files, said) in [
        (
            vec![certificate.clone(), other.clone()],
            "give the pair that was made together",
        ),
        (vec![key.clone(), key.clone()], "no certificate in it"),
        (
            vec![certificate.clone(), certificate.clone()],
            "no private key in it",
        ),
        (
            vec![certificate.clone(), missing.clone()],
            "none.pem: No such file",
        ),
        (
            vec![certificate.clone()],
            "give two files: the certificate and its key",
        ),
    ] {
        let told = refusal(&files);
        assert!(told.contains(said), "{told}");
        assert!(!told.contains("ports below 1024"), "{told}");
    }
}

#[test]
fn who_comes_without_tls_is_told_so_and_so_is_the_log() {
    let example = serving(&[]);
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        upgrade("localhost", "/", ""),
    ] {
        let answer = exchange(example.addr, request);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("use wss:// in place of ws://"), "{answer}");
    }
    example.logs("a client without TLS came to a port with TLS");
    // Whoever does not trust the certificate: the log says what to do.
    let stranger = Authority::new().client_config(None);
    assert!(secure(example.addr, stranger, "localhost").is_err());
    example.logs("the client does not trust this server's certificate");
}

#[cfg(feature = "client")]
#[test]
fn the_client_example_trusts_what_ssl_cert_file_names() {
    let (example, folder) = (serving(&[]), Folder::new("wss-client"));
    let own = folder.file("own.pem", &printed(&example));
    let url = format!("wss://localhost:{}/", example.addr.port());
    let client = |file: &str| {
        let mut command = command("client");
        command.arg(&url).env("SSL_CERT_FILE", file);
        Process::start(command.env_remove("SSL_CERT_DIR").stdin(Stdio::piped()))
    };
    let mut trusting = client(&own);
    trusting.type_in("hello\n");
    trusting.end_input();
    assert!(trusting.wait().success(), "{:?}", trusting.stderr());
    assert_eq!(trusting.stdout(), ["hello"]);

    let other = Authority::new();
    let mut strange = client(&folder.file("other.pem", &other.pem()));
    assert_eq!(strange.wait().code(), Some(1));
    let said = strange.stderr().join("\n");
    assert!(said.contains("ca_file"), "{said}");
}
