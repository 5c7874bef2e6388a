//! A printer is missing: a person asks in the portal why, and reads what the doctor says at the site.
//!
//! Used by the browser test; hub and agent are the real programs.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use stories::{PATIENCE, World, until};

use crate::chrome::Browser;
use crate::{DESK, NARROWEST, nothing_scrolls_sideways};

/// Where the one printer is, where none is, and what no range holds.
const PRINTER: &str = "127.38.0.1";
const NOBODY: &str = "127.38.0.3";
const OUTSIDE: &str = "127.39.0.1";

const FLEET: &str = "seed = 38\nfrozen = true\n[[printers]]\n\
                     recording = \"kyocera-taskalfa-4054ci\"\naddresses = \"127.38.0.1\"\n";

/// Longest until the doctor has looked: a silent address is waited for.
const LOOKED: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_person_asks_why_a_printer_is_missing() {
    if !crate::chrome::is_wanted() {
        return;
    }
    let rack = stories::rack(FLEET);
    let mut world = World::new();
    world.hub_runs().await;
    world.agent_is_configured(&["127.38.0.1-4"], rack.port, "");
    world.agent_is_enrolled();
    world.agent_is_started();
    until("the printer is stored", PATIENCE, || async {
        (world.printers().len() == 1).then_some(())
    })
    .await;
    let browser = Browser::start().await;
    browser.look(DESK, "light").await;
    let link = world.hub_says(&["setup-link"]).stdout;
    browser
        .open(String::from_utf8(link).expect("a link").trim())
        .await;
    let origin = format!("http://127.0.0.1:{}", world.portal_port());

    let agents = world.hub_says(&["agent", "ls", "--json"]).stdout;
    let agents: Value = serde_json::from_slice(&agents).expect("JSON");
    let agent = agents["agents"][0]["id"].as_str().expect("an id");
    for address in [NOBODY, OUTSIDE] {
        browser.open(&format!("{origin}/agents/{agent}")).await;
        ask(&browser, "#doctor input[name=target]", address).await;
        says_what_the_doctor_says(&world, &browser, &[address]).await;
    }

    let device = world.printers()[0]["device"]
        .as_str()
        .expect("an id")
        .to_owned();
    browser.open(&format!("{origin}/printers/{device}")).await;
    ask(&browser, "#doctor input[name=value]", "fax_mono").await;
    says_what_the_doctor_says(&world, &browser, &[PRINTER, "--value", "fax_mono"]).await;
    let text = browser.words("return document.body.innerText").await;
    for words in [
        "printer-mib/life-count",
        "Where they come from",
        "TASKalfa 4054ci",
    ] {
        let text = text.to_lowercase();
        assert!(text.contains(&words.to_lowercase()), "{words}: {text}");
    }
    if let Some(folder) = std::env::var_os("PLATEN_PICTURES") {
        let file = PathBuf::from(folder).join("missing-light.png");
        browser.picture(&file).await;
    }
    browser.look(NARROWEST, "dark").await;
    nothing_scrolls_sideways(&browser, NARROWEST).await;
    browser.close().await;
}

/// Fills the form in and clicks its button.
async fn ask(browser: &Browser, field: &str, text: &str) {
    let button = browser
        .words("return document.querySelector('#doctor button').innerText")
        .await;
    assert_eq!(button, "Why is this missing?");
    let fill = format!(
        "document.querySelector('{field}').value = '{text}';\
         document.querySelector('#doctor input[name=reason]').value = 'a story';\
         document.querySelector('#doctor button').click()"
    );
    browser.run(&fill).await;
}

/// The page comes to say what `platen doctor` says at the site.
async fn says_what_the_doctor_says(world: &World, browser: &Browser, words: &[&str]) {
    let there = world.agent_says("doctor", &[words, &["--json"]].concat());
    let there: Value = serde_json::from_slice(&there.stdout).expect("JSON");
    until("the report is on the page", LOOKED, || async {
        let is_there = "return document.querySelectorAll('#report').length";
        (browser.number(is_there).await == 1).then_some(())
    })
    .await;
    let text = browser
        .words("return document.querySelector('#report').innerText")
        .await;
    for key in ["what", "why", "next"] {
        let words = there["diagnosis"][key].as_str().expect("text");
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}
