//! Takes a firmware of up to 1 GiB and says how large it was and what its digest is.
//!
//! By PUT, or by a form with a file in it (RFC 7578). It is counted and hashed as it comes; nothing
//! of it is kept.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use sha2::{Digest, Sha256};

use crate::web::http::{self, Answer};
use crate::web::{Upload, Visit, html, panel};

/// Largest firmware that is taken, in bytes.
const FIRMWARE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Longest that a form says before its file begins, in bytes.
const FORM_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest boundary of a form (RFC 2046 §5.1.1).
const BOUNDARY_CHARS_MAX: usize = 70;
/// What the navigation has besides the panel.
const MORE: [(&str, &str); 1] = [("/firmware", "Firmware")];

/// Answers for the upload, and for the panel.
pub(crate) async fn answer(request: Request<Incoming>, visit: &Visit) -> Answer {
    if request.uri().path() != "/firmware" {
        return panel::answer_with(&request, visit, &MORE).await;
    }
    let intake = match *request.method() {
        Method::PUT => Intake::plain(),
        Method::POST => match boundary(&request) {
            Some(boundary) => Intake::form(&boundary),
            None => return http::words(StatusCode::BAD_REQUEST, "A form with a file is wanted"),
        },
        _ => return ask(visit).await,
    };
    match take(request.into_body(), intake).await {
        Ok(upload) => {
            let text = format!("{} bytes, SHA-256 {}\n", upload.size_bytes, upload.sha256);
            visit.station().uploaded(upload);
            http::typed("text/plain; charset=utf-8", text)
        }
        Err((status, problem)) => http::words(status, problem),
    }
}

async fn ask(visit: &Visit) -> Answer {
    let of = visit.portrait().await;
    let main = "<form method=\"post\" action=\"/firmware\" enctype=\"multipart/form-data\">\
                <input id=\"file\" type=\"file\" name=\"file\"> <button id=\"send\">Install</button>\
                </form>";
    http::page(html::page("Firmware", &of, &MORE, main))
}

fn boundary(request: &Request<Incoming>) -> Option<String> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let rest = kind.strip_prefix("multipart/form-data")?;
    let (_, boundary) = rest.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    (1..=BOUNDARY_CHARS_MAX)
        .contains(&boundary.len())
        .then(|| boundary.to_owned())
}

async fn take(
    mut body: Incoming,
    mut intake: Intake,
) -> Result<Upload, (StatusCode, &'static str)> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| (StatusCode::BAD_REQUEST, "The upload broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        intake.push(&data);
        if intake.size_bytes > FIRMWARE_BYTES_MAX {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "More than 1 GiB"));
        }
        if intake.held.len() > FORM_HEAD_BYTES_MAX {
            return Err((StatusCode::BAD_REQUEST, "No file in this form"));
        }
    }
    intake
        .end()
        .ok_or((StatusCode::BAD_REQUEST, "No whole file in this form"))
}

/// A file as it comes, piece by piece.
struct Intake {
    at: At,
    digest: Sha256,
    size_bytes: u64,
    /// What may still belong to the form rather than to the file.
    held: Vec<u8>,
    /// What ends the file: nothing but the end of the body, when empty.
    end_mark: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Head,
    File,
    Behind,
}

impl Intake {
    fn plain() -> Self {
        Self {
            at: At::File,
            digest: Sha256::new(),
            size_bytes: 0,
            held: Vec::new(),
            end_mark: Vec::new(),
        }
    }

    fn form(boundary: &str) -> Self {
        Self {
            at: At::Head,
            end_mark: format!("\r\n--{boundary}").into_bytes(),
            ..Self::plain()
        }
    }

    fn push(&mut self, data: &[u8]) {
        match self.at {
            At::Behind => {}
            At::File if self.end_mark.is_empty() => self.file(data),
            At::File | At::Head => {
                self.held.extend_from_slice(data);
                self.sort();
            }
        }
    }

    /// Tells the form from the file in what is held.
    fn sort(&mut self) {
        if self.at == At::Head {
            let Some(at) = find(&self.held, b"\r\n\r\n") else {
                return;
            };
            self.held.drain(..at + 4);
            self.at = At::File;
        }
        let held = std::mem::take(&mut self.held);
        match find(&held, &self.end_mark) {
            Some(at) => {
                self.file(held.get(..at).unwrap_or(&[]));
                self.at = At::Behind;
            }
            None => {
                // The end may have come in part.
                let sure = held.len().saturating_sub(self.end_mark.len() - 1);
                let (file, rest) = held.split_at(sure);
                self.file(file);
                self.held = rest.to_vec();
            }
        }
    }

    fn file(&mut self, data: &[u8]) {
        self.digest.update(data);
        self.size_bytes += data.len() as u64;
    }

    /// The whole file; `None` when the form did not end.
    fn end(self) -> Option<Upload> {
        let is_whole = self.at == At::Behind || self.end_mark.is_empty();
        let digest = self.digest.finalize();
        is_whole.then(|| Upload {
            size_bytes: self.size_bytes,
            sha256: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
        })
    }
}

/// Where a mark begins. Its first octet is looked for first: a firmware has few of them.
fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    let (first, _) = mark.split_first()?;
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.iter().position(|octet| octet == first)?;
        if text.get(at..)?.starts_with(mark) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_form_is_the_same_in_pieces_of_every_size() {
        let file = b"\r\n--not the end\r\n--\r\r\n".repeat(9);
        let mut form = b"--XY\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".to_vec();
        form.extend_from_slice(&file);
        form.extend_from_slice(b"\r\n--XY--\r\n");
        for size in 1..form.len() {
            let mut intake = Intake::form("XY");
            form.chunks(size).for_each(|piece| intake.push(piece));
            let mut plain = Intake::plain();
            plain.push(&file);
            assert_eq!(intake.end(), plain.end(), "{size}");
        }
        let mut cut_off = Intake::form("XY");
        cut_off.push(&form[..form.len() - 12]);
        assert_eq!(cut_off.end(), None);
    }
}
