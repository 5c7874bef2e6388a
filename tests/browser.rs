//! The portal as a person meets it: a hub with a fleet, looked at in a headless Chromium.
//!
//! Once over ninety days of a sample, once over simulated printers that an agent has just read.
//! With `PLATEN_PICTURES=DIR` it saves what it sees there, light, dark and on a phone.
//! `PLATEN_WITHOUT_BROWSER=1` leaves it out where no browser can be installed.

use std::path::PathBuf;

use jiff::Timestamp;

#[cfg(test)]
#[path = "browser/attacks.rs"]
mod attacks;
#[cfg(test)]
#[path = "browser/chrome.rs"]
mod chrome;
#[cfg(test)]
#[path = "browser/door.rs"]
mod door;
#[cfg(test)]
#[path = "browser/missing.rs"]
mod missing;
#[cfg(test)]
#[path = "browser/ordered.rs"]
mod ordered;
#[cfg(test)]
#[path = "browser/running.rs"]
mod running;
#[cfg(test)]
#[path = "browser/sample.rs"]
mod sample;
#[cfg(test)]
#[path = "browser/simulated.rs"]
mod simulated;

use chrome::Browser;
use running::Running;

/// Widths of a desk and of a phone, in CSS pixels.
const DESK: u32 = 1280;
const PHONE: u32 = 390;

/// The narrowest window that WCAG 2.2 (1.4.10) asks to do without sideways scrolling.
const NARROWEST: u32 = 320;

/// Text that would show itself by what it does: to markup, to attributes, to the line's direction.
const HOSTILE: &str = "Wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\
                       \"><script>document.title='owned'</script>\
                       <img src=x onerror=\"document.title='owned'\">\u{202e}\u{1b}[31m";

#[tokio::test]
async fn a_person_finds_the_fleet_and_a_printer() {
    if !chrome::is_wanted() {
        return;
    }
    let hub = Running::start().await;
    let device = sample::fill(&hub.store, Timestamp::now()).await;
    let browser = Browser::start().await;
    let pages = [
        ("fleet", hub.address("/")),
        ("printer", hub.printer(&device)),
    ];
    browser.look(DESK, "light").await;
    hub.enter(&browser).await;
    the_fleet_says_what_it_should(&browser).await;
    who_asks_for_some_sees_only_those(&browser, &hub).await;
    browser.open(&pages[1].1).await;
    the_printer_says_what_it_should(&browser).await;
    for (name, address) in &pages {
        for (look, width, scheme) in [
            ("light", DESK, "light"),
            ("dark", DESK, "dark"),
            ("phone", PHONE, "light"),
        ] {
            browser.look(width, scheme).await;
            browser.open(address).await;
            nothing_scrolls_sideways(&browser, width).await;
            if let Some(folder) = std::env::var_os("PLATEN_PICTURES") {
                let file = PathBuf::from(folder).join(format!("{name}-{look}.png"));
                browser.picture(&file).await;
            }
        }
        browser.look(NARROWEST, "light").await;
        let open = "document.querySelectorAll('details').forEach(e => e.open = true)";
        browser.run(open).await;
        nothing_scrolls_sideways(&browser, NARROWEST).await;
    }
    everything_came_from(&browser, &hub.address("/")).await;
    browser.close().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_hostile_printer_changes_nothing_but_its_name() {
    if !chrome::is_wanted() {
        return;
    }
    let hub = Running::start().await;
    let device = sample::fill_hostile(&hub.store, HOSTILE, Timestamp::now()).await;
    let browser = Browser::start().await;
    browser.look(PHONE, "dark").await;
    hub.enter(&browser).await;
    for address in [hub.address("/"), hub.printer(&device)] {
        browser.open(&address).await;
        let title = browser.words("return document.title").await;
        assert!(title.ends_with("– Platen"), "{title}");
        let foreign = "return document.querySelectorAll('script,[onerror],img:not([alt])').length";
        assert_eq!(browser.number(foreign).await, 0, "{address}");
        nothing_scrolls_sideways(&browser, PHONE).await;
    }
    everything_came_from(&browser, &hub.address("/")).await;
    browser.close().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_printers_page_works_and_reaches_no_other() {
    if !chrome::is_wanted() {
        return;
    }
    let doors = door::Doors::open().await;
    let browser = Browser::start().await;
    door::a_page_works(&doors, &browser).await;
    door::an_evil_page_reaches_nobody(&doors, &browser).await;
    browser.close().await;
}

#[tokio::test]
async fn no_attack_of_a_simulated_printer_reads_the_portal_or_a_sibling() {
    if !chrome::is_wanted() {
        return;
    }
    let doors = door::Doors::open().await;
    let browser = Browser::start().await;
    attacks::scripts(&doors, &browser).await;
    browser.close().await;
}

#[tokio::test]
async fn no_answer_of_a_simulated_printer_gets_past_the_web_door() {
    attacks::answers(&door::Doors::open().await).await;
}

#[tokio::test]
async fn a_person_orders_something_and_sees_it_end() {
    if !chrome::is_wanted() {
        return;
    }
    let hub = Running::start().await;
    sample::fill(&hub.store, Timestamp::now()).await;
    let agent = ordered::agent(&hub.store).await;
    let done = ordered::fill(&hub.store, &agent).await;
    let browser = Browser::start().await;
    browser.look(DESK, "light").await;
    hub.enter(&browser).await;
    let page = hub.address(&format!("/agents/{agent}"));
    browser.open(&page).await;
    ordered::the_agent_says_what_it_should(&browser).await;
    let given = ordered::a_form_is_sent(&browser).await;
    ordered::it_is_shown_until_it_ends(&hub.store, &browser, &given).await;
    let ended = hub.address(&format!("/agents/{agent}/commands/{done}"));
    for (name, address) in [("agent", &page), ("command", &ended)] {
        for (look, width, scheme) in [
            ("light", DESK, "light"),
            ("dark", DESK, "dark"),
            ("phone", PHONE, "light"),
            ("narrow", NARROWEST, "light"),
        ] {
            browser.look(width, scheme).await;
            browser.open(address).await;
            nothing_scrolls_sideways(&browser, width).await;
            if let Some(folder) = std::env::var_os("PLATEN_PICTURES") {
                let file = PathBuf::from(folder).join(format!("{name}-{look}.png"));
                browser.picture(&file).await;
            }
        }
    }
    everything_came_from(&browser, &hub.address("/")).await;
    browser.close().await;
    hub.stop().await;
}

async fn the_fleet_says_what_it_should(browser: &Browser) {
    let text = browser.words("return document.body.innerText").await;
    for words in [
        "24\nprinters",
        "TASKalfa 6052ci",
        "paper jam",
        "silent 2 days",
        "agent annecy-1: its 5 printers may have changed since",
    ] {
        assert!(text.contains(words), "the fleet says {words:?}:\n{text}");
    }
    let rows = "return document.querySelectorAll('#printers tbody tr').length";
    assert_eq!(browser.number(rows).await, 24);
    let unnamed = "return [...document.querySelectorAll('svg[role]')]\
                   .filter(e => !e.getAttribute('aria-label')).length";
    assert_eq!(browser.number(unnamed).await, 0, "every picture has words");
}

async fn who_asks_for_some_sees_only_those(browser: &Browser, hub: &Running) {
    let headings = "return [...document.querySelectorAll('h2')].map(e => e.innerText).join()";
    for (ask, expected) in [
        ("?show=silent", "Printers 6 of 24,Agents"),
        ("?q=no+such+thing", "Printers 0 of 24,Agents"),
    ] {
        browser.open(&hub.address(&format!("/{ask}"))).await;
        assert_eq!(
            browser.words(headings).await,
            expected,
            "no chart of others"
        );
    }
    let text = browser.words("return document.body.innerText").await;
    assert!(
        text.contains("platen read ADDRESS"),
        "what to do next:\n{text}"
    );
    browser.open(&hub.address("/?show=silent")).await;
    let first = "return document.querySelector('#printers tbody a').getAttribute('href')";
    let first = browser.words(first).await;
    browser.open(&hub.address(&first)).await;
    let text = browser.words("return document.body.innerText").await;
    assert!(
        text.contains("does not answer. What stands here was read on"),
        "{text}"
    );
}

async fn the_printer_says_what_it_should(browser: &Browser) {
    let text = browser.words("return document.body.innerText").await;
    for words in [
        "Kyocera TASKalfa 6052ci",
        "8 %",
        "some\nnot measured",
        "without a reading",
    ] {
        assert!(
            text.contains(words),
            "the printer's page says {words:?}:\n{text}"
        );
    }
    let meters = "return document.querySelectorAll('[role=meter][aria-valuenow]').length";
    assert_eq!(
        browser.number(meters).await,
        7,
        "five supplies and two trays have a number"
    );
    let small = "return [...document.querySelectorAll('a,summary,button,input')]\
                 .filter(e => e.offsetHeight && e.offsetHeight < 24).map(e => e.outerHTML)";
    let small = browser.run(small).await;
    assert_eq!(small, serde_json::json!([]), "every target is 24 px high");
}

async fn nothing_scrolls_sideways(browser: &Browser, width: u32) {
    let wide = browser
        .number("return document.documentElement.scrollWidth")
        .await;
    assert!(wide <= u64::from(width), "{wide} px in a window of {width}");
}

async fn everything_came_from(browser: &Browser, origin: &str) {
    let requests = browser.requests().await;
    assert!(
        requests.iter().any(|address| address.ends_with(".css")),
        "the log is of our pages"
    );
    let foreign: Vec<_> = requests
        .iter()
        .filter(|address| !address.starts_with(origin))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}
