//! Five hundred texts that a device can be named by somebody who means harm. Included by the tests
//! of whatever shows a device's words.

/// How many there are.
pub const HOSTILE_STRINGS: usize = 500;

/// What acts, wherever a text is shown: in a terminal, a page, a spreadsheet, a log.
const ACTING: [&str; 25] = [
    // Terminals: clear, color, title, clipboard, device control, C1, backspace, bell.
    "\u{1b}[2J",
    "\u{1b}[31;1m",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]52;c;cm0gLXJmIC8=\u{7}",
    "\u{1b}P+q\u{1b}\\",
    "\u{9b}31m",
    "\u{8}\u{8}\u{8}\u{7f}",
    // Direction and invisible letters.
    "\u{202e}gpj.exe",
    "\u{2066}\u{2067}\u{2069}",
    "\u{200b}\u{200f}\u{feff}\u{61c}",
    "\u{e0041}\u{e007f}\u{2060}",
    // Markup.
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='alert(1)",
    "</title></svg><svg onload=alert(1)>",
    "{{ 7 * 7 }}${7*7}<%= 7 %>",
    "&lt;b&gt;&#x3c;i&#x3e;",
    "]]><!--",
    // Spreadsheets and lists.
    "=HYPERLINK(\"http://evil\",\"x\")",
    "+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "a\",\"b\"\r\n10.0.0.9,HP,\"",
    // Logs, shells and stores.
    "\n2026-11-25T08:00:00Z ERROR agent: all is lost",
    "$(reboot);`reboot`|reboot",
    "'; DROP TABLE readings; --",
];

/// What stands before it.
const BEFORE: [&str; 5] = ["", "Toner ", "\t", "\0", "=-"];

/// What stands behind it.
const BEHIND: [&str; 4] = ["", " Toner", "\r\n", "%s%n%x"];

/// The texts. Each has a letter, so that none is nothing after what acts is taken away.
#[must_use]
pub fn hostile_strings() -> Vec<String> {
    let mut texts = Vec::with_capacity(HOSTILE_STRINGS);
    for before in BEFORE {
        for acting in ACTING {
            for behind in BEHIND {
                texts.push(format!("{before}{acting}x{behind}"));
            }
        }
    }
    assert_eq!(texts.len(), HOSTILE_STRINGS);
    texts
}
