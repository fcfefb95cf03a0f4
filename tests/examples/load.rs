//! The `load` example as a user runs it.

use std::process::Stdio;

use crate::support::example::{Example, Process, command};
use crate::support::hostile::{self, Peer, SWITCHING};

fn load(options: &[&str]) -> Process {
    Process::start(command("load").args(options).stdin(Stdio::null()))
}

#[test]
fn it_counts_what_comes_back_and_draws_how_long_it_took() {
    for server in ["echo", "broadcast"] {
        let server = Example::start(server, &[]);
        let url = format!("ws://{}/", server.addr);
        let mut load = load(&["-c", "3", "-s", "1", "-r", "50", &url]);
        assert!(load.wait().success(), "{:?}", load.stderr());
        let said = load.stdout();
        assert!(said[0].starts_with("3 clients connected in "), "{said:?}");
        assert!(said[1].starts_with("   1 s "), "{said:?}");
        assert!(said[2].contains(" messages came back, "), "{said:?}");
        assert!(said[3].contains('#'), "{said:?}");
        assert!(said.last().unwrap().starts_with("p50 "), "{said:?}");
    }
}

#[test]
fn a_server_that_goes_away_and_one_that_is_not_there_are_failures() {
    let mut nobody = load(&["ws://127.0.0.1:1/"]);
    assert_eq!(nobody.wait().code(), Some(1));
    assert!(nobody.stderr()[0].starts_with("client 0 cannot connect: "));
    let leaver = Peer::new(|mut stream| hostile::open(&mut stream, format!("{SWITCHING}\r\n")));
    let mut left = load(&["-c", "1", &leaver.url()]);
    assert_eq!(left.wait().code(), Some(1));
    assert!(
        left.stderr()[0].starts_with("client 0: "),
        "{:?}",
        left.stderr()
    );
    leaver.end();
}

#[test]
fn options_that_make_no_sense_are_status_2() {
    for options in [&["-c", "0"][..], &["-c"], &["-b", "3"], &["--nonsense"]] {
        let mut load = load(options);
        assert_eq!(load.wait().code(), Some(2), "{options:?}");
        assert!(load.stderr()[1].starts_with("usage: load"));
    }
}
