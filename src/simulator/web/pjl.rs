//! A raw port that answers PJL's INFO and ECHO, and takes everything else for a document.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::web::{Portrait, Visit, label};

/// Bytes read at once.
const READ_BYTES: usize = 4_096;
/// What enters and leaves PJL.
const UEL: &str = "\x1b%-12345X";

/// Answers until the peer has nothing more to say.
pub(crate) async fn serve(mut stream: TcpStream, visit: &Visit) {
    let mut buffer = vec![0; READ_BYTES];
    let mut came = Vec::new();
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        visit.station().swallowed(length);
        came.extend_from_slice(&buffer[..length]);
        for line in label::lines(&mut came) {
            let answer = answer(line.trim_start_matches(UEL), visit).await;
            if !answer.is_empty() && stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn answer(line: &str, visit: &Visit) -> String {
    let body = match line {
        "" | "@PJL" => return String::new(),
        line if line.starts_with("@PJL ECHO ") => String::new(),
        line => match line.strip_prefix("@PJL INFO ") {
            Some(category) => info(category, &visit.portrait().await),
            None => {
                visit.station().told("something unknown");
                return String::new();
            }
        },
    };
    format!("{line}\r\n{body}\x0c")
}

fn info(category: &str, printer: &Portrait) -> String {
    match category {
        "ID" => format!("\"{}\"\r\n", printer.model),
        "STATUS" if printer.stands.is_some() => {
            format!(
                "CODE=40022\r\nDISPLAY=\"{}\"\r\nONLINE=FALSE\r\n",
                printer.status
            )
        }
        "STATUS" => format!(
            "CODE=10001\r\nDISPLAY=\"{}\"\r\nONLINE=TRUE\r\n",
            printer.status
        ),
        "PAGECOUNT" => format!("PAGECOUNT={}\r\n", printer.pages),
        "PRODINFO" => format!(
            "ProductName = \"{}\"\r\nProductSerialNumber = \"{}\"\r\n",
            printer.model, printer.serial
        ),
        "CONFIG" => "IN TRAYS [1 ENUMERATED]\r\n\tINTRAY1 MP\r\n".to_owned(),
        "MEMORY" => "TOTAL=536870912\r\nLARGEST=268435456\r\n".to_owned(),
        _ => "\"?\"\r\n".to_owned(),
    }
}
