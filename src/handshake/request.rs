//! The request that opens a WebSocket: from a URL to the bytes of its head (RFC 6455 3 and 4.1).

use core::fmt;

use super::url::{InvalidUrl, Url};
use crate::compression::config::Compression;
use crate::http::excerpt::excerpt;
use crate::http::headers::{Headers, InvalidHeader, check_subprotocol};
use crate::http::scheme::default_port;

/// What a client asks a server for, and where.
#[derive(Clone)]
pub(crate) struct OpeningRequest {
    pub url: Url,
    /// That are offered.
    pub subprotocols: Vec<String>,
    headers: Headers,
    pub compression: Option<Compression>,
}

impl OpeningRequest {
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        Ok(Self {
            url: Url::parse(url)?,
            subprotocols: Vec::new(),
            headers: Headers::default(),
            compression: None,
        })
    }

    pub fn offer_subprotocol(&mut self, name: &str) -> Result<(), InvalidHeader> {
        check_subprotocol(name)?;
        // RFC 6455 4.1: all of them are different.
        if !self.subprotocols.iter().any(|known| known == name) {
            self.subprotocols.push(name.to_owned());
        }
        Ok(())
    }

    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        if name.eq_ignore_ascii_case("host") {
            return Err(InvalidHeader::Reserved {
                name: excerpt(name.as_bytes()),
            });
        }
        self.headers.set(name, value)
    }

    /// The host with its port, as a proxy is asked for it (RFC 9110 9.3.6).
    pub fn authority(&self) -> String {
        format!("{}:{}", self.url.uri_host, self.url.port)
    }

    /// The host that a certificate is for. A zone says something on this machine alone (RFC 6874 4).
    pub fn server_name(&self) -> &str {
        let host = self.url.uri_host.as_str();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The head of the request, with this Sec-WebSocket-Key.
    pub fn encode(&self, key: &str) -> Vec<u8> {
        let mut head = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n",
            self.url.target,
            self.host_header(),
        )
        .into_bytes();
        if !self.subprotocols.is_empty() {
            let offered = self.subprotocols.join(", ");
            head.extend_from_slice(format!("Sec-WebSocket-Protocol: {offered}\r\n").as_bytes());
        }
        if let Some(compression) = &self.compression {
            let offered = compression.offer();
            head.extend_from_slice(format!("Sec-WebSocket-Extensions: {offered}\r\n").as_bytes());
        }
        self.headers.encode(&mut head);
        head.extend_from_slice(b"\r\n");
        head
    }

    /// RFC 6455 4.1: the host, and its port unless it is the default one.
    fn host_header(&self) -> String {
        match self.url.port == default_port(self.url.secure) {
            true => self.url.uri_host.clone(),
            false => self.authority(),
        }
    }

    /// Shows where it leads; never a header's value or the query, which may be secret.
    pub fn show(&self, shown: &mut fmt::DebugStruct<'_, '_>) {
        let path = self.url.target.split('?').next().unwrap_or_default();
        shown
            .field("secure", &self.url.secure)
            .field("unix", &self.url.unix)
            .field("host", &self.host_header())
            .field("path", &path)
            .field("subprotocols", &self.subprotocols)
            .field("headers", &self.headers);
    }
}
