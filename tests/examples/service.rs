//! The example of a service: what it tells its manager, and how it parts from its clients.

use std::os::unix::net::UnixDatagram;

use crate::support::directory::Directory;
use crate::support::example::Example;
use crate::support::{Client, PATIENCE, exchange};

fn heard(notices: &UnixDatagram) -> String {
    let mut room = [0; 64];
    let length = notices.recv(&mut room).unwrap();
    String::from_utf8(room[..length].to_vec()).unwrap()
}

#[test]
fn a_service_says_when_it_is_ready_and_when_it_stops() {
    let directory = Directory::create();
    let path = directory.file("notify.sock");
    let notices = UnixDatagram::bind(&path).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("DRAIN_SECONDS", "1"),
    ];
    let example = Example::start("service", &variables);
    assert_eq!(heard(&notices), "READY=1");
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(exchange(example.addr, health).ends_with("\r\n\r\nok\n"));
    let mut client = Client::connect(example.addr);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    let parting = std::thread::spawn(move || {
        let code = client.read_message().close().0;
        client.send_close(code, "");
        code
    });
    let (status, log) = example.terminate();
    assert!(status.success(), "{log}");
    assert_eq!(heard(&notices), "STOPPING=1");
    assert_eq!(parting.join().unwrap(), 1012);
}
