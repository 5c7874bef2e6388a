//! The portal over a rack of simulated printers: what its pages show is what the printers say.
//!
//! Used by the browser test. Hub and agent are the real programs; the printers stand frozen, so that
//! every number is known before. The witnesses are the recordings: for one printer of each kind of
//! oddity read by a person into the constants below, for all of them read by `platen read`.

use std::path::Path;

use serde_json::{Value, json};
use stories::{PATIENCE, World, until};

use crate::chrome::{self, Browser};
use crate::{DESK, PHONE, nothing_scrolls_sideways};

/// The rack: every printer of `tests/recordings`, from 127.35.0.1 on, and a switch behind them.
const RACK: [&str; 8] = [
    "kyocera-taskalfa-4054ci",
    "hp-laserjet-m507dn",
    "brother-hl-l6400dw",
    "canon-ir-adv-c3826",
    "ricoh-im-c2500",
    "xerox-versalink-c505",
    "epson-wf-c5890",
    "zebra-zt411",
];

/// What a person reads in the recordings: file, prtGeneralPrinterName or hrDeviceDescr without its
/// maker, prtGeneralSerialNumber, prtMarkerLifeCount, and the least of level / capacity among the
/// supplies that are consumed (-3 is some, Ricoh's -100 is empty).
const BY_HAND: [(&str, &str, &str, &str, &str); 4] = [
    (
        "kyocera-taskalfa-4054ci",
        "TASKalfa 4054ci",
        "R4H0A00118",
        "214 380",
        "7 %",
    ),
    (
        "canon-ir-adv-c3826",
        "iR-ADV C3826",
        "3FK04417",
        "120 455",
        "20 %",
    ),
    (
        "ricoh-im-c2500",
        "IM C2500",
        "3120X900417",
        "301 442 | sheets",
        "empty",
    ),
    (
        "xerox-versalink-c505",
        "VersaLink C505",
        "5XC409217",
        "64 620",
        "23 %",
    ),
];

/// The supplies of the Kyocera: colorant, description, level of capacity (43.11.1.1, 43.12.1.1).
const SUPPLIES_BY_HAND: [&str; 5] = [
    "Black | TK-8377K | 64 % | 19 200 of 30 000 impressions",
    "Cyan | TK-8377C | 7 % | 1 400 of 20 000 impressions",
    "Magenta | TK-8377M | 44 % | 8 800 of 20 000 impressions",
    "Yellow | TK-8377Y | 55 % | 11 000 of 20 000 impressions",
    "Waste toner | Waste Toner Box | some | not measured",
];

/// Its trays: name, media, level of capacity (43.8.2.1); -2 is unknown.
const TRAYS_BY_HAND: [&str; 4] = [
    "MP Tray | unknown | the printer does not say",
    "Cassette 1 | A4 | 30 % | 150 of 500 sheets",
    "Cassette 2 | A3 | 90 % | 450 of 500 sheets",
    "Cassette 3 | A4 | 70 % | 1 050 of 1 500 sheets",
];

/// Its alerts: codes 1104 and 807 by their names in the MIB, their words, and who can help.
const ALERTS_BY_HAND: [&str; 2] = [
    "warning | Marker toner almost empty | Toner low [C] | anyone can help",
    "warning | Input media supply low | anyone can help",
];

/// Some of its meters, in the order of the page: life and power-on count of the marker, then the
/// vendor's own counters by function and color.
const METERS_BY_HAND: [&str; 4] = [
    "214 380 | Total, impressions",
    "Since power on | 1 204 impressions",
    "Print | 129 810 impressions",
    "Print, color | 58 610 impressions",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_show_what_the_simulated_printers_say() {
    if !chrome::is_wanted() {
        return;
    }
    let rack = stories::rack(&fleet());
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.35.0.0/24"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("every printer is stored", PATIENCE, || async {
        (world.printers().len() == RACK.len()).then_some(())
    })
    .await;

    let browser = Browser::start().await;
    browser.look(DESK, "light").await;
    let link = world.hub_says(&["setup-link"]).stdout;
    let link = String::from_utf8(link).expect("a link");
    browser.open(link.trim()).await;
    let origin = format!("http://127.0.0.1:{}", world.portal_port());
    let pages = the_fleet_shows_every_printer(&world, &browser).await;
    does_not_scroll_on_a_phone(&browser, &format!("{origin}/")).await;
    for (recording, page) in RACK.iter().zip(pages) {
        let page = format!("{origin}{page}");
        browser.open(&page).await;
        the_printer_shows_its_reading(&world, &browser, recording).await;
        if *recording == BY_HAND[0].0 {
            the_printer_shows_what_a_person_read(&browser).await;
        }
        does_not_scroll_on_a_phone(&browser, &page).await;
    }
    browser.close().await;
}

/// The rack as a fleet file.
fn fleet() -> String {
    let printers = RACK.iter().chain(["switch-sw-2416"].iter()).zip(1..);
    let groups = printers.map(|(recording, at)| {
        format!("[[printers]]\nrecording = \"{recording}\"\naddresses = \"127.35.0.{at}\"\n")
    });
    "seed = 33\nfrozen = true\n".to_owned() + &groups.collect::<String>()
}

/// Checks the table of the fleet; returns the link of each printer, in the order of the rack.
async fn the_fleet_shows_every_printer(world: &World, browser: &Browser) -> Vec<String> {
    let table = browser
        .run(
            "return [...document.querySelectorAll('#printers tbody tr')].map(row => ({
               link: row.querySelector('a').getAttribute('href'),
               cells: [...row.cells].map(cell => cell.innerText)}))",
        )
        .await;
    let rows = table.as_array().expect("rows");
    assert_eq!(
        rows.len(),
        RACK.len(),
        "no row twice, and none for the switch"
    );
    let links = RACK.iter().zip(1..).map(|(recording, at)| {
        let address = json!(format!("127.35.0.{at}"));
        let row = rows.iter().find(|row| row["cells"][5] == address);
        let row = row.unwrap_or_else(|| panic!("{address} has no row: {table}"));
        let cell = |at: usize| plain(row["cells"][at].as_str().expect("text"));
        let reading = reading_of(world, recording);
        let identity = &reading["identity"];
        for name in ["vendor", "model"] {
            let name = identity[name].as_str().expect("a name");
            assert!(cell(0).contains(name), "{recording}: {row}");
        }
        assert_eq!(cell(4), identity["serial"].as_str().unwrap_or_default());
        assert_eq!(digits(&cell(3)), total(&reading), "{recording}: {row}");
        assert_eq!(cell(2), lowest(&reading), "{recording}: {row}");
        if let Some(known) = BY_HAND.iter().find(|known| known.0 == *recording) {
            assert!(cell(0).contains(known.1), "{recording}: {row}");
            assert_eq!((cell(4), cell(3)), (known.2.to_owned(), known.3.to_owned()));
            assert_eq!(cell(2), known.4, "{recording}: {row}");
        }
        row["link"].as_str().expect("a link").to_owned()
    });
    links.collect()
}

/// Checks a printer's page against what `platen read` makes of its recording.
async fn the_printer_shows_its_reading(world: &World, browser: &Browser, recording: &str) {
    let reading = reading_of(world, recording);
    for (section, kind) in [("Supplies", "supplies"), ("Trays", "trays")] {
        let known = reading[kind].as_array().expect("a list");
        let shown = lines(browser, section, "li").await;
        assert_eq!(shown.len(), known.len(), "{recording}: {shown:?}");
        for (shown, known) in shown.iter().zip(known) {
            let words = level(known);
            let parts: Vec<_> = shown.split(" | ").collect();
            assert!(
                parts.contains(&words.as_str()),
                "{recording}: {shown}, not {words}"
            );
            let own = known["name"].as_str().or(known["description"].as_str());
            assert!(shown.contains(own.expect("a name")), "{recording}: {shown}");
        }
        let bars = numbers_of_bars(browser, section).await;
        let percents = known.iter().map(|known| known["level"]["percent"].as_f64());
        for (bar, percent) in bars.iter().zip(percents) {
            let known = percent.map(|percent| format!("{percent:.1}"));
            assert_eq!(*bar, known, "{recording}: {bars:?}");
        }
        assert_eq!(bars.len(), known.len(), "{recording}: {bars:?}");
    }
    let shown = lines(browser, "Meters", "summary").await;
    let shown: Vec<_> = shown.iter().map(|line| digits(line)).collect();
    let known = reading["meters"].as_array().expect("a list").iter();
    let known: Vec<_> = known.map(|meter| meter["value"].as_u64()).collect();
    assert_eq!(shown, known, "{recording}: every meter, the total first");
    let shown = lines(browser, "Alerts", "li").await;
    let known = reading["alerts"].as_array().expect("a list");
    assert_eq!(shown.len(), known.len(), "{recording}: {shown:?}");
    for (shown, known) in shown.iter().zip(known) {
        for word in ["severity", "description"] {
            let word = known[word].as_str().expect("text");
            assert!(shown.contains(word), "{recording}: {shown}, not {word}");
        }
    }
}

/// Checks the page of the Kyocera against what a person read in its recording.
async fn the_printer_shows_what_a_person_read(browser: &Browser) {
    assert_eq!(lines(browser, "Supplies", "li").await, SUPPLIES_BY_HAND);
    assert_eq!(lines(browser, "Trays", "li").await, TRAYS_BY_HAND);
    assert_eq!(lines(browser, "Alerts", "li").await, ALERTS_BY_HAND);
    let meters = lines(browser, "Meters", "summary").await;
    for known in METERS_BY_HAND {
        assert!(
            meters.iter().any(|line| line == known),
            "{known}: {meters:?}"
        );
    }
}

async fn does_not_scroll_on_a_phone(browser: &Browser, page: &str) {
    browser.look(PHONE, "light").await;
    browser.open(page).await;
    nothing_scrolls_sideways(browser, PHONE).await;
    browser.look(DESK, "light").await;
}

/// A recording as `platen read --json` reads it, without any network.
fn reading_of(world: &World, recording: &str) -> Value {
    let file = stories::recordings().join(format!("{recording}.snmprec"));
    let file = Path::new(&file).to_str().expect("a path of text");
    let said = world.platen(&["read", "--from-recording", file, "--json"]);
    serde_json::from_slice(&said.stdout).expect("a reading")
}

/// The lines of each element `what` in the card headed `section`, joined by bars.
async fn lines(browser: &Browser, section: &str, what: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll('section')]
           .filter(card => card.querySelector('h2').innerText.startsWith('{section}'))
           .flatMap(card => [...card.querySelectorAll('{what}')])
           .map(one => one.innerText)"
    );
    let texts = browser.run(&script).await;
    let texts = texts.as_array().expect("a list").iter();
    texts
        .map(|text| plain(text.as_str().expect("text")))
        .collect()
}

/// What each bar of a card says to whoever does not see it; `None` where it says no number.
async fn numbers_of_bars(browser: &Browser, section: &str) -> Vec<Option<String>> {
    let script = format!(
        "return [...document.querySelectorAll('section')]
           .filter(card => card.querySelector('h2').innerText === '{section}')
           .flatMap(card => [...card.querySelectorAll('svg.bar')])
           .map(bar => bar.getAttribute('aria-valuenow'))"
    );
    let numbers = browser.run(&script).await;
    let numbers = numbers.as_array().expect("a list").iter();
    numbers
        .map(|number| number.as_str().map(str::to_owned))
        .collect()
}

/// Text as a person types it: plain spaces between digits, a bar for each line's end.
fn plain(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let text: Vec<_> = lines.collect();
    text.join(" | ").replace('\u{202f}', " ")
}

/// The number that a line's digits make, but for those of a word: A3 is no number.
fn digits(line: &str) -> Option<u64> {
    let before = std::iter::once(' ').chain(line.chars());
    let all = before.zip(line.chars());
    let own = all.filter(|(before, it)| it.is_ascii_digit() && !before.is_alphabetic());
    own.map(|(_, digit)| digit).collect::<String>().parse().ok()
}

/// The meter that bills.
fn total(reading: &Value) -> Option<u64> {
    let meters = reading["meters"].as_array()?;
    let total = meters.iter().find(|meter| meter["name"] == "total")?;
    total["value"].as_u64()
}

/// A level in a word: the rounded percentage, or the state's name.
fn level(of: &Value) -> String {
    let level = &of["level"];
    level["percent"].as_f64().map_or_else(
        || level["state"].as_str().expect("a state").to_owned(),
        |percent| format!("{percent:.0} %"),
    )
}

/// The level of the supply that is used up first, of those that say how much is left.
fn lowest(reading: &Value) -> String {
    let supplies = reading["supplies"].as_array().expect("a list").iter();
    let consumed = supplies.filter(|supply| supply["class"] == "consumed");
    let left = consumed.filter_map(|supply| {
        let left = match supply["level"]["state"].as_str()? {
            "percent" => supply["level"]["percent"].as_f64()?,
            "empty" => 0.0,
            _ => return None,
        };
        Some((left, level(supply)))
    });
    left.min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, words)| words)
        .unwrap_or_default()
}
