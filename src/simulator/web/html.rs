//! How the pages look: one frame for all of them, and text that stays text.

use crate::web::portrait::Portrait;

/// The look of a printer of the 2010s.
pub(crate) const STYLE: &str = "\
body{font-family:sans-serif;margin:0;color:#222}\
header{background:#345;color:#fff;padding:.6em 1em}\
nav{background:#eef;padding:.4em 1em}nav a{margin-right:1em}\
main{padding:1em}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3em .6em;\
text-align:left}";

/// A printer, drawn: what a page embeds besides its style.
pub(crate) const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 24\">\
<path fill=\"#fff\" d=\"M8 0h16v6H8zM2 7h28v11h-6v6H8v-6H2z\"/></svg>";

/// The pages that every sound printer has.
const PLACES: [(&str, &str); 4] = [
    ("/", "Status"),
    ("/supplies", "Supplies"),
    ("/counters", "Counters"),
    ("/about", "About"),
];

/// Text for HTML: what a recording or a form says is shown, never run.
pub(crate) fn encoded(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() && c != '\n' => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html
}

/// A page of this printer. `more` are its further places; `main` is HTML already.
pub(crate) fn page(title: &str, of: &Portrait, more: &[(&str, &str)], main: &str) -> String {
    let links: String = PLACES
        .iter()
        .chain(more)
        .map(|(path, name)| format!("<a href=\"{path}\">{name}</a>"))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title} - {model}</title>\
         <link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>\
         <header><img src=\"/logo.svg\" alt=\"\" width=\"32\" height=\"24\"> \
         <b id=\"model\">{model}</b> <span id=\"serial\">{serial}</span></header>\
         <nav>{links}</nav>\n<main><h1>{title}</h1>\n{main}\n</main></body></html>\n",
        title = encoded(title),
        model = encoded(&of.model),
        serial = encoded(&of.serial),
    )
}

/// A table of two columns.
pub(crate) fn table(rows: &[(&str, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| {
            format!(
                "<tr><th>{}</th><td>{}</td></tr>",
                encoded(name),
                encoded(value)
            )
        })
        .collect();
    format!("<table>{rows}</table>")
}
