//! A local port through the portal of a hub that is played, to a device that says back what it hears.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;
use crate::command_key::CommandKey;
use crate::door::portal::{PortalState, router};
use crate::door::reception::tests::{Echo, House};
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
