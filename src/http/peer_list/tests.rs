//! Which entries stand for which peers.

use super::*;
use core::net::SocketAddr;

fn trusts(entries: &[&str], peer: &str) -> bool {
    let mut proxies = PeerList::default();
    for entry in entries {
        assert!(proxies.add(entry), "{entry}");
    }
    let ip: IpAddr = peer.parse().expect("an address");
    proxies.contains(Peer::Address(SocketAddr::new(ip, 1)))
}

#[test]
fn a_network_is_every_address_that_begins_so() {
    for (entry, inside, outside) in [
        (
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..],
            &["11.0.0.0", "9.255.255.255", "::10.1.2.3"][..],
        ),
        ("192.168.1.2", &["192.168.1.2"], &["192.168.1.3"]),
        ("192.168.1.2/32", &["192.168.1.2"], &["192.168.1.0"]),
        ("0.0.0.0/0", &["1.2.3.4", "255.255.255.255"], &["::1"]),
        (
            "172.16.0.0/12",
            &["172.16.0.1", "172.31.255.255"],
            &["172.32.0.0"],
        ),
        ("fd00::/8", &["fd00::1", "fdff::"], &["fe00::", "10.0.0.1"]),
        ("::1", &["::1"], &["::2", "127.0.0.1"]),
        ("::/0", &["2001:db8::1"], &["1.2.3.4"]),
        ("::ffff:10.1.2.3", &["10.1.2.3"], &["10.1.2.4", "::a01:203"]),
        ("::ffff:10.0.0.0/104", &["10.255.0.1"], &["11.0.0.0"]),
    ] {
        assert!(inside.iter().all(|ip| trusts(&[entry], ip)), "{entry}");
        assert!(!outside.iter().any(|ip| trusts(&[entry], ip)), "{entry}");
    }
    assert!(!trusts(&[], "127.0.0.1"));
    assert!(trusts(&["::1", "127.0.0.1"], "127.0.0.1"));
}

#[test]
fn who_has_no_address_is_trusted_by_name_alone() {
    let mut proxies = PeerList::default();
    assert!(proxies.add("0.0.0.0/0") && proxies.add("::/0"));
    assert!(!proxies.contains(Peer::Unix) && !proxies.contains(Peer::Unknown));
    assert!(proxies.add("unix"));
    assert!(proxies.contains(Peer::Unix) && !proxies.contains(Peer::Unknown));
}

#[test]
fn what_could_mean_something_else_is_no_entry() {
    for entry in [
        "",
        "*",
        "localhost",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.1/8",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0/8",
        "10.0.0.0/8/8",
        "/8",
        "[::1]",
        "10.0.0.1:80",
        "fd00::1/8",
        "::ffff:10.0.0.0/8",
        "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.1/104",
        "UNIX",
    ] {
        assert!(!PeerList::default().add(entry), "{entry}");
    }
}
