//! No input panics.

use super::*;

/// A small linear congruential generator (Knuth's MMIX), so that every run sees the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(5) {
        0 => bytes[at] = random.below(256) as u8,
        1 => bytes.insert(at, b"\r\n :,;=/?#@[]%\"\0\t"[random.below(17)]),
        2 => drop(bytes.remove(at)),
        3 => {
            let end = at + random.below(bytes.len() - at);
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => bytes.truncate(at.max(1)),
    }
}

/// Everything that may be asked of a head, for its panics.
fn exercise(bytes: &[u8], rules: &Rules) {
    let scanned = scan(HeadLimits::default(), &[bytes]);
    let at = bytes.len() / 2;
    assert_eq!(
        told(&scanned),
        told(&scan(HeadLimits::default(), &[&bytes[..at], bytes]))
    );
    let _ = Request::parse(bytes).map_err(|refusal| answer(&refusal));
    let Ok(Some(length)) = scanned else { return };
    let request = match Request::parse(&bytes[..length]) {
        Ok(request) => request,
        Err(refusal) => return assert!(refusal.status().is_some()),
    };
    assert!(request.path().starts_with('/'));
    assert!(
        request.cookies().count() + request.subprotocols().count() + request.headers().count()
            < 20_000
    );
    let _ = format!(
        "{request:?} {:?} {:?}",
        request.query_string(),
        request.origin()
    );
    for refusal in [
        negotiate::plain(&request, rules, no_rule).err(),
        negotiate::upgrade(&request, rules, no_rule).err(),
    ] {
        assert!(refusal.is_none_or(|refusal| answer(&refusal).starts_with("HTTP/1.1 4")));
    }
}

#[test]
fn mutated_heads_never_panic() {
    let seeds = [
        sample_a(KEY),
        upgrade_head(&[
            "Origin: http://[::1]:9001",
            "Host: [::1]:9001",
            "Connection: keep-alive, Upgrade",
        ]),
        head(&[
            "GET ws://user.example:80/a?b=c HTTP/1.1",
            "Host: h",
            "Cookie: a=b; c=d",
            "Content-Length: 0",
        ]),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01".to_vec(),
    ];
    let mut random = Random(20_251_121);
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        exercise(&bytes, &sample_rules());
    }
}

#[test]
fn every_single_byte_changed_never_panics() {
    let seed = sample_a(KEY);
    for at in 0..seed.len() {
        for byte in [
            0, b'\t', b'\n', b'\r', b' ', b'"', b'#', b'%', b',', b'/', b':', b'@', b'[', 0x7f,
            0x80, 0xff,
        ] {
            let mut bytes = seed.clone();
            bytes[at] = byte;
            exercise(&bytes, &sample_rules());
        }
    }
}

#[test]
fn truncated_heads_ask_for_more_and_never_parse() {
    let seed = sample_a(KEY);
    for end in 0..seed.len() {
        assert_eq!(
            scan(HeadLimits::default(), &[&seed[..end]]).expect("no refusal"),
            None
        );
        assert!(Request::parse(&seed[..end]).is_err());
    }
}
