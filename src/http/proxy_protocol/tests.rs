//! Headers as proxies write them, cut short at every byte, and what is none.

use super::*;

/// Reads as a server does: never more than is asked for. What was read, and what is left.
fn read_all(mut bytes: &[u8]) -> (Result<ProxyHeader, Refusal>, Vec<u8>) {
    let mut received = Vec::new();
    loop {
        match read(&received) {
            Ok(ProxyHeader::More(count)) if !bytes.is_empty() => {
                let (some, rest) = bytes.split_at(count.min(bytes.len()));
                received.extend_from_slice(some);
                bytes = rest;
            }
            done => return (done, bytes.to_vec()),
        }
    }
}

fn address(text: &str) -> ProxyHeader {
    ProxyHeader::Complete(Some(Peer::Address(text.parse().expect("an address"))))
}

/// Version 2: command, family, addresses and TLVs.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [V2, &[command, family], &length, body].concat()
}

const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

fn v6(source: [u8; 16]) -> Vec<u8> {
    [&source[..], &[0; 16], &[0x12, 0x34, 0, 80]].concat()
}

#[test]
fn headers_that_are_in_order() {
    let documentation = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
    let tlvs = [&V4[..], &[4, 0, 2, 1, 2], &[0x20; 300]].concat();
    for (bytes, wanted) in [
        (
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n".to_vec(),
            address("192.0.2.1:4660"),
        ),
        (
            b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n".to_vec(),
            address("[2001:db8::7]:4660"),
        ),
        (
            b"PROXY TCP6 ::ffff:192.0.2.1 ::1 4660 80\r\n".to_vec(),
            address("192.0.2.1:4660"),
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), ProxyHeader::Complete(None)),
        (
            b"PROXY UNKNOWN ff:f::f ff:f::f 65535 65535\r\n".to_vec(),
            ProxyHeader::Complete(None),
        ),
        (v2(0x21, 0x11, &V4), address("192.0.2.1:4660")),
        (v2(0x21, 0x11, &tlvs), address("192.0.2.1:4660")),
        (
            v2(0x21, 0x21, &v6(documentation)),
            address("[2001:db8::7]:4660"),
        ),
        (v2(0x21, 0x21, &v6(mapped)), address("192.0.2.1:4660")),
        (
            v2(0x21, 0x31, &[0; 216]),
            ProxyHeader::Complete(Some(Peer::Unix)),
        ),
        (v2(0x21, 0x00, &[]), ProxyHeader::Complete(None)),
        (v2(0x20, 0x00, &[]), ProxyHeader::Complete(None)),
        (v2(0x20, 0x11, &V4), ProxyHeader::Complete(None)),
    ] {
        let behind = b"GET / HTTP/1.1\r\n";
        let (found, rest) = read_all(&[&bytes[..], behind].concat());
        assert_eq!(found.expect("a header"), wanted, "{bytes:?}");
        assert_eq!(rest, behind, "nothing behind it is read");
        for cut in 0..bytes.len() {
            let (found, _) = read_all(&bytes[..cut]);
            assert!(
                matches!(found, Ok(ProxyHeader::More(1..))),
                "{bytes:?} up to {cut}"
            );
        }
    }
}

#[test]
fn headers_that_are_malformed() {
    for bytes in [
        &b"PROXY \r\n"[..],
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 4660\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80 90\r\n",
        b"PROXY TCP4 192.0.2.1  10.0.0.1 4660 80\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80 \r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 66666 80\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 +1 80\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 -1 80\r\n",
        b"PROXY TCP4 192.0.2.256 10.0.0.1 1 80\r\n",
        b"PROXY TCP4 ::1 ::1 1 80\r\n",
        b"PROXY TCP6 192.0.2.1 10.0.0.1 1 80\r\n",
        b"PROXY UDP4 192.0.2.1 10.0.0.1 1 80\r\n",
        b"PROXY TCP4 localhost 10.0.0.1 1 80\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 80\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 80\rGET",
    ] {
        let (found, _) = read_all(&[bytes, &[b'x'; 200]].concat());
        assert!(
            matches!(found, Err(Refusal::ProxyProtocol { .. })),
            "{found:?}"
        );
    }
    let endless = [V1, &[b'x'; 500]].concat();
    let (found, rest) = read_all(&endless);
    assert!(
        found.is_err() && rest.len() >= endless.len() - V1_MOST,
        "no more is read"
    );
    for (command, family, body) in [
        (0x11, 0x11, &V4[..]),
        (0x31, 0x11, &V4),
        (0x22, 0x11, &V4),
        (0x21, 0x12, &V4),
        (0x21, 0x41, &V4),
        (0x21, 0x11, &V4[..11]),
        (0x21, 0x21, &V4),
        (0x21, 0x11, &[]),
    ] {
        let (found, _) = read_all(&v2(command, family, body));
        assert!(
            matches!(found, Err(Refusal::ProxyProtocol { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_no_header_is_left_as_it_is() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST / HTTP/1.1\r\n",
        b"PROXYING / HTTP/1.1\r\n",
        b"PROPFIND / HTTP/1.1\r\n",
        b"\r\nGET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\r\n\r\n\0\r\nQUIT\r",
    ] {
        let (found, _) = read_all(bytes);
        assert_eq!(found.expect("no error"), ProxyHeader::Absent, "{bytes:?}");
        assert!(!begins(bytes), "{bytes:?}");
    }
    assert_eq!(
        read(b"").expect("more"),
        ProxyHeader::More(1),
        "a client may send little"
    );
}
