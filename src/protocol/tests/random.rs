//! Streams by chance, whole and damaged, in every kind of pieces.

use super::*;

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn random_payload(random: &mut Random, text: bool) -> Vec<u8> {
    let n = [0, 1, 5, 40, 130, 300][random.below(6)];
    if text {
        let chars = ['a', 'é', '€', '😀'];
        let payload: String = (0..random.below(n / 3 + 1))
            .map(|_| chars[random.below(4)])
            .collect();
        return payload.into_bytes();
    }
    (0..n).map(|_| random.next() as u8).collect()
}

/// Some messages, most of them legal, in fragments and with control frames between them.
fn random_stream(random: &mut Random, role: Role) -> (Vec<u8>, Vec<Event>) {
    let (mut stream, mut events) = (Vec::new(), Vec::new());
    let mut put = |random: &mut Random, first, payload: &[u8]| {
        let key = (role == Role::Server).then(|| (random.next() as u32).to_ne_bytes());
        stream.extend(frame_with(first, payload, key));
    };
    for _ in 0..1 + random.below(6) {
        let is_text = random.below(2) == 0;
        let payload = random_payload(random, is_text);
        let (mut opcode, mut rest) = (if is_text { 1 } else { 2 }, &payload[..]);
        for _ in 0..random.below(4) {
            let (part, more) = rest.split_at(random.below(rest.len() + 1));
            put(random, opcode, part);
            (opcode, rest) = (0, more);
            if random.below(2) == 0 {
                let small: Vec<u8> = (0..random.below(126)).map(|i| i as u8).collect();
                put(random, 0x89, &small);
                events.push(ping(&small));
            }
        }
        put(random, 0x80 | opcode, rest);
        events.push(match String::from_utf8(payload) {
            Ok(payload) if is_text => Event::Text(payload),
            Ok(payload) => Event::Binary(payload.into_bytes()),
            Err(error) => Event::Binary(error.into_bytes()),
        });
    }
    (stream, events)
}

fn run_in_random_chunks(random: &mut Random, role: Role, stream: &[u8]) -> Vec<Event> {
    let mut driver = Driver::new(role, LIMITS);
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(1 + random.below(rest.len().min(200)));
        driver.feed(chunk);
        rest = more;
    }
    driver.events
}

#[test]
fn random_legal_streams_give_their_messages() {
    let random = &mut Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..2_000 {
        for role in [Role::Server, Role::Client] {
            let (stream, events) = random_stream(random, role);
            assert_eq!(run(role, LIMITS, [&stream[..]]), events);
            assert_eq!(run(role, LIMITS, stream.chunks(1)), events);
            assert_eq!(run_in_random_chunks(random, role, &stream), events);
        }
    }
}

#[test]
fn random_damage_is_found_the_same_way_however_it_arrives() {
    let random = &mut Random(0xD1B5_4A32_D192_ED03);
    let mut failures = 0;
    for _ in 0..5_000 {
        for role in [Role::Server, Role::Client] {
            let (mut stream, _) = random_stream(random, role);
            for _ in 0..1 + random.below(3) {
                let at = random.below(stream.len());
                match random.below(3) {
                    0 => stream[at] ^= 1 << random.below(8),
                    1 => stream[at] = random.next() as u8,
                    _ => drop(stream.drain(..at)),
                }
                stream.push(random.next() as u8);
            }
            let whole = run(role, LIMITS, [&stream[..]]);
            assert_eq!(run(role, LIMITS, stream.chunks(1)), whole);
            assert_eq!(run_in_random_chunks(random, role, &stream), whole);
            failures += usize::from(matches!(whole.last(), Some(Failed(_))));
        }
    }
    assert!(
        failures > 1_000,
        "only {failures} of the damaged streams were refused"
    );
}

#[test]
fn random_bytes_never_panic() {
    let random = &mut Random(0x2545_F491_4F6C_DD1D);
    for _ in 0..20_000 {
        let stream: Vec<u8> = (0..random.below(60))
            .map(|_| random.next() as u8 & 0x8F)
            .collect();
        for role in [Role::Server, Role::Client] {
            assert_eq!(
                run(role, LIMITS, [&stream[..]]),
                run(role, LIMITS, stream.chunks(1))
            );
        }
    }
}
