//! A label printer's raw port: SGD variables, `~HS`, and the commands that it is told.
//!
//! What is asked is answered from the printer as it lives; what is told has its effect there, and is
//! remembered in words. While it stands it is silent to `~HS`, as the real ones are.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::life::hand::Stand;
use crate::rack::Deed;
use crate::web::{Portrait, Visit};

/// Bytes read at once.
const READ_BYTES: usize = 4_096;
/// Longest line; what is longer is cut and is then none that is known.
const LINE_BYTES_MAX: usize = 1_024;
/// What it answers for a variable that it does not have.
const NOT_THERE: &str = "?";

/// Answers until the peer has nothing more to say.
pub(crate) async fn serve(mut stream: TcpStream, visit: &Visit) {
    let mut buffer = vec![0; READ_BYTES];
    let mut came = Vec::new();
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        visit.station().swallowed(length);
        came.extend_from_slice(&buffer[..length]);
        for line in lines(&mut came) {
            let answer = obey(&line, visit).await;
            if !answer.is_empty() && stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Takes the whole lines out of what came.
pub(crate) fn lines(came: &mut Vec<u8>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(end) = came.iter().position(|octet| *octet == b'\n') {
        let line: Vec<u8> = came.drain(..=end).collect();
        let line = line.get(..line.len().min(LINE_BYTES_MAX)).unwrap_or(&line);
        lines.push(String::from_utf8_lossy(line).trim().to_owned());
    }
    if came.len() > LINE_BYTES_MAX {
        came.clear();
        lines.push("a line without end".to_owned());
    }
    lines
}

/// Does what one line says; the answer, where there is one.
pub(crate) async fn obey(line: &str, visit: &Visit) -> String {
    let station = visit.station();
    let quoted: Vec<&str> = line.split('"').collect();
    match (line, quoted.as_slice()) {
        ("", _) => {}
        ("~HS", _) => {
            let printer = visit.portrait().await;
            return if printer.stands.is_some() {
                String::new()
            } else {
                host_status(&printer)
            };
        }
        ("~JC", _) => station.told("calibrate"),
        ("~JR", _) => {
            station.told("reset");
            visit.act(Deed::Restart).await;
        }
        ("~PH", _) => print(visit, "feed").await,
        ("~WC", _) => print(visit, "print configuration").await,
        (_, ["! U1 getvar ", name, ""]) => {
            return format!("\"{}\"", variable(name, visit).await);
        }
        (_, ["! U1 setvar ", name, " ", value, ""]) => {
            station.told(&format!("set {name} {value}"));
            let inches = inches(&visit.portrait().await.length);
            station.set_variable(name, value, inches);
        }
        (line, _) => match line.strip_prefix("^XA^XF") {
            Some(rest) if rest.ends_with("^FS^XZ") => {
                let name = rest.trim_end_matches("^FS^XZ");
                print(visit, &format!("print stored {name}")).await;
            }
            Some(_) | None => station.told("something unknown"),
        },
    }
    String::new()
}

/// Prints one label, unless it stands.
async fn print(visit: &Visit, what: &str) {
    visit.station().told(what);
    if visit.portrait().await.stands.is_none() {
        visit.act(Deed::Print(1)).await;
    }
}

async fn variable(name: &str, visit: &Visit) -> String {
    let printer = visit.portrait().await;
    let own = |text: &str| {
        if text.is_empty() {
            NOT_THERE.to_owned()
        } else {
            text.to_owned()
        }
    };
    match name {
        "device.product_name" => own(&printer.model),
        "device.unique_id" => own(&printer.serial),
        "device.friendly_name" => own(&printer.name),
        "appl.name" => own(&printer.firmware),
        "appl.link_os_version" => own(&printer.link_os),
        "odometer.total_print_length" => own(&printer.length),
        "odometer.total_label_count" => own(&printer.labels),
        "odometer.user_label_count" => own(&printer.user_labels),
        "odometer.headclean" => {
            let since = visit.station().since_cleaned(inches(&printer.length));
            format!("{since} INCHES, {} CENTIMETERS", since * 254 / 100)
        }
        "head.latch" if printer.stands == Some(Stand::HeadOpen) => "open".to_owned(),
        "media.status" if printer.stands == Some(Stand::MediaOut) => "out".to_owned(),
        "head.latch" | "media.status" => "ok".to_owned(),
        name => visit
            .station()
            .variable(name)
            .unwrap_or_else(|| NOT_THERE.to_owned()),
    }
}

fn inches(length: &str) -> u64 {
    let first = length.split(' ').next();
    first.and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// The three strings of one that works.
fn host_status(printer: &Portrait) -> String {
    let formats = u8::from(printer.is_printing);
    let labels = u8::from(printer.is_printing);
    format!(
        "\x02030,0,0,1230,00{formats},0,0,0,000,0,0,0\x03\r\n\
         \x02000,0,0,0,1,2,6,0,0000000{labels},1,000\x03\r\n\x020000,0\x03\r\n"
    )
}
