//! The doors beside SNMP in an agent's life: what LEDM and IPP say is in its readings, and a door that
//! is closed hears nothing.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actors::reach::scope::Door;
use actors::report::Report;
use printer::reading::Reading;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rack::Rack;
use crate::world::World;

/// Where the printers here serve LEDM, in the clear.
const LEDM_PORT: u16 = 8_080;
/// Where they serve IPP.
const IPP_PORT: u16 = 8_631;
/// The ports that a printer's doors stand at.
const USUAL: [u16; 5] = [80, 443, 515, 631, 9_100];

/// A printer that serves LEDM under this serial number; counts who asks.
async fn serve(address: IpAddr, serial: String) -> Arc<AtomicUsize> {
    let listener = tokio::net::TcpListener::bind((address, LEDM_PORT)).await;
    let listener = listener.expect("a port");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut head = vec![0; 2_048];
            let length = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let body = document(path, &serial);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    count
}

fn document(path: &str, serial: &str) -> String {
    let listed = |name: &str| {
        format!("<SupportedTree><ResourceURI>/DevMgmt/{name}.xml</ResourceURI></SupportedTree>")
    };
    match path {
        "/DevMgmt/DiscoveryTree.xml" => {
            let names = ["ProductConfigDyn", "ProductUsageDyn"].map(listed).concat();
            format!("<DiscoveryTree>{names}</DiscoveryTree>")
        }
        "/DevMgmt/ProductConfigDyn.xml" => format!(
            "<ProductConfigDyn><ProductInformation><MakeAndModel>HP LaserJet</MakeAndModel>\
             <SerialNumber>{serial}</SerialNumber>\
             <UUID>1c852a4d-b800-1f08-abcd-2c44fd1e0f21</UUID>\
             </ProductInformation></ProductConfigDyn>"
        ),
        _ => "<ProductUsageDyn><PrinterSubunit><JamEvents>12</JamEvents>\
              <TotalImpressions>5</TotalImpressions></PrinterSubunit></ProductUsageDyn>"
            .to_owned(),
    }
}

fn full(reports: &[Report]) -> Vec<&Reading> {
    let full = |report: &Report| match report {
        Report::Full { .. } => true,
        Report::Status { .. } | Report::Silent { .. } | Report::Thinned { .. } => false,
    };
    let readings = reports.iter().filter(|report| full(report));
    readings
        .filter_map(|report| match report {
            Report::Full { reading, .. } | Report::Status { reading, .. } => Some(&**reading),
            Report::Silent { .. } | Report::Thinned { .. } => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_hold_what_an_open_door_says() {
    let rack = Rack::of(2).await;
    let asked = serve(rack.address(0), rack.serial(0)).await;
    // Behind the second's door answers somebody else.
    serve(rack.address(1), "CNOTHER001".to_owned()).await;
    let doors = [Door::Ledm { port: LEDM_PORT }, Door::Ipp { port: IPP_PORT }];
    let world = World::with_doors(&rack, &doors).await;
    let reports = world
        .until_reports("both are read", |reports| full(reports).len() == 2)
        .await;
    let readings = full(&reports);
    let of = |serial: String| {
        let mut readings = readings.iter();
        let found = readings.find(|it| it.identity.serial.as_ref() == Some(&serial));
        *found.expect("it was read")
    };
    let (first, second) = (of(rack.serial(0)), of(rack.serial(1)));
    assert!(first.identity.uuid.is_some());
    let by_label = |reading: &Reading, label: &str| {
        let mut meters = reading.meters.iter();
        let found = meters.find(|meter| meter.label.as_deref() == Some(label));
        found.map(|meter| (meter.value, meter.evidence.door.clone()))
    };
    let jams = by_label(first, "paper jams");
    assert_eq!(jams, Some((12, "ledm".to_owned())));
    let total = by_label(first, "total over ledm");
    assert_eq!(total, Some((5, "ledm".to_owned())));
    let is_told = |text: &str| text.contains("total over ledm 5");
    assert!(
        first.facts.iter().any(|fact| is_told(&fact.text)),
        "{:?}",
        first.facts
    );
    // SNMP's own are there as ever.
    assert!(
        first
            .meters
            .iter()
            .any(|meter| meter.evidence.door == "snmp")
    );
    assert_eq!(by_label(second, "paper jams"), None);
    assert!(second.identity.uuid.is_none());

    // The trouble is said: of IPP, where nobody listens, and of the stranger.
    let status = world
        .until("the troubles are said", |status| {
            status.printers.troubled_listed.len() == 2
        })
        .await;
    let told: String = status
        .printers
        .troubled_listed
        .iter()
        .map(|printer| printer.trouble.clone() + "\n")
        .collect();
    assert!(told.contains("CNOTHER001"), "{told}");
    assert!(
        told.contains(&format!(":{IPP_PORT} does not accept")),
        "{told}"
    );

    // Readings of what moves ask no door again.
    world
        .until_reports("more is read, or time passes", |_| true)
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 3, "a list and two documents");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_door_hears_nothing() {
    let rack = Rack::of(2).await;
    let mut pots = Vec::new();
    for printer in 0..2 {
        for port in USUAL.into_iter().chain([LEDM_PORT, IPP_PORT]) {
            let pot = match TcpListener::bind((rack.address(printer), port)) {
                // Below 1024 a port takes root.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
                pot => pot.expect("a port"),
            };
            pot.set_nonblocking(true).expect("a socket");
            pots.push(pot);
        }
    }
    let world = World::new(&rack, None).await;
    world
        .until_reports("both are read", |reports| full(reports).len() == 2)
        .await;
    world
        .until("both are settled", |status| status.printers.read == 2)
        .await;
    assert!(pots.len() >= 6);
    for pot in &pots {
        let touched = pot.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(touched, Err(ErrorKind::WouldBlock), "{pot:?}");
    }
}
