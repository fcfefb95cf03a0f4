//! Lets in only clients with a token, by each of the four ways that clients have to send one.
//!
//! `HUB_TOKENS="ada:$(openssl rand -hex 16)" cargo run --release --example auth -- 127.0.0.1:9001`
//!
//! Then open http://127.0.0.1:9001/ and log in, or connect with a program that sends `Authorization: Bearer TOKEN`.
//! With RUST_LOG=info it says who was refused and why. Tokens travel as they are: without TLS in front, anybody on the
//! way reads them.

mod support;

use std::borrow::Cow;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use wshub::{
    Accept, Connection, Event, HookRequest, Message, Reject, Request, Response, Server, Status,
    secret_matches,
};

const PAGE: &str = concat!(include_str!("support/head.html"), include_str!("auth.html"));
/// A client that sends a token as a subprotocol offers this one, too, and gets it as the answer: never the token.
const SUBPROTOCOL: &str = "hub.auth";
const COOKIE: &str = "hub_token";
const SHORTEST_TOKEN: usize = 16;
const HOW_TO_SET_TOKENS: &str = "Set HUB_TOKENS to a name and a token of at least 16 letters and digits for each user, as in:\n\
     export HUB_TOKENS=\"ada:$(openssl rand -hex 16) bob:$(openssl rand -hex 16)\"";

fn main() -> ExitCode {
    let about = format!("{HOW_TO_SET_TOKENS}\n");
    support::run_with("[ADDRESS]", &about, |addr| {
        let users = Arc::new(Users::from_env()?);
        let known = users.clone();
        let server = Server::builder()
            .accept(move |request| accept(request, &users))
            .http(move |request| answer(request, &known))
            .bind(addr)?;
        support::announce_page(server.local_addr()?, server.handle())?;
        chat(&server);
        Ok(())
    })
}

/// Everybody hears everybody, by name, until the server has shut down.
fn chat(server: &Server) {
    for event in server.events() {
        match event {
            Event::Open(connection) => {
                let _ = connection.send(format!("hello {}", name(&connection)));
            }
            Event::Message(connection, Message::Text(text)) => {
                server.broadcast(format!("{}: {text}", name(&connection)));
            }
            Event::Close(connection, close) => {
                log::info!("{} left: {}", name(&connection), close.code);
            }
            _ => {}
        }
    }
}

/// Who was let in; the hook has kept it with the connection.
struct User {
    name: String,
}

fn name(connection: &Connection) -> &str {
    connection.data().map_or("nobody", |user: &User| &user.name)
}

fn accept(request: &Request, users: &Users) -> Result<Accept, Reject> {
    let (name, credentials) = users
        .check(request)
        .map_err(|cause| Reject::unauthorized().with_cause(cause))?;
    let user = User {
        name: name.to_owned(),
    };
    let accept = Accept::new().with_data(user);
    match credentials {
        Credentials::Subprotocol(_) => Ok(accept.with_subprotocol(SUBPROTOCOL)?),
        _ => Ok(accept),
    }
}

/// The page, and what it asks before it opens its WebSocket. It logs in once: from then on the browser sends the
/// cookie, and no script can read it. The server refuses a POST from a page of another site by itself.
fn answer(request: &HookRequest<'_>, users: &Users) -> Response {
    let who = users.check(request);
    match (request.method(), request.path(), who) {
        (_, "/", _) => Response::html(PAGE),
        // Nobody, where there is no token or a wrong one.
        ("GET", "/me", who) => Response::text(who.map_or("", |(name, _)| name)),
        // Who is connected, for those who may know.
        ("GET", "/here", Ok(_)) => {
            let here = request.server().connections();
            let names: Vec<_> = here.iter().map(name).collect();
            Response::text(names.join("\n"))
        }
        ("POST", "/login", Ok((name, credentials))) => {
            set_cookie(Response::text(name), credentials.token())
        }
        ("POST", "/logout", _) => set_cookie(Response::text("logged out"), "; Max-Age=0"),
        ("POST", "/login", Err(cause)) => {
            log::info!("/login: {cause}");
            Response::text("no token of a user").with_status(Status::UNAUTHORIZED)
        }
        _ => Response::not_found(),
    }
}

/// Behind TLS, add `Secure`.
fn set_cookie(response: Response, value: &str) -> Response {
    let cookie = format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/");
    let set = response.with_header("Set-Cookie", &cookie);
    set.unwrap_or_else(|_| Response::bad_request("that is no token"))
}

/// A token, and the way it came.
enum Credentials<'a> {
    /// For programs: a browser's page cannot set headers of a WebSocket.
    Bearer(&'a str),
    /// For pages: the only header that a page can fill in. It ends up in no history and hardly a log.
    Subprotocol(&'a str),
    /// The last resort: proxies write queries to their logs. (wshub never does.)
    Query(Cow<'a, str>),
    /// The browser sends it by itself, to every port of this host.
    Cookie(&'a str),
}

impl<'a> Credentials<'a> {
    /// What was sent on purpose goes before the cookie, which may be an old one.
    fn of(request: &'a Request) -> Option<Self> {
        bearer(request)
            .map(Credentials::Bearer)
            .or_else(|| subprotocol(request).map(Credentials::Subprotocol))
            .or_else(|| request.query("token").map(Credentials::Query))
            .or_else(|| request.cookie(COOKIE).map(Credentials::Cookie))
    }

    fn token(&self) -> &str {
        match self {
            Credentials::Bearer(token)
            | Credentials::Subprotocol(token)
            | Credentials::Cookie(token) => token,
            Credentials::Query(token) => token,
        }
    }

    /// For the log, which never holds what was sent.
    fn refused(&self) -> &'static str {
        match self {
            Credentials::Bearer(_) => "wrong token in Authorization",
            Credentials::Subprotocol(_) => "wrong token as subprotocol",
            Credentials::Query(_) => "wrong token in the query",
            Credentials::Cookie(_) => "wrong cookie",
        }
    }
}

/// `Authorization: Bearer TOKEN` (RFC 6750 2.1); the scheme in any case (RFC 9110 11.1).
fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// `new WebSocket(url, ["hub.auth", "token.TOKEN"])`
fn subprotocol(request: &Request) -> Option<&str> {
    let mut offers = request.subprotocols();
    offers.find(|offer| *offer == SUBPROTOCOL)?;
    let mut offers = request.subprotocols();
    offers.find_map(|offer| offer.strip_prefix("token."))
}

/// Names and their tokens.
struct Users(Vec<(String, String)>);

impl Users {
    /// From the environment: not from the program's text, nor from its arguments, which everybody on the machine can
    /// list.
    fn from_env() -> io::Result<Self> {
        let tokens = std::env::var("HUB_TOKENS").unwrap_or_default();
        let users: Result<Vec<_>, String> = tokens.split_whitespace().map(user).collect();
        let users = users.and_then(|users| match users.is_empty() {
            true => Err("it does not say who may come in".to_owned()),
            false => Ok(Users(users)),
        });
        users.map_err(|why| io::Error::other(format!("HUB_TOKENS: {why}. {HOW_TO_SET_TOKENS}")))
    }

    /// Whose token it is, and how it came; or, for the log, what was wrong.
    fn check<'a>(&self, request: &'a Request) -> Result<(&str, Credentials<'a>), &'static str> {
        let credentials = Credentials::of(request).ok_or("no token")?;
        let mut users = self.0.iter();
        match users.find(|(_, token)| secret_matches(credentials.token(), token)) {
            Some((name, _)) => Ok((name, credentials)),
            None => Err(credentials.refused()),
        }
    }
}

/// `ada:0badcafe…`; letters and digits are the same in a header, a cookie, a query and a subprotocol. What is wrong is
/// said without the token.
fn user(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        None | Some(("", _)) => {
            Err("there is something that is not a name, a colon and a token".to_owned())
        }
        Some((name, token)) if token.len() < SHORTEST_TOKEN => Err(format!(
            "the token of {name} is too short, with {} characters of at least {SHORTEST_TOKEN}",
            token.len()
        )),
        Some((name, token)) if !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Err(
            format!("the token of {name} holds something else than letters and digits"),
        ),
        Some((name, token)) => Ok((name.to_owned(), token.to_owned())),
    }
}
