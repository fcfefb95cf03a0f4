//! What its two servers share: hyper's HTTP/1.1 and the upgrade.

use fastwebsockets::WebSocketError;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use tokio::net::{TcpListener, TcpStream};

/// Upgrades every connection and runs `handle` for it on a task of its own.
pub async fn serve<F>(
    handle: impl Fn(UpgradeFut) -> F + Clone + Send + Sync + 'static,
) -> io::Result<()>
where
    F: Future<Output = Result<(), WebSocketError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, handle.clone()));
    }
}

async fn connection<F>(
    stream: TcpStream,
    handle: impl Fn(UpgradeFut) -> F,
) -> Result<(), WebSocketError>
where
    F: Future<Output = Result<(), WebSocketError>> + Send + 'static,
{
    stream.set_nodelay(true)?;
    let answer = |mut request: Request<Incoming>| {
        let upgraded = upgrade(&mut request).map(|(response, socket)| {
            tokio::spawn(handle(socket));
            response
        });
        async { upgraded as Result<Response<Empty<Bytes>>, WebSocketError> }
    };
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades()
        .await?;
    Ok(())
}
