//! What proxies say of their clients: the PROXY protocol, `Forwarded` and `X-Forwarded-For`. However the bytes arrive,
//! the answer is the same, no byte after a header is asked for, and nobody is named whom the bytes do not name.

use core::net::SocketAddr;

use super::head::check_answer;
use crate::http::peer_list::PeerList;
use crate::http::proxy_protocol::{self, ProxyHeader};
use crate::http::{Peer, Refusal, Request, forwarded};

/// Reads `data` as the beginning of a connection, and as the values of headers.
pub fn proxied(data: &[u8]) {
    let (whole, used) = read(data, usize::MAX);
    for most in [1, 7] {
        let (pieces, also_used) = read(data, most);
        assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
        // What is none is given back, however much of it was read.
        let is_header = matches!(whole, Ok(ProxyHeader::Complete(_)));
        assert!(!is_header || used == also_used);
    }
    match whole {
        Ok(ProxyHeader::Complete(_)) => assert!(proxy_protocol::begins(&data[..used])),
        Ok(ProxyHeader::Absent) => assert!(!proxy_protocol::begins(data)),
        Ok(ProxyHeader::More(count)) => assert!(count > 0 && used == data.len()),
        Err(refusal) => check_answer(&refusal),
    }
    for name in ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host"] {
        check_headers(name, data);
    }
}

/// As a server reads, at most so much at once: what it found, and how many bytes it took.
fn read(data: &[u8], most: usize) -> (Result<ProxyHeader, Refusal>, usize) {
    let mut used = 0;
    loop {
        match proxy_protocol::read(&data[..used]) {
            Ok(ProxyHeader::More(count)) if used < data.len() => {
                used += count.min(most).min(data.len() - used);
            }
            done => return (done, used),
        }
    }
}

fn check_headers(name: &str, value: &[u8]) {
    let head = [
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        name.as_bytes(),
        b": ",
        value,
        b"\r\n\r\n",
    ]
    .concat();
    let Ok(request) = Request::parse(&head) else {
        return;
    };
    let mut proxies = PeerList::default();
    assert!(proxies.add("10.0.0.0/8"));
    let peer = |ip: [u8; 4]| Peer::Address(SocketAddr::from((ip, 1)));
    let stranger = forwarded::resolve(&request, peer([192, 0, 2, 1]), &proxies);
    assert_eq!(
        stranger.expect("not looked at").client,
        peer([192, 0, 2, 1])
    );
    match forwarded::resolve(&request, peer([10, 0, 0, 1]), &proxies) {
        Ok(found) => {
            assert!(found.client.ip().is_some());
            let host = found.host.unwrap_or_default();
            assert!(!host.contains(char::is_whitespace), "{host:?}");
        }
        Err(refusal) => check_answer(&refusal),
    }
}
