//! As much of HTTP as the SDK needs: requests with a body of known length on kept connections.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fake::{Shared, model};
use super::model::Refusal;
use super::query::Form;
use super::xml;

/// The longest body; user data has 16 KiB at most.
const LONGEST: usize = 1024 * 1024;

/// Answers until it is dropped, and its connections with it.
pub(super) async fn serve(listener: TcpListener, shared: Shared) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let _ = connection(stream, &shared).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(body) = request(&mut stream).await? {
        let Some((status, text)) = reply(&body, shared) else {
            // The peer sees a connection that broke.
            return Ok(());
        };
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// The body of the next request; `None` at the end.
async fn request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut length = 0;
    let mut line = String::new();
    let mut is_first = true;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let text = line.trim_end();
        if text.is_empty() && !is_first {
            break;
        }
        is_first = false;
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}

fn reply(body: &str, shared: &Shared) -> Option<(u16, String)> {
    let form = Form::parse(body);
    let Some(call) = form.call() else {
        let text = format!("the stand-in does not know `{}`", form.action());
        return Some((400, xml::error("InvalidAction", &text)));
    };
    let given = model(shared).call(&call, form.is_rehearsal());
    match given {
        Ok(answer) => Some((200, xml::answer(call.action(), &answer))),
        Err(Refusal::Error(code, status, message)) => Some((status, xml::error(&code, &message))),
        Err(Refusal::Silence) => None,
    }
}
