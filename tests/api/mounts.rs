//! Parts of a server that lie below a path and have hooks of their own, and the hook that gets the server's handle.

use std::net::SocketAddr;
use std::sync::mpsc;

use crate::support::{Client, exchange, upgrade};
use wshub::{Accept, Event, Reject, Response, Server};

fn get(addr: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = exchange(addr, request);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

#[test]
fn what_lies_below_a_path_has_its_own_hooks_and_the_longest_path_counts() {
    let server = Server::builder()
        .accept(|_| Ok(Accept::new().with_data("all")))
        .http(|_| Response::text("all"))
        .mount(
            "/part/inner/",
            |_| Ok(Accept::new().with_data("inner")),
            |_| Response::text("inner"),
        )
        .mount(
            "/part/",
            |_| Err(Reject::forbidden()),
            |_| Response::text("part"),
        )
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr().unwrap();
    for (path, who) in [
        ("/", "all"),
        ("/part", "all"),
        ("/part/", "part"),
        ("/part/x?/part/inner/", "part"),
        ("/part/inner/x", "inner"),
    ] {
        assert_eq!(get(addr, path), who, "{path}");
    }
    let refused = exchange(addr, upgrade(&addr.to_string(), "/part/x", ""));
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    for (path, who) in [("/part", "all"), ("/part/inner/x", "inner")] {
        let _client = Client::connect_with(addr, path, "");
        let mut events = server.events();
        let opened = events.find(|event| matches!(event, Event::Open(_)));
        let event = opened.unwrap();
        assert_eq!(event.connection().data::<&str>(), Some(&who), "{path}");
    }
}

#[test]
fn a_mount_alone_leaves_other_plain_requests_unserved() {
    let server = Server::builder()
        .mount("/part/", |_| Ok(Accept::new()), |_| Response::text("part"))
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr().unwrap();
    assert_eq!(get(addr, "/part/"), "part");
    let request = format!("GET / HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    let answer = exchange(addr, request);
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
}

#[test]
fn b12_a_panic_of_a_mounts_hook_costs_its_request_alone() {
    let server = Server::builder()
        .mount("/part/", |_| panic!("on purpose"), |_| panic!("on purpose"))
        .bind("127.0.0.1:0")
        .unwrap();
    let addr = server.local_addr().unwrap();
    let host = addr.to_string();
    let plain = format!("GET /part/ HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    for request in [upgrade(&host, "/part/", ""), plain] {
        let answer = exchange(addr, request);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    Client::connect(addr);
}

#[test]
fn whoever_starts_the_server_hands_its_handle_on() {
    let (sender, handles) = mpsc::channel();
    let start = || {
        let sender = sender.clone();
        Server::builder().on_start(move |handle| sender.send(handle).unwrap())
    };
    let server = start().bind("127.0.0.1:0").unwrap();
    let handle = handles.try_recv().unwrap();
    assert_eq!(handle.local_addr().unwrap(), server.local_addr().unwrap());
    let server = start().without_listener().unwrap();
    handles.try_recv().unwrap().shutdown();
    assert!(server.events().next().is_none());
    let serving = start().serve("127.0.0.1:0", |_| Ok(())).unwrap();
    handles.try_recv().unwrap().shutdown();
    assert_eq!(serving.wait().threads_left, 0);
}

#[test]
fn a_path_that_stands_in_no_request_is_refused_with_what_to_write() {
    for path in ["part/", "*", "/a b", "/part?x", "/part#x", "/m\u{fc}ll"] {
        let nothing = |_: &wshub::HookRequest<'_>| Err(Reject::not_found());
        let mounted = Server::builder().mount(path, nothing, |_| Response::not_found());
        let builders = [
            mounted,
            Server::builder().http_at_once(path, |_| None),
            Server::builder().health(path),
            Server::builder().metrics(path),
        ];
        for builder in builders {
            let error = builder.bind("127.0.0.1:0").unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{path}");
            let told = format!("the path {path:?} stands in no request; write it as \"/status\"");
            assert!(error.to_string().starts_with(&told), "{error}");
        }
    }
}

#[test]
fn no_path_is_refused_and_a_slash_is_every_path() {
    let nothing = |_: &wshub::HookRequest<'_>| Err(Reject::not_found());
    let builders = [
        Server::builder().mount("", nothing, |_| Response::not_found()),
        Server::builder().http_at_once("", |_| None),
        Server::builder().health(""),
    ];
    for builder in builders {
        let error = builder.bind("127.0.0.1:0").unwrap_err();
        let told = "a path is empty; write \"/\", which for mount and http_at_once is every path";
        assert_eq!(error.to_string(), told);
    }
    let mounted = Server::builder().mount("/", nothing, |_| Response::text("all"));
    let at_once = Server::builder().http_at_once("/", |_| Some(Response::text("all")));
    for builder in [mounted, at_once] {
        let server = builder.bind("127.0.0.1:0").unwrap();
        let addr = server.local_addr().unwrap();
        for target in ["/", "/a/b", "//", "/?x", "http://localhost"] {
            assert_eq!(get(addr, target), "all", "{target}");
        }
    }
}
