//! A person opens the page of a simulated printer in Chromium, logs in there, changes a setting,
//! and the printer has it.

use std::path::PathBuf;
use std::time::Duration;

use stories::{PATIENCE, World, stock_sshd, until};

use crate::chrome::{self, Browser};
use crate::person::{self, PAGE, Person, device, ip};

/// One printer whose page has a login.
fn fleet(net: u8) -> String {
    format!(
        "seed = 72\nfrozen = true\n[[printers]]\nrecording = \"kyocera-taskalfa-4054ci\"\n\
         addresses = \"127.72.{net}.1\"\nweb = {{ page = \"login\", port = 8000 }}\n"
    )
}

/// Longest until a page shows what a click asked for.
const SHOWN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_person_opens_a_printers_page_and_a_setting_arrives_there() {
    if !chrome::is_wanted() {
        return;
    }
    let rack = stories::rack(&fleet(0));
    let world = person::house(&rack, "127.72.0.1-4", 1).await;
    a_setting_arrives(&world, &rack, "127.72.0.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_through_a_stock_sshd() {
    if !chrome::is_wanted() || !stock_sshd::can_start() {
        return;
    }
    let rack = stories::rack(&fleet(2));
    let mut world = World::new();
    let key = world.path("sshd_host_key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.is_ok_and(|made| made.success()), "a host key");
    let (port, first) = (stories::free_port(), stories::free_port());
    let gateway = format!(
        "[gateway]\nsshd = \"127.0.0.1:{port}\"\nsshd_user = \"root\"\n\
         sshd_host_key_file = \"{}.pub\"\nsshd_ports = \"{first}-{}\"\n",
        key.display(),
        first + 2
    );
    world.hub_runs_with(&gateway).await;
    let home = std::env::var_os("HOME").unwrap_or_else(|| "/root".into());
    let safe = tempfile::tempdir_in(home).expect("a folder of our own");
    let folder = world.path("");
    let _sshd = stock_sshd::start(&folder, (port, &key), safe.path()).await;
    let site = format!("[web_access]\nallow = \"always\"\n[tunnel]\nport = {port}\n");
    person::settles(&mut world, &rack, "127.72.2.1-4", (1, &site)).await;
    a_setting_arrives(&world, &rack, "127.72.2.1").await;
}

/// The story itself.
async fn a_setting_arrives(world: &World, rack: &simulator::Running, at: &str) {
    let browser = Browser::start().await;
    browser.look(1280, "light").await;
    the_session_is_opened(world, &browser, at).await;
    let session = browser.words("return location.pathname").await;
    picture(&browser, "session").await;
    let visit = "return document.querySelector('a[href$=\"/visit\"]').href";
    let visit = browser.words(visit).await;
    browser.open(&visit).await;

    shows(&browser, "R4H0A00118").await;
    let origin = browser.words("return location.origin").await;
    assert!(origin.contains(".dwa.localhost"), "{origin}");
    let links = browser.number("return document.links.length").await;
    assert!(links >= 6, "{links} links to follow");
    click(&browser, "a[href='/counters']").await;
    shows(&browser, "214380").await;
    click(&browser, "a[href='/login']").await;
    shows(&browser, "Password").await;
    types(&browser, "user", "admin").await;
    types(&browser, "password", "printer").await;
    click(&browser, "#enter").await;
    shows(&browser, "Settings").await;
    types(&browser, "location", "Accueil 2e").await;
    picture(&browser, "printer-page").await;
    click(&browser, "#save").await;
    until("the printer has the setting", SHOWN, || async {
        let arrived = rack.arrived(ip(at)).await.expect("a printer");
        (arrived.settings.get("location").map(String::as_str) == Some("Accueil 2e")).then_some(())
    })
    .await;
    let cookies = browser.words("return document.cookie").await;
    assert_eq!(cookies, "", "no script sees a cookie of ours");
    no_printer_saw_ours(rack, at).await;
    the_session_shows_it_and_ends(world, &browser, (&session, &origin)).await;
    browser.close().await;
}

/// The session's page tells what was done; its button ends all of it.
async fn the_session_shows_it_and_ends(
    world: &World,
    browser: &Browser,
    (session, origin): (&str, &str),
) {
    let portal = format!("http://127.0.0.1:{}{session}", world.portal_port());
    browser.open(&portal).await;
    shows(browser, "POST /settings").await;
    picture(browser, "session-used").await;
    click(browser, "form[action$='/end'] button").await;
    shows(browser, "It is over").await;
    browser.open(&format!("{origin}/")).await;
    let gone = browser.words("return document.body.innerText").await;
    assert!(!gone.contains("R4H0A00118"), "{gone}");
    let id = session.rsplit('/').next().expect("an id");
    let told = person::ended(world, id, PATIENCE).await;
    assert_eq!(told["cause"], "person", "{told}");
    let verified = world.hub_says(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

/// From the setup link to the session's own page, by the form of the printer's page.
async fn the_session_is_opened(world: &World, browser: &Browser, at: &str) {
    let link = world.hub_says(&["setup-link", "--for", "a.martin", "--may", "read,web"]);
    let link = String::from_utf8(link.stdout).expect("a link");
    browser.open(link.trim()).await;
    let device = device(world, at);
    let page = format!("http://127.0.0.1:{}/printers/{device}", world.portal_port());
    browser.open(&page).await;
    types(browser, "port", &PAGE.to_string()).await;
    types(browser, "reason", "jam, ticket 4711").await;
    click(browser, "#web button").await;
    until("there is a way into the printer's page", SHOWN, || async {
        let is_there = "return !!document.querySelector('a[href$=\"/visit\"]')";
        (browser.run(is_there).await == true).then_some(())
    })
    .await;
}

/// Nothing of the hub's or of a browser's trail reached the printer.
async fn no_printer_saw_ours(rack: &simulator::Running, at: &str) {
    let arrived = rack.arrived(ip(at)).await.expect("a printer");
    assert!(arrived.requests.len() > 5, "{arrived:?}");
    for request in &arrived.requests {
        let text = format!("{request:?}").to_ascii_lowercase();
        for ours in ["platen", "dwa.localhost", "x-forwarded", "sec-fetch"] {
            assert!(!text.contains(ours), "{ours}: {text}");
        }
    }
}

async fn shows(browser: &Browser, words: &str) {
    until(&format!("the page shows {words:?}"), SHOWN, || async {
        let text = browser.run("return document.body.innerText").await;
        text.as_str()
            .is_some_and(|text| text.contains(words))
            .then_some(())
    })
    .await;
}

async fn click(browser: &Browser, what: &str) {
    let script = format!("document.querySelector({what:?}).click()");
    browser.run(&script).await;
}

async fn types(browser: &Browser, field: &str, text: &str) {
    let script = format!("document.querySelector('[name={field}]').value = {text:?}");
    browser.run(&script).await;
}

async fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("PLATEN_PICTURES") {
        let file = PathBuf::from(folder).join(format!("{name}.png"));
        browser.picture(&file).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_and_the_portal_share_no_cookie() {
    let rack = stories::rack(&fleet(1));
    let world = person::house(&rack, "127.72.1.1-4", 1).await;
    let (one, other) = (
        Person::enters(&world, "a.martin"),
        Person::enters(&world, "p.rossi"),
    );
    let device = device(&world, "127.72.1.1");
    let mine = one.opens(&device, PAGE).expect("a session");
    let theirs = other.opens(&device, PAGE).expect("a session");
    assert!(one.goes_in(&mine).body.contains("R4H0A00118"));
    assert!(other.goes_in(&theirs).body.contains("R4H0A00118"));
    // Nobody goes in by another's, nor without the key.
    assert_eq!(one.goes_in(&theirs).status, 404);
    assert_eq!(one.looks(&theirs, "/", &[]).status, 403);
    assert_eq!(other.looks(&mine, "/", &[]).status, 403);
    assert_eq!(one.looks(&mine, "/", &[]).status, 200);
}
