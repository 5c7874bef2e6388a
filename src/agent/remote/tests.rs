//! What a hub may configure at a site, and what it may not.

use std::os::unix::fs::PermissionsExt;

use actors::reach::credential::Credential;

use super::*;
use crate::sealing::tests::pair;

const SITE: &str = "lock = []\n[[ranges]]\nlabel = \"office\"\n\
    addresses = [\"10.0.0.0/24\", \"printer.example.org\"]\nexclude = [\"10.0.0.9\"]\n\
    credentials = [\"site\"]\n[credentials.site]\ncommunity = \"old\"\n";

fn site(text: &str) -> AgentConfig {
    AgentConfig::parse("agent.toml", text, []).expect("valid")
}

fn ranges(addresses: &[&str]) -> Wanted {
    let own = |text: &&str| (*text).to_owned();
    Wanted {
        id: "c1".to_owned(),
        ranges: vec![WantedRange {
            label: "hub's".to_owned(),
            addresses: addresses.iter().map(own).collect(),
            ..WantedRange::default()
        }],
        ..Wanted::default()
    }
}

fn refusal(site: &AgentConfig, wanted: &Wanted) -> String {
    let effect = apply(site, wanted, None);
    let own = |config: &AgentConfig| format!("{:?}{:?}", config.ranges, config.settings);
    assert_eq!(own(&effect.config), own(site), "a refused word counted");
    effect.refusals.join("; ")
}

#[test]
fn a_schedule_counts_within_its_bounds() {
    let wanted = Wanted {
        id: "c1".to_owned(),
        read_every: Some(Duration::from_secs(60)),
        status_every: Some(Duration::from_secs(0)),
        discover_every: Some(Duration::from_secs(700_000)),
        ..Wanted::default()
    };
    let effect = apply(&site(SITE), &wanted, None);
    assert_eq!(effect.config.settings.read_every, Duration::from_secs(60));
    assert_eq!(
        effect.config.settings.first_read_within,
        Duration::from_secs(6)
    );
    assert_eq!(
        effect.refusals,
        [
            "schedule.status_secs cannot be 0: it is a number from 1 to 604800",
            "schedule.discover_secs cannot be 700000: it is a number from 1 to 604800",
        ]
    );
    assert_eq!(effect.by_hub["schedule.read_secs"], "hub command c1");
}

#[test]
fn what_the_site_locks_no_hub_changes() {
    let (key, seal) = pair("a1");
    let wanted = Wanted {
        id: "c1".to_owned(),
        read_every: Some(Duration::from_secs(60)),
        status_every: Some(Duration::from_secs(60)),
        credentials: vec![seal("site", b"new")],
        ..ranges(&["10.0.0.0/25"])
    };
    for (lock, refused) in [
        (r#"["ranges"]"#, vec!["ranges"]),
        (r#"["credentials"]"#, vec!["credentials"]),
        (r#"["schedule.read_secs"]"#, vec!["schedule.read_secs"]),
        (
            r#"["schedule"]"#,
            vec!["schedule.read_secs", "schedule.status_secs"],
        ),
        ("[]", vec![]),
    ] {
        let text = SITE.replace("lock = []", &format!("lock = {lock}"));
        let effect = apply(&site(&text), &wanted, Some(&key));
        let said: Vec<String> = refused
            .iter()
            .map(|key| format!("the site locks {key}: its agent.toml has it in `lock`"))
            .collect();
        assert_eq!(effect.refusals, said, "{lock}");
        assert_eq!(effect.by_hub.len(), 4 - refused.len());
    }
    // Ranges are locked unless the site says otherwise.
    let unsaid = site(&SITE.replace("lock = []\n", ""));
    assert!(refusal(&unsaid, &ranges(&["10.0.0.1"])).starts_with("the site locks ranges"));
}

#[test]
fn a_hub_may_narrow_the_sites_ranges_and_not_widen_them() {
    let site = site(SITE);
    for narrower in [
        vec!["10.0.0.0/24"],
        vec!["10.0.0.17"],
        vec!["10.0.0.1-20", "10.0.0.200-254"],
    ] {
        let effect = apply(&site, &ranges(&narrower), None);
        assert_eq!(effect.refusals, [] as [String; 0], "{narrower:?}");
        let range = &effect.config.ranges[0];
        assert_eq!(range.label, "hub's");
        // What the site excludes stays excluded.
        assert_eq!(range.exclude[0].to_string(), "10.0.0.9");
    }
    for wider in [
        "10.0.0.0/23",
        "10.0.0.0-255",
        "10.0.1.1",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "10.0.0.0/8",
    ] {
        let said = refusal(&site, &ranges(&["10.0.0.1", wider]));
        assert!(
            said.contains("is beyond the site's ceiling"),
            "{wider}: {said}"
        );
    }
    for (wrong, says) in [
        ("printer.example.org", "is a host name"),
        ("localhost", "is a host name"),
        ("0.0.0.0/0", "more than"),
        ("10.0.0.0/33", "prefix length"),
        ("10.0.0.1\n", ""),
        ("224.0.0.1", "there is no address in it"),
    ] {
        let effect = apply(&site, &ranges(&[wrong]), None);
        let said = effect.refusals.join("; ");
        assert!(said.contains(says), "{wrong}: {said}");
    }
}

#[test]
fn a_ceiling_lets_the_hub_reach_that_far_and_no_further() {
    let text = format!("{SITE}[site]\nceiling = [\"10.0.0.0/16\", \"127.5.0.0/16\"]\n");
    let under = site(&text);
    for (addresses, is_within) in [
        ("10.0.7.0/24", true),
        ("127.5.0.1", true),
        ("10.1.0.1", false),
        ("127.0.0.1", false),
        ("169.254.169.254", false),
    ] {
        let effect = apply(&under, &ranges(&[addresses]), None);
        assert_eq!(effect.refusals.is_empty(), is_within, "{addresses}");
    }
    // A ceiling that is wider than it was meant opens this machine to nobody.
    let wide = site(&format!(
        "{SITE}[site]\nceiling = [\"126.255.0.0-127.9.9.9\"]\n"
    ));
    assert!(refusal(&wide, &ranges(&["127.0.0.1"])).contains("ceiling"));
    let closed = site(&format!("{SITE}[site]\nceiling = []\n"));
    assert!(refusal(&closed, &ranges(&["10.0.0.1"])).contains("ceiling"));
}

#[test]
fn a_sealed_credential_counts_where_its_name_stands() {
    let (key, seal) = pair("a1");
    let wanted = Wanted {
        id: "c1".to_owned(),
        credentials: vec![seal("site", b"new"), seal("more", b"hush")],
        ..Wanted::default()
    };
    let effect = apply(&site(SITE), &wanted, Some(&key));
    assert_eq!(effect.refusals, [] as [String; 0]);
    let used = &effect.config.ranges[0].credentials[0];
    assert_eq!(
        (
            used.0.as_str(),
            used.1.community().expect("a community").expose()
        ),
        ("site", &b"new"[..])
    );
    assert_eq!(
        effect.config.credentials["more"]
            .community()
            .expect("a community")
            .expose(),
        b"hush"
    );
    assert!(!format!("{effect:?}").contains("hush"));

    let mut others = wanted.clone();
    others.credentials[1].name = "stolen".to_owned();
    let said = apply(&site(SITE), &others, Some(&key));
    assert!(said.refusals[0].starts_with("credential 'stolen': it is not sealed to this agent"));
    assert_eq!(
        said.config.ranges[0].credentials[0]
            .1
            .community()
            .expect("a community")
            .expose(),
        b"old"
    );
    assert!(refusal(&site(SITE), &wanted).contains("has no key to open it with"));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let site = site(SITE);
    let with = |change: &dyn Fn(&mut WantedRange)| {
        let mut wanted = ranges(&["10.0.0.1"]);
        change(&mut wanted.ranges[0]);
        refusal(&site, &wanted)
    };
    assert!(with(&|range| range.label = String::new()).contains("cannot be called"));
    assert!(with(&|range| range.label = "a\u{1b}[2J".to_owned()).contains("cannot be called"));
    assert!(with(&|range| range.label = "x".repeat(65)).contains("cannot be called"));
    assert!(
        with(&|range| range.credentials = vec!["nobody's".to_owned()]).contains("no credential")
    );
    assert!(
        with(&|range| range.addresses = vec!["10.0.0.1".to_owned(); 257]).contains("more than")
    );
    let mut twice = ranges(&["10.0.0.1"]);
    twice.ranges.push(twice.ranges[0].clone());
    assert!(refusal(&site, &twice).contains("used twice"));
    let mut many = ranges(&["10.0.0.1"]);
    many.ranges = vec![many.ranges[0].clone(); 65];
    assert!(refusal(&site, &many).contains("more than 64"));
}

#[test]
fn the_hubs_word_comes_back_from_disk_and_stays_sealed_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, seal) = pair("a1");
    let wanted = Wanted {
        id: "c1".to_owned(),
        read_every: Some(Duration::from_secs(60)),
        credentials: vec![seal("site", b"hush-hush")],
        ..ranges(&["10.0.0.1"])
    };
    assert_eq!(load(folder.path()).expect("readable"), None);
    save(folder.path(), &wanted).expect("kept");
    assert_eq!(load(folder.path()).expect("readable"), Some(wanted));
    let path = folder.path().join(FILE);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("text");
    assert!(!text.contains("hush") && !text.contains("68757368"));

    // The site has locked ranges since: they no longer count, and the rest does.
    let mut config = site(&SITE.replace("lock = []", "lock = [\"ranges\"]"));
    config.state_dir = folder.path().to_owned();
    let effect = InEffect::load(&config, Some(&key));
    assert_eq!(effect.id, "c1");
    assert_eq!(effect.config.ranges[0].label, "office");
    assert_eq!(effect.config.settings.read_every, Duration::from_secs(60));
    assert_eq!(effect.refusals.len(), 1);

    for damage in ["", "{}", "null", "{\"schema\": 2}"] {
        fs::write(&path, damage).expect("written");
        let effect = InEffect::load(&config, Some(&key));
        assert!(effect.refusals[0].contains("is damaged"), "{damage}");
        assert_eq!(effect.config.ranges[0].label, "office");
    }
}

#[test]
fn a_sealed_user_of_version_3_takes_the_place_of_a_community() {
    let (key, seal) = pair("a1");
    let user = |document: &str| SealedCredential {
        version: "3".to_owned(),
        ..seal("site", document.as_bytes())
    };
    let wanted = |document: &str| Wanted {
        id: "c1".to_owned(),
        credentials: vec![user(document)],
        ..Wanted::default()
    };
    let document = "user = \"mps\"\nauth = \"sha256\"\nauth_password = \"hush-hush\"\n\
        priv = \"aes256c\"\npriv_password = \"hush-too\"\ncontext = \"Jetdirect\"\n";
    let effect = apply(&site(SITE), &wanted(document), Some(&key));
    assert_eq!(effect.refusals, [] as [String; 0]);
    let (name, used) = &effect.config.ranges[0].credentials[0];
    let Credential::User(used) = used else {
        panic!("{used:?}");
    };
    assert_eq!(
        (name.as_str(), used.name(), used.context()),
        ("site", "mps", "Jetdirect")
    );
    assert_eq!(used.level(), snmp::usm::Level::AuthPriv);
    // Longer than any community, and what is wrong is told without a word of it.
    let padded = format!("{document}# {}", "x".repeat(1_000));
    assert_eq!(
        apply(&site(SITE), &wanted(&padded), Some(&key)).refusals,
        [] as [String; 0]
    );
    for (document, why) in [
        (
            "user = \"mps\"\nauth = \"hush\"\nauth_password = \"x\"",
            "its auth is no algorithm",
        ),
        ("user = \"mps\"\nauth = \"md5\"", "go together"),
        ("user = hush", "what is sealed is no user"),
        (
            "user = \"mps\"\nhush = \"hush\"",
            "what is sealed is no user",
        ),
        ("user = \"\"", "a user name has 1 to 32 bytes"),
    ] {
        let effect = apply(&site(SITE), &wanted(document), Some(&key));
        let said = effect.refusals.join("; ");
        assert!(
            said.starts_with("credential 'site': ") && said.contains(why),
            "{said}"
        );
        assert!(!said.contains("hush"), "{said}");
        assert!(!effect.config.ranges[0].credentials[0].1.is_user());
    }
}
