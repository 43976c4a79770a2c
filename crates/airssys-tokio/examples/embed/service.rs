//! The service: a line with a quantity, a line with the quote for it.

use std::future::Future;
use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::desk::Desk;

/// Serves whoever connects, until `stop`; then every connection is dropped.
pub(crate) async fn run(
    listener: &TcpListener,
    desk: &Desk,
    stop: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let mut handlers = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted?;
                handlers.spawn(handle(client, desk.clone()));
            }
            // A client that went away in the middle of a line is nobody's trouble.
            Some(_) = handlers.join_next() => {}
            stopped = &mut stop => return stopped,
        }
    }
}

async fn handle(mut client: TcpStream, desk: Desk) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (read, mut write) = client.split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.trim().parse::<u64>() {
            Ok(quantity) => match desk.quote(quantity).await {
                Some(quote) => format!(
                    "{} at {}.{:02} after {} ticks\n",
                    quote.quantity,
                    quote.cents / 100,
                    quote.cents % 100,
                    quote.ticks
                ),
                None => "closed\n".to_owned(),
            },
            Err(_) => format!(
                "`{}` is no quantity; send a number such as 12\n",
                line.trim()
            ),
        };
        write.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
