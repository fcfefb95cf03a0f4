//! Says hello, and prints the answer: `client ws://127.0.0.1:9001/`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or("ws://127.0.0.1:9001/".into());
    let mut ws = wshub::connect(&url)?;
    ws.send("hello")?;
    if let Some(message) = ws.read()? {
        println!("{message:?}");
    }
    ws.close(wshub::CloseCode::NORMAL, "")?;
    Ok(())
}
