//! What `platen-hub ssh-key` and `gateway` say.

use std::process::Command;

use stories::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_added_listed_and_forgotten() {
    let mut world = World::new();
    world.hub_runs().await;
    let key = world.path("id");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "desk", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let public = format!("{}.pub", key.display());
    let added = world.hub_says(&["ssh-key", "add", "m.dupont", &public]);
    let words = String::from_utf8_lossy(&added.stderr).into_owned();
    assert!(added.status.success(), "{words}");
    assert!(words.contains("ssh -N -L 9100:s-SESSION:9100"), "{words}");
    let private = world.hub_says(&["ssh-key", "add", "m.dupont", key.to_str().unwrap()]);
    assert_eq!(private.status.code(), Some(1));
    let listed = world.hub_says(&["ssh-key", "ls", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["keys"][0]["name"], "m.dupont");
    assert_eq!(listed["keys"][0]["may"], "web");
    let fingerprint = Command::new("ssh-keygen")
        .args(["-l", "-f", &public])
        .output()
        .unwrap();
    let fingerprint = String::from_utf8_lossy(&fingerprint.stdout).into_owned();
    let shown = listed["keys"][0]["fingerprint"].as_str().unwrap();
    assert!(fingerprint.contains(shown), "{fingerprint} has not {shown}");
    assert!(
        !listed.to_string().contains("desk"),
        "a comment is not kept"
    );
    let other = world.hub_says(&["ssh-key", "rm", "m.dupont", "SHA256:other"]);
    assert_eq!(other.status.code(), Some(3));
    assert!(
        world
            .hub_says(&["ssh-key", "rm", "m.dupont", shown])
            .status
            .success()
    );
    let none = world.hub_says(&["ssh-key", "ls"]);
    assert!(none.status.success() && none.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_without_an_sshd_answers_none() {
    let world = World::new();
    world.hub_is_configured("");
    let words = [
        "gateway",
        "authorized-keys",
        "platen",
        "ecdsa-sha2-nistp256",
        "AAAA",
    ];
    let refused = world.hub_says(&words);
    assert_eq!(refused.status.code(), Some(78));
    assert!(refused.stdout.is_empty());
    world.hub_is_configured(
        "[gateway]\nsshd = \"127.0.0.1:2222\"\nsshd_host_key_file = \"/none.pub\"\n",
    );
    let root = [
        "gateway",
        "authorized-keys",
        "root",
        "ecdsa-sha2-nistp256",
        "AAAA",
    ];
    let refused = world.hub_says(&root);
    assert_eq!(refused.status.code(), Some(77));
    assert!(refused.stdout.is_empty());
    let nonsense = world.hub_says(&words);
    assert_eq!(
        (nonsense.status.code(), nonsense.stdout.len()),
        (Some(0), 0)
    );
}
