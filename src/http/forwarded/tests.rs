//! Who is believed about whom, and what is claimed by others.

use super::*;

const LB: &str = "10.0.0.9";

fn peer(ip: &str) -> Peer {
    Peer::Address(SocketAddr::new(ip.parse().expect("an address"), 7))
}

fn proxies() -> PeerList {
    let mut proxies = PeerList::default();
    assert!(proxies.add("10.0.0.0/8") && proxies.add("unix"));
    proxies
}

fn found_from(from: Peer, lines: &[&str]) -> Result<Forwarded, Refusal> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("GET / HTTP/1.1\r\nHost: inside\r\n{lines}\r\n");
    let request = Request::parse(head.as_bytes()).expect("a head");
    resolve(&request, from, &proxies())
}

fn found(lines: &[&str]) -> Forwarded {
    found_from(peer(LB), lines).expect("believable")
}

fn client(lines: &[&str]) -> String {
    let ip = found(lines).client.ip();
    ip.map_or_else(|| "none".to_owned(), |ip| ip.to_string())
}

#[test]
fn from_right_to_left_through_trusted_hops_to_the_first_other_one() {
    for (lines, wanted) in [
        (&[][..], LB),
        (&["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
        (&["X-Forwarded-For: 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        // What a client claims stands further left.
        (&["X-Forwarded-For: 6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        (
            &["X-Forwarded-For: 10.0.0.3, 192.0.2.1, 10.0.0.2"],
            "192.0.2.1",
        ),
        (
            &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1"],
            "192.0.2.1",
        ),
        (&["X-Forwarded-For: <script>, 192.0.2.1"], "192.0.2.1"),
        // All are ours: the farthest.
        (&["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&["X-Forwarded-For: 192.0.2.1:4711"], "192.0.2.1"),
        (&["X-Forwarded-For: 2001:db8::7"], "2001:db8::7"),
        (&["X-Forwarded-For: [2001:db8::7]:4711"], "2001:db8::7"),
        (&["X-Forwarded-For: ::ffff:192.0.2.1"], "192.0.2.1"),
        // Who is not told is not guessed: the proxy is what is known.
        (&["X-Forwarded-For: 6.6.6.6, unknown"], LB),
        (&["X-Forwarded-For: 6.6.6.6, what"], LB),
        (&["X-Forwarded-For: "], LB),
        (&["Forwarded: for=192.0.2.1"], "192.0.2.1"),
        (
            &["forwarded: FOR=\"192.0.2.1:4711\";proto=https;by=10.0.0.9"],
            "192.0.2.1",
        ),
        (&["Forwarded: for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
        (&["Forwarded: for=[2001:db8::7]"], "2001:db8::7"),
        (
            &["Forwarded: for=6.6.6.6, for=192.0.2.1;proto=http, for=10.0.0.2"],
            "192.0.2.1",
        ),
        (
            &["Forwarded: for=6.6.6.6", "Forwarded: for=192.0.2.1"],
            "192.0.2.1",
        ),
        (&["Forwarded: for=6.6.6.6, for=_hidden"], LB),
        (&["Forwarded: for=6.6.6.6, proto=https"], LB),
        (&["Forwarded: for=\"192.0.2.1:_port\""], "192.0.2.1"),
        // Both, and they agree.
        (
            &["Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1"],
            "192.0.2.1",
        ),
    ] {
        assert_eq!(client(lines), wanted, "{lines:?}");
    }
}

#[test]
fn from_anybody_else_they_mean_nothing() {
    let claims = [
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: inside.example",
        "Forwarded: for=10.0.0.1;host=inside.example, \"",
    ];
    for from in [
        peer("192.0.2.66"),
        peer("11.0.0.1"),
        peer("::1"),
        Peer::Unknown,
    ] {
        let found = found_from(from, &claims).expect("not looked at");
        assert_eq!((found.client, found.secure, found.host), (from, None, None));
    }
    let unix = found_from(Peer::Unix, &claims[..1]).expect("trusted");
    assert_eq!(unix.client.ip(), peer("10.0.0.1").ip());
}

#[test]
fn scheme_and_host_are_those_of_the_hop_that_met_the_client() {
    let told = |lines: &[&str]| {
        let found = found(lines);
        (found.secure, found.host)
    };
    let host = |name: &str| Some(name.to_owned());
    for (lines, wanted) in [
        (
            &[
                "X-Forwarded-For: 192.0.2.1",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Host: a.example:8443",
            ][..],
            (Some(true), host("a.example:8443")),
        ),
        (
            &["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: WS"],
            (Some(false), None),
        ),
        (&["X-Forwarded-Proto: https"], (Some(true), None)),
        // One word for two hops, and one for each.
        (
            &[
                "X-Forwarded-For: 192.0.2.1, 10.0.0.2",
                "X-Forwarded-Proto: https",
            ],
            (Some(true), None),
        ),
        (
            &[
                "X-Forwarded-For: 192.0.2.1, 10.0.0.2",
                "X-Forwarded-Proto: https, http",
            ],
            (Some(true), None),
        ),
        // The client's own claim, further left.
        (
            &[
                "X-Forwarded-For: 6.6.6.6, 192.0.2.1",
                "X-Forwarded-Proto: http, https",
            ],
            (Some(true), None),
        ),
        (
            &[
                "X-Forwarded-For: 6.6.6.6, 192.0.2.1",
                "X-Forwarded-Host: evil, a.example",
            ],
            (None, host("a.example")),
        ),
        (&["X-Forwarded-Proto: gopher"], (None, None)),
        (
            &["Forwarded: for=192.0.2.1;proto=https;host=\"a.example:8443\""],
            (Some(true), host("a.example:8443")),
        ),
        (
            &[
                "Forwarded: for=6.6.6.6;host=evil;proto=http, for=192.0.2.1;host=a.example;proto=https",
            ],
            (Some(true), host("a.example")),
        ),
        (
            &["Forwarded: for=192.0.2.1;proto=https, for=10.0.0.2;proto=http;host=inner"],
            (Some(true), None),
        ),
        (&["Forwarded: for=192.0.2.1"], (None, None)),
    ] {
        assert_eq!(told(lines), wanted, "{lines:?}");
    }
}

#[test]
fn what_cannot_be_believed_is_refused() {
    for lines in [
        &["Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.2"][..],
        &["Forwarded: for=6.6.6.6", "X-Forwarded-Proto: https"],
        &["Forwarded: for"],
        &["Forwarded: for=\"192.0.2.1"],
        &["Forwarded: for=192.0.2.1 proto=https"],
        &["Forwarded: for=a\"b\""],
        &["Forwarded: for=192.0.2.999"],
        &["Forwarded: =192.0.2.1"],
        &["Forwarded: for=\u{e4}"],
        &["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: a b"],
        &["X-Forwarded-Host: user@a.example"],
    ] {
        let refused = found_from(peer(LB), lines);
        assert!(
            matches!(refused, Err(Refusal::Forwarded { .. })),
            "{lines:?}: {refused:?}"
        );
    }
}
