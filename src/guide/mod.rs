//! The guide: how to use wshub, chapter by chapter.
//!
//! Begin with [`start`], then choose a form in [`forms`]. Before a server is public, read [`security`]. When something
//! goes wrong, look the message up in [`troubleshooting`], or in the list of all [`messages`].

/// A chapter for which its features have to be on: it links to what they add, and its examples use it.
macro_rules! chapter {
    ($name:ident, $file:literal, $features:meta, $names:literal) => {
        #[cfg_attr($features, doc = include_str!($file))]
        #[cfg_attr(not($features), doc = concat!("Needs the features: ", $names, "."))]
        pub mod $name {}
    };
}

#[doc = include_str!("start.md")]
pub mod start {}

#[doc = include_str!("forms.md")]
pub mod forms {}

#[doc = include_str!("events.md")]
pub mod events {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("slow_peers.md")]
pub mod slow_peers {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("http.md")]
pub mod http {}

#[doc = include_str!("deployment.md")]
pub mod deployment {}

#[doc = include_str!("platforms.md")]
pub mod platforms {}

/// A heading, and a file of `examples/proxies`.
macro_rules! configuration {
    ($heading:literal, $file:literal) => {
        concat!(
            "\n# ",
            $heading,
            "\n\n```text\n",
            include_str!(concat!("../../examples/proxies/", $file)),
            "```\n"
        )
    };
}

#[doc = include_str!("proxies.md")]
#[doc = configuration!("nginx", "nginx.conf")]
#[doc = configuration!("HAProxy, http mode", "haproxy.cfg")]
#[doc = configuration!("HAProxy, tcp mode", "haproxy-tcp.cfg")]
#[doc = configuration!("Caddy", "Caddyfile")]
#[doc = configuration!("Apache httpd", "apache.conf")]
#[doc = configuration!("Apache httpd before 2.4.47", "apache-wstunnel.conf")]
#[doc = configuration!("Two servers of Socket.IO behind HAProxy", "haproxy-sticky.cfg")]
#[doc = configuration!("Two servers of Socket.IO behind nginx", "nginx-sticky.conf")]
pub mod proxies {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("messages.md")]
pub mod messages {}

#[doc = include_str!("design.md")]
pub mod design {}

#[doc = include_str!("speed.md")]
pub mod speed {}

#[doc = include_str!("promises.md")]
pub mod promises {}

#[doc = include_str!("changelog.md")]
pub mod changelog {}

chapter!(tls, "tls.md", feature = "tls", "`tls`");
chapter!(
    compression,
    "compression.md",
    feature = "deflate",
    "`deflate`"
);
chapter!(
    client,
    "client.md",
    all(feature = "client", feature = "tls"),
    "`client`, `tls`"
);
chapter!(socketio, "socketio.md", feature = "socketio", "`socketio`");
chapter!(
    flask,
    "flask.md",
    all(feature = "socketio", feature = "redis"),
    "`socketio`, `redis`"
);
chapter!(
    cluster,
    "cluster.md",
    all(feature = "socketio", feature = "redis"),
    "`socketio`, `redis`"
);
