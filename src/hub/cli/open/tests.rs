//! A local port through the portal of a hub that is played, to a device that says back what it hears.

use jiff::Timestamp;
use printer::identity::DeviceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;
use crate::ca::Authority;
use crate::command_key::CommandKey;
use crate::door::portal::{PortalState, router};
use crate::door::reception::tests::{Echo, House, settle};
use crate::door::tls::STRANGER_LIFE;
use crate::permission::{Right, Rights};
use crate::session::{Cause, End, SessionId};
use crate::store::commands::CommandState;

async fn portal(house: &House) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let state = PortalState {
        store: house.store.clone(),
        tenant: Tenant::DEFAULT,
        poll_every: Duration::from_secs(60),
        key: Arc::new(CommandKey::open(house.folder.path()).unwrap()),
        reception: house.reception.clone(),
        web_domain: "dwa.example.org".into(),
    };
    tokio::spawn(async move { axum::serve(listener, router(state)).await });
    at
}

fn args(house: &House, port: u16) -> OpenArgs {
    OpenArgs {
        device: house.device.as_str().to_owned(),
        port,
        reason: "a job & more".to_owned(),
        minutes: 5,
        listen: "127.0.0.1:0".parse().unwrap(),
        agent: Some("lyon".to_owned()),
        name: "m.keller".to_owned(),
        hub: None,
        ca: None,
        link: None,
    }
}

#[tokio::test]
async fn a_local_port_leads_to_the_device_until_somebody_stops_it() {
    let house = House::new().await;
    let at = portal(&house).await;
    let door = Door::here(&house.store, at, "m.keller").await.unwrap();
    let args = args(&house, 9100);
    let id = ask(&door, &args.device, &args).await.unwrap();
    let session = SessionId::parse(&id).unwrap();
    let session = house.reception.sessions().find(&session).unwrap();
    let terms = session.terms();
    assert_eq!(
        (terms.holder.as_str(), terms.reason.as_str()),
        ("m.keller", "a job & more")
    );
    let (opened, ()) = tokio::join!(until_open(&door, &id), async {
        session.has_way(Some(Arc::new(Echo)));
    });
    assert!(opened.unwrap());
    let listener = TcpListener::bind(args.listen).await.unwrap();
    let local = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stop_future = Box::pin(async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn({
        let (door, id) = (door.clone(), id.clone());
        async move { serve(&door, &id, (listener, stop_future)).await }
    });
    let connections = (0..8_u8).map(|number| async move {
        let mut stream = TcpStream::connect(local).await.unwrap();
        let job = vec![number; 50_000];
        let (mut reader, mut writer) = stream.split();
        let write = async {
            writer.write_all(&job).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let mut back = Vec::new();
        let (read, ()) = tokio::join!(reader.read_to_end(&mut back), write);
        read.unwrap();
        assert!(back == job, "{number}");
    });
    futures_util::future::join_all(connections).await;
    stop.send(()).unwrap();
    assert_eq!(serving.await.unwrap().unwrap(), Exit::OK);
    let ended = door.post(&format!("/sessions/{id}/end"), "").await.unwrap();
    assert_eq!(ended.0, 303);
    assert_eq!(session.has_ended().unwrap().cause, Cause::Person);
    assert_eq!(
        session
            .tally()
            .sent
            .load(std::sync::atomic::Ordering::Relaxed),
        400_000
    );
}

#[tokio::test]
async fn a_session_that_ends_ends_the_local_port_and_says_why() {
    let house = House::new().await;
    let at = portal(&house).await;
    let door = Door::here(&house.store, at, "m.keller").await.unwrap();
    let args = args(&house, 631);
    let id = ask(&door, &args.device, &args).await.unwrap();
    let session = SessionId::parse(&id).unwrap();
    house
        .answers(&session, CommandState::Refused, "port 631 is not open here")
        .await;
    let refused = until_open(&door, &id).await.unwrap_err();
    assert_eq!(
        (refused.exit, refused.why.as_str()),
        (Exit::REFUSED, "port 631 is not open here")
    );

    let id = ask(&door, &args.device, &args).await.unwrap();
    let session = SessionId::parse(&id).unwrap();
    let session = house.reception.sessions().find(&session).unwrap();
    session.has_way(Some(Arc::new(Echo)));
    session.end(End::new(Cause::Site, "closed at the site"));
    let listener = TcpListener::bind(args.listen).await.unwrap();
    let served = serve(&door, &id, (listener, Box::pin(std::future::pending())));
    let served = tokio::time::timeout(Duration::from_secs(20), served)
        .await
        .unwrap();
    assert_eq!(served.unwrap(), Exit::OK);
}

#[tokio::test]
async fn what_the_portal_refuses_is_said_in_its_words() {
    let house = House::new().await;
    let at = portal(&house).await;
    let door = Door::here(&house.store, at, "m.keller").await.unwrap();
    let nothing = OpenArgs {
        reason: String::new(),
        ..args(&house, 80)
    };
    let refused = ask(&door, &nothing.device, &nothing).await.unwrap_err();
    assert!(refused.why.contains("a reason has 1 to"), "{refused}");
    let unknown = "e".repeat(32);
    let refused = ask(&door, &unknown, &args(&house, 80)).await.unwrap_err();
    assert!(
        refused.why.contains("no agent that is asked for knows"),
        "{refused}"
    );
    let gone = door.get("/sessions/0/state").await.unwrap();
    assert_eq!((gone.0, door::refused(gone.0).exit), (404, Exit::NOTHING));
}

#[tokio::test]
async fn from_elsewhere_a_link_in_a_file_opens_and_a_connection_stays() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "state_dir = {:?}\n[uplink]\nlisten = \"127.0.0.1:0\"\nnames = [\"127.0.0.1\"]\n\
         [portal]\nlisten = \"127.0.0.1:0\"\n",
        folder.path().join("hub")
    );
    let config = HubConfig::parse("hub.toml", &text, std::iter::empty()).unwrap();
    let hub = crate::bind(&config).await.unwrap();
    let (store, sessions, bound) = (hub.store().clone(), hub.sessions().clone(), hub.bound());
    let device = DeviceId::parse(&"d".repeat(32)).unwrap();
    settle(&store, &device).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(hub.serve_doors(async {
        let _ = stopped.await;
    }));
    let (ca, link) = (folder.path().join("ca.pem"), folder.path().join("link"));
    let authority = Authority::find(&config.state_dir).unwrap().unwrap();
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    let rights = Rights::of([Right::Web]);
    let token = store.portal_link_create(&Tenant::DEFAULT, ("anna", &rights), Timestamp::now());
    let url = format!("https://127.0.0.1:{}", bound.uplink.port());
    let text = format!("{url}/enter/{}\n", token.await.unwrap().reveal());
    std::fs::write(&link, text).unwrap();

    let door = Door::elsewhere(&url, &ca, &link).await.unwrap();
    let kept = std::fs::read_to_string(&link).unwrap();
    assert!(kept.starts_with("session __Host-platen="), "{kept}");
    let again = Door::elsewhere(&url, &ca, &link).await.unwrap();
    let args = OpenArgs {
        device: device.as_str().to_owned(),
        port: 9100,
        reason: "a job".to_owned(),
        minutes: 5,
        listen: "127.0.0.1:0".parse().unwrap(),
        agent: None,
        name: "operator".to_owned(),
        hub: Some(url.clone()),
        ca: Some(ca.clone()),
        link: Some(link.clone()),
    };
    let id = ask(&again, &args.device, &args).await.unwrap();
    let session = sessions.find(&SessionId::parse(&id).unwrap()).unwrap();
    assert_eq!(session.terms().holder, "anna");
    session.has_way(Some(Arc::new(Echo)));
    let socket = door.raw(&format!("/sessions/{id}/raw")).await.unwrap();
    let (near, far) = tokio::io::duplex(64);
    let carrying = tokio::spawn(async move { bridge(socket, far, |_, _| {}).await });
    let (mut reader, mut writer) = tokio::io::split(near);
    // Longer than a connection without a certificate may stay for anything else.
    for pause in [0, STRANGER_LIFE.as_secs() + 2] {
        sleep(Duration::from_secs(pause)).await;
        writer.write_all(b"job").await.unwrap();
        let mut back = [0; 3];
        reader.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"job", "after {pause} s");
    }
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(carrying.await.unwrap().is_err(), "the hub ends it");
    assert_eq!(session.has_ended().unwrap().cause, Cause::HubEnds);

    std::fs::write(&link, "https://hub.example/enter/../x").unwrap();
    let wrong = Door::elsewhere(&url, &ca, &link).await.unwrap_err();
    assert!(wrong.what.contains("holds no link"), "{wrong}");
    let nobody = Door::elsewhere("http://127.0.0.1", &ca, &link)
        .await
        .unwrap_err();
    assert!(nobody.what.contains("--hub"), "{nobody}");
}
