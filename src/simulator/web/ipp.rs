//! IPP as a printer of today speaks it: Get-Printer-Attributes of the printer as it lives (RFC 8011
//! §4.2.5, PWG 5100.13), every other operation refused. Nothing that is posted is printed.

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use crate::web::Visit;
use crate::web::http::{self, Answer};
use crate::web::portrait::Portrait;

/// Longest question that is read.
const QUESTION_BYTES_MAX: usize = 64 * 1024;
/// Octets of a question before its attributes: version, operation, number.
const HEAD_BYTES: usize = 8;

/// Get-Printer-Attributes.
const GET_PRINTER_ATTRIBUTES: [u8; 2] = [0x00, 0x0b];
/// successful-ok and server-error-operation-not-supported (RFC 8011 §B.1).
const OK: [u8; 2] = [0x00, 0x00];
const NOT_SUPPORTED: [u8; 2] = [0x05, 0x01];

/// Tags (RFC 8010 §3.5).
const OPERATION_GROUP: u8 = 0x01;
const END: u8 = 0x03;
const PRINTER_GROUP: u8 = 0x04;
const INTEGER: u8 = 0x21;
const ENUM: u8 = 0x23;
const OCTET_STRING: u8 = 0x30;
const TEXT: u8 = 0x41;
const KEYWORD: u8 = 0x44;
const CHARSET: u8 = 0x47;
const LANGUAGE: u8 = 0x48;

/// printer-state idle and processing (RFC 8011 §5.4.11).
const IDLE: i32 = 3;
const PROCESSING: i32 = 4;

/// Words of colors that supplies have in their names.
const COLORS: [&str; 4] = ["black", "cyan", "magenta", "yellow"];

/// Answers a question.
pub(crate) async fn answer(request: Request<Incoming>, visit: &Visit) -> Answer {
    if *request.method() != Method::POST {
        return http::words(StatusCode::METHOD_NOT_ALLOWED, "POST only");
    }
    if !matches!(request.uri().path(), "/ipp/print" | "/ipp" | "/") {
        return http::words(StatusCode::NOT_FOUND, "Not here");
    }
    let body = Limited::new(request.into_body(), QUESTION_BYTES_MAX);
    let question = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return http::words(StatusCode::PAYLOAD_TOO_LARGE, "Too long"),
    };
    let Some([major, minor, high, low, number @ ..]) = question.get(..HEAD_BYTES) else {
        return http::words(StatusCode::BAD_REQUEST, "No IPP");
    };
    let is_known = [*high, *low] == GET_PRINTER_ATTRIBUTES;
    let status = if is_known { OK } else { NOT_SUPPORTED };
    let mut octets = vec![*major, *minor];
    octets.extend(status);
    octets.extend(number);
    octets.push(OPERATION_GROUP);
    write(&mut octets, CHARSET, "attributes-charset", b"utf-8");
    write(&mut octets, LANGUAGE, "attributes-natural-language", b"en");
    if is_known {
        octets.push(PRINTER_GROUP);
        attributes(&mut octets, &visit.portrait().await);
    }
    octets.push(END);
    http::typed("application/ipp", octets)
}

fn attributes(octets: &mut Vec<u8>, of: &Portrait) {
    let is_printing = of.status.to_lowercase().contains("print");
    let state = if is_printing { PROCESSING } else { IDLE };
    let id = format!("MDL:{};SN:{};", of.model, of.serial);
    write(octets, TEXT, "printer-make-and-model", of.model.as_bytes());
    write(octets, TEXT, "printer-device-id", id.as_bytes());
    write(octets, ENUM, "printer-state", &state.to_be_bytes());
    write(octets, KEYWORD, "printer-state-reasons", b"none");
    if let Ok(pages) = of.pages.parse::<i32>() {
        let pages = pages.to_be_bytes();
        write(octets, INTEGER, "printer-impressions-completed", &pages);
    }
    let rows = of.supplies.iter().zip(1_u32..);
    for ((description, level, capacity), index) in rows {
        let lower = description.to_lowercase();
        let color = COLORS.into_iter().find(|color| lower.contains(color));
        let (class, kind) = match () {
            () if lower.contains("waste") => ("receptacleThatIsFilled", "wasteToner"),
            () if lower.contains("kit") => ("supplyThatIsConsumed", "fuser"),
            () => ("supplyThatIsConsumed", "toner"),
        };
        let row = format!(
            "index={index};class={class};type={kind};unit=percent;maxcapacity={capacity};\
             level={level};colorantname={};",
            color.unwrap_or("none"),
        );
        // Further values of one attribute have no name.
        let name = if index == 1 { "printer-supply" } else { "" };
        write(octets, OCTET_STRING, name, row.as_bytes());
    }
    let names = of.supplies.iter().zip(1_u32..);
    for ((description, ..), index) in names {
        let name = if index == 1 {
            "printer-supply-description"
        } else {
            ""
        };
        write(octets, TEXT, name, description.as_bytes());
    }
}

fn write(octets: &mut Vec<u8>, tag: u8, name: &str, value: &[u8]) {
    octets.push(tag);
    for part in [name.as_bytes(), value] {
        // No text of a portrait is that long; one that were is cut.
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        octets.extend(length.to_be_bytes());
        octets.extend(part.iter().take(usize::from(length)));
    }
}
