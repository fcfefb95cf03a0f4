//! Which clients may come in: origins, hosts, proxies, and what both sides have to speak.

use super::ServerBuilder;
use crate::http::Cors;
use crate::server::hooks::HookRequest;

impl ServerBuilder {
    /// Further origins whose pages, and programs that send one, may connect (RFC 6455 10.2):
    ///
    /// | entry | stands for |
    /// |---|---|
    /// | `https://app.example.com`, `http://localhost:5173` | this scheme, host and port |
    /// | `https://*.example.com`, with a port where it is not the scheme's | every name below `example.com`, however many labels, but not `example.com` itself |
    /// | `null` | every page without an origin of its own: files, sandboxed frames |
    /// | `file://` | programs that send it, and maybe a browser for every page that was opened as a file |
    /// | `*` | every page; only for servers without secrets and effects |
    ///
    /// `.example.com` is another way to write `*.example.com`. Default: only pages from the server's
    /// own host, and programs that send no origin. `localhost`, 127.0.0.1 and `[::1]` are one host, as
    /// far as they lead to this server at the port it listens on. Where a list cannot say it, there
    /// is [`origin_rule`](ServerBuilder::origin_rule).
    ///
    /// Anything else could never match: [`bind`](ServerBuilder::bind) returns an error that says what is possible.
    pub fn origins<T: Into<String>>(mut self, origins: impl IntoIterator<Item = T>) -> Self {
        for entry in origins {
            self.settings.rules.add_origin(&entry.into());
        }
        self
    }

    /// Decides about the origins that neither the server's own host nor [`origins`](ServerBuilder::origins) lets in:
    /// `true` lets this one in. It gets the origin as it was sent, and the request. It is not asked about requests
    /// without an origin, or with one that is not UTF-8, and what it lets in still has to name a host of this server
    /// ([`hosts`](ServerBuilder::hosts)). Default: none of them.
    ///
    /// Runs on the connection's own thread, with a stack of [`stack_size`](crate::Limits::stack_size), before
    /// the [`accept`](ServerBuilder::accept) hook; when it takes longer than the rest of
    /// [`handshake_timeout`](crate::Limits::handshake_timeout), or panics, the client is refused.
    ///
    /// Compare whole hosts, not parts of the text: `https://example.com.evil.example` begins with
    /// `https://example.com`, and `https://evil-example.com` ends with `example.com`.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// // A development server of this machine, whatever its port.
    /// let server = Server::builder()
    ///     .origin_rule(|origin, _request| {
    ///         let port = origin.strip_prefix("http://localhost:");
    ///         port.is_some_and(|port| port.parse::<u16>().is_ok())
    ///     })
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn origin_rule(
        mut self,
        rule: impl Fn(&str, &HookRequest<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.hooks.origin = Some(Box::new(rule));
        self
    }

    /// Further names of this server, for browsers that reach it under one that is neither an IP
    /// address nor local by its form (`localhost`, one label, `*.localhost`, `*.local`, `*.lan`,
    /// `*.home.arpa`). Other names are refused to clients that send an origin, and to plain requests,
    /// because a hostile site can make its own name point here (DNS rebinding). Bound to loopback, only loopback's
    /// names are this server's by default: `localhost`, `*.localhost`, 127.0.0.0/8 and `[::1]`.
    ///
    /// An entry is a name, `*.example.com` (or `.example.com`) for every name below `example.com` but not that one
    /// itself, or an address; with a port, as in `device.example.com:8080`, only where the port matters. Anything else
    /// could never match: [`bind`](ServerBuilder::bind) returns an error that says what is possible.
    pub fn hosts<T: Into<String>>(mut self, hosts: impl IntoIterator<Item = T>) -> Self {
        for entry in hosts {
            self.settings.rules.add_host(&entry.into());
        }
        self
    }

    /// Which pages of other sites may read what the [`http`](ServerBuilder::http) hook answers. Default:
    /// none; see [`Cors`].
    pub fn cors(mut self, cors: Cors) -> Self {
        self.settings.rules.cors = Some(cors);
        self
    }

    /// Proxies that are believed about their clients: addresses, networks as `10.0.0.0/8`, and `unix` for
    /// programs of this machine that come over a Unix socket. From these, and nobody else:
    ///
    /// - a header of the PROXY protocol, version 1 or 2, in front of a connection;
    /// - `Forwarded` (RFC 7239), or `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`. They
    ///   are read from right to left, through trusted proxies, to the first address that is none.
    ///
    /// What they say is then what [`Request::peer`](crate::Request::peer), [`Request::host`](crate::Request::host),
    /// [`max_per_address`](crate::Limits::max_per_address), the log and the rules for
    /// [`origins`](ServerBuilder::origins) and [`hosts`](ServerBuilder::hosts) go by; a page of
    /// `http://` is then not at home where its request came by `https://`. From other peers the headers
    /// mean nothing, and the PROXY protocol gets 400, with the line to add. So does what a trusted proxy
    /// sends that cannot be read, or that names two clients.
    ///
    /// List only proxies that write one of these themselves, for every client, and remove the others: one that
    /// passes on what it is sent lets its clients claim any address. The guide has
    /// [configurations](crate::guide::proxies). Default: none, and the peer is the proxy.
    ///
    /// ```
    /// use wshub::Server;
    ///
    /// let server = Server::builder()
    ///     .trusted_proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    ///     .bind("127.0.0.1:0")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn trusted_proxies<T: Into<String>>(
        mut self,
        proxies: impl IntoIterator<Item = T>,
    ) -> Self {
        for entry in proxies {
            self.settings.rules.add_proxy(&entry.into());
        }
        self
    }

    /// Further peers that may see [`metrics`](ServerBuilder::metrics): addresses, and networks as `10.0.0.0/8`. For
    /// everybody `0.0.0.0/0` and `::/0`: the counters tell how busy a server is, and name no client. Default: none.
    pub fn metrics_from<T: Into<String>>(mut self, peers: impl IntoIterator<Item = T>) -> Self {
        for entry in peers {
            self.settings.rules.add_metrics_peer(&entry.into());
        }
        self
    }

    /// The subprotocols of this server, the preferred one first (RFC 6455 1.9). The first
    /// that a client offers is chosen; where it offers none of them, none is, and the connection
    /// opens all the same. A browser gives a connection up for which it offered some and got none;
    /// the log (info) then says which were offered. Default: none.
    pub fn subprotocols<T: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = T>,
    ) -> Self {
        for entry in subprotocols {
            self.settings.rules.add_subprotocol(entry.into());
        }
        self
    }
}
