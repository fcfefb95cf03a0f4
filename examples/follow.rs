//! A client that stays connected: prints what a server sends, and connects again for as long as it takes, with a token that
//! is read anew for each try.
//!
//! `cargo run --release --features client --example follow -- ws://127.0.0.1:9001/ TOKENFILE`
//!
//! It ends by Ctrl-C, and where another try would end as the last one did: the token is refused, or the path is wrong.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use wshub::{ClientError, ClientEvent, ClientRequest, DisconnectCause, Message, Reconnecting};

const USAGE: &str = "usage: follow [URL [TOKENFILE]]\n\
    URL is ws://127.0.0.1:9001/ by default; wss:// with the feature tls, ws+unix:PATH:/ for a Unix socket. The text of\n\
    TOKENFILE goes along as a bearer token.";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.iter().any(|word| word == "-h" || word == "--help") {
        let _ = writeln!(io::stdout(), "{USAGE}");
        return ExitCode::SUCCESS;
    }
    if given.len() > 2 || given.iter().any(|word| word.starts_with('-')) {
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    }
    match follow(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn follow(given: Vec<String>) -> Result<(), Box<dyn Error>> {
    let mut given = given.into_iter();
    let url = given.next().unwrap_or("ws://127.0.0.1:9001/".to_owned());
    let token = given.next();
    let request = ClientRequest::new(&url)?;
    // A token that has expired by the next try would be refused: so each try reads it.
    let feed = Reconnecting::with(move |_failures| {
        let request = request.clone();
        let Some(token) = &token else {
            return Ok(request);
        };
        let bearer = format!("Bearer {}", fs::read_to_string(token)?.trim());
        Ok(request.with_header("Authorization", &bearer)?)
    });
    let feed = feed.with_backoff(Duration::from_millis(500), Duration::from_secs(20));
    let writer = feed.writer();
    ctrlc::set_handler(move || _ = writer.close(1000, ""))?;
    for event in feed {
        take(event)?;
    }
    Ok(())
}

fn take(event: ClientEvent) -> Result<(), Box<dyn Error>> {
    match event {
        ClientEvent::Connected { .. } => log::info!("connected"),
        ClientEvent::Message(Message::Text(text)) => writeln!(io::stdout(), "{text}")?,
        ClientEvent::Disconnected { cause, .. } if is_hopeless(&cause) => {
            return Err(cause.to_string().into());
        }
        ClientEvent::Disconnected {
            cause,
            retry_in: Some(pause),
            ..
        } => log::warn!("{cause}; next try in {pause:?}"),
        // No try can succeed.
        ClientEvent::Disconnected {
            cause: cause @ DisconnectCause::Connect(_),
            ..
        } => return Err(cause.to_string().into()),
        _ => {}
    }
    Ok(())
}

/// What waiting does not mend.
fn is_hopeless(cause: &DisconnectCause) -> bool {
    matches!(
        cause,
        DisconnectCause::Connect(ClientError::Status {
            status: 401 | 403 | 404,
            ..
        })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No server, no socket: its events are made.
    #[test]
    fn it_goes_on_unless_the_server_says_that_it_never_will() {
        let pause = Some(Duration::from_secs(1));
        let refused = |status| DisconnectCause::Connect(ClientError::answered(status));
        assert!(take(ClientEvent::connected(None)).is_ok());
        assert!(take(ClientEvent::disconnected(refused(503), 0, pause)).is_ok());
        assert!(take(ClientEvent::disconnected(refused(503), 0, None)).is_err());
        let end = take(ClientEvent::disconnected(refused(401), 0, pause)).unwrap_err();
        let text = end.to_string();
        assert!(
            text.starts_with("the server answered 401 Unauthorized"),
            "{text}"
        );
    }
}
