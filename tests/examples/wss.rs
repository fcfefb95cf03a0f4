//! The `wss` example as a user runs it: with a certificate of its own, with files, with wrong ones.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::example::{Example, Process, command};
use crate::support::tls::{Authority, Certified, connect, secure, trusting};
use crate::support::{Client, exchange, upgrade};
use rustix::process::Signal;
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
    serving_with(files, |command| command)
}

fn serving_with(files: &[String], change: impl Fn(&mut Command) -> &mut Command) -> Example {
    let mut command = command("wss");
    command
        .arg("127.0.0.1:0")
        .args(files)
        .env("RUST_LOG", "info");
    Example::serving(change(&mut command).stdin(Stdio::null()))
}

/// Without files, where openssl makes what is always the same here: tests/interop has the real one make some.
fn serving_its_own(folder: &Folder) -> Example {
    let own = Certified::alone("localhost");
    let script = format!(
        "#!/bin/sh\ncat <<'END'\n{}{}END\n",
        own.key, own.certificate
    );
    let openssl = folder.file("openssl", &script);
    fs::set_permissions(openssl, Permissions::from_mode(0o700)).unwrap();
    let mut path = OsString::from(&folder.0);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    serving_with(&[], |command| command.env("PATH", &path))
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
    let folder = Folder::new("wss-own");
    let example = serving_its_own(&folder);
    assert!(example.process.stdout()[0].starts_with("listening on wss://127.0.0.1:"));
    let own = CertificateDer::from_pem_slice(printed(&example).as_bytes()).unwrap();
    let stream = secure(example.addr, trusting(own), "localhost").unwrap();
    let mut client = Client::open(stream, &upgrade("localhost", "/", ""));
    client.send_text("hello");
    assert_eq!(client.read_message().text(), "hello");
    client.send_close(1000, "");
    assert_eq!(client.read_message().close().0, 1000);
    let (status, log) = example.terminate();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn without_openssl_it_says_what_to_do() {
    let mut command = command("wss");
    let mut process = Process::start(command.arg("127.0.0.1:0").env("PATH", "/nonexistent"));
    assert_eq!(process.wait().code(), Some(1));
    let said = process.stderr().join("\n");
    assert!(
        said.contains("install it, or give a certificate and its key"),
        "{said}"
    );
}

#[test]
fn with_files_it_shows_that_certificate_and_ends_gracefully() {
    let (authority, folder) = (Authority::new(), Folder::new("wss-files"));
    let example = serving(&folder.pair(&authority.issued("localhost")));
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
fn sighup_has_new_connections_get_the_renewed_certificate() {
    let (authority, folder) = (Authority::new(), Folder::new("wss-renewed"));
    let (first, renewed) = (authority.issued("localhost"), authority.issued("renewed"));
    let example = serving(&folder.pair(&first));
    let shown = || {
        let config = authority.client_config(None);
        let stream = secure(example.addr, config, "localhost").unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    };
    assert_eq!(shown(), first.der());
    let mut client = connect(example.addr, &authority);
    // Files that do not belong together: nothing changes.
    folder.file("cert.pem", &renewed.certificate);
    example.process.signal(Signal::HUP);
    example.logs("the old certificate stays in use");
    assert_eq!(shown(), first.der());
    folder.pair(&renewed);
    example.process.signal(Signal::HUP);
    example.logs("new connections get the certificate");
    assert_eq!(shown(), renewed.der());
    client.send_text("still here");
    assert_eq!(client.read_message().text(), "still here");
    drop(client);
    let (status, log) = example.terminate();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let (authority, folder) = (Authority::new(), Folder::new("wss-wrong"));
    let (own, other) = (authority.issued("localhost"), authority.issued("renewed"));
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
            "give two files, the certificate and its key",
        ),
    ] {
        let told = refusal(&files);
        assert!(told.contains(said), "{told}");
        assert!(!told.contains("ports below 1024"), "{told}");
    }
}

#[test]
fn who_comes_without_tls_is_told_so_and_so_is_the_log() {
    let folder = Folder::new("wss-plain");
    let example = serving_its_own(&folder);
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
    let stranger = Authority::others().client_config(None);
    assert!(secure(example.addr, stranger, "localhost").is_err());
    example.logs("the client does not trust this server's certificate");
}

#[cfg(feature = "client")]
#[test]
fn the_client_example_trusts_what_ssl_cert_file_names() {
    let folder = Folder::new("wss-client");
    let example = serving_its_own(&folder);
    let own = folder.file("own.pem", &printed(&example));
    let url = format!("wss://localhost:{}/", example.addr.port());
    let client = |file: &str| {
        let mut command = command("client");
        command.args(["-w", "3", &url]).env("SSL_CERT_FILE", file);
        Process::start(command.env_remove("SSL_CERT_DIR").stdin(Stdio::piped()))
    };
    let mut trusting = client(&own);
    trusting.type_in("hello\n");
    trusting.end_input();
    assert!(trusting.wait().success(), "{:?}", trusting.stderr());
    assert_eq!(trusting.stdout(), ["hello"]);

    let other = Authority::others();
    let mut strange = client(&folder.file("other.pem", &other.pem()));
    assert_eq!(strange.wait().code(), Some(1));
    let said = strange.stderr().join("\n");
    assert!(said.contains("ca_file"), "{said}");
}
