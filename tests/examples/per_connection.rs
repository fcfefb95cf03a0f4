//! The example with a thread for each connection: messages that are longer than memory.

use crate::support::Client;
use crate::support::example::Example;

const PIECE: usize = 64 << 10;

#[test]
fn per_connection_takes_and_gives_what_is_longer_than_a_message_may_be() {
    let example = Example::start("per_connection", &[]);
    let mut client = Client::connect_with(example.addr, "/upload", "");
    for n in 0..128 {
        client.send(n == 127, if n == 0 { 2 } else { 0 }, &[7; PIECE]);
    }
    assert_eq!(client.read_message().text(), "8388608 bytes");

    let mut client = Client::connect_with(example.addr, "/download?mib=8", "");
    assert_eq!(client.read_length(), 8 << 20);
    assert_eq!(client.read_message().close().0, 1000);

    let mut client = Client::connect_with(example.addr, "/download?mib=much", "");
    let told = (1008, "mib is a number");
    assert_eq!(client.read_message().close(), told);
}
