//! LEDM as HP's printers serve it: five documents of the printer as it lives, and lists of jobs that a
//! test can see asked for.
//!
//! What SNMP says of the device is what the documents say. The large format one adds lengths, areas
//! and ink in proportion to its pages: nobody has documented theirs, so the names are our own.

use hyper::{Method, Request, StatusCode};

use crate::web::http::{self, Answer};
use crate::web::portrait::Portrait;
use crate::web::{Visit, html};

/// What stands at the head of every document, as firmware writes it.
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <!-- THIS DATA SUBJECT TO DISCLAIMER(S) INCLUDED WITH THE PRODUCT OF ORIGIN. -->\n";

/// The schemas.
const SCHEMAS: &str = "http://www.hp.com/schemas/imaging/con";

/// The documents that are served, and the prefix of each.
const DOCUMENTS: [(&str, &str); 4] = [
    ("ProductConfigDyn", "prdcfgdyn2"),
    ("ProductStatusDyn", "psdyn"),
    ("ProductUsageDyn", "pudyn"),
    ("ConsumableConfigDyn", "ccdyn"),
];

/// Firmware of every device: SNMP tells its own.
const FIRMWARE: &str = "SIM1FN2601AR";

/// Square meters, meters and tenths of a milliliter of ink that a sheet of a plotter takes, A1.
const SHEET_SQUARE_METERS: f64 = 0.5;
const SHEET_METERS: f64 = 0.841;
const SHEET_MICROLITERS: u64 = 1_900;

/// Words of colors, and the codes on cartridges.
const CODES: [(&str, &str); 4] = [
    ("black", "K"),
    ("cyan", "C"),
    ("magenta", "M"),
    ("yellow", "Y"),
];

/// Answers for a printer of an office.
pub(crate) async fn answer<B>(request: &Request<B>, visit: &Visit) -> Answer {
    serve(request, visit, (office_usage, "toner")).await
}

/// Answers for a plotter.
pub(crate) async fn answer_large<B>(request: &Request<B>, visit: &Visit) -> Answer {
    serve(request, visit, (large_usage, "ink")).await
}

/// `kind` is what its cartridges hold.
async fn serve<B>(
    request: &Request<B>,
    visit: &Visit,
    (usage, kind): (fn(&Portrait) -> String, &str),
) -> Answer {
    if *request.method() != Method::GET {
        return http::words(StatusCode::METHOD_NOT_ALLOWED, "GET only");
    }
    let path = request.uri().path();
    if path == "/DevMgmt/DiscoveryTree.xml" {
        return http::typed("text/xml", tree());
    }
    let named = |name: &str| path == format!("/DevMgmt/{name}.xml");
    let Some((name, prefix)) = DOCUMENTS.iter().find(|(name, _)| named(name)) else {
        return http::words(StatusCode::NOT_FOUND, "Not found");
    };
    let of = visit.portrait().await;
    let inner = match *name {
        "ProductConfigDyn" => config(&of),
        "ProductStatusDyn" => status(&of),
        "ProductUsageDyn" => usage(&of),
        _ => consumables(&of, kind),
    };
    http::typed("text/xml", document(name, prefix, &inner))
}

fn document(name: &str, prefix: &str, inner: &str) -> String {
    let schema = name.to_lowercase();
    format!(
        "{HEAD}<{prefix}:{name} xmlns:{prefix}=\"{SCHEMAS}/ledm/{schema}/2009/03/16\" \
         xmlns:dd=\"{SCHEMAS}/dictionaries/1.0/\" xmlns:dd2=\"{SCHEMAS}/dictionaries/2008/10/10\">\
         <dd:Version><dd:Revision>SVN-IPG-LEDM.441</dd:Revision></dd:Version>\
         {inner}</{prefix}:{name}>"
    )
}

fn tree() -> String {
    let entry = |uri: &str| {
        format!("<ledm:SupportedTree><dd:ResourceURI>{uri}</dd:ResourceURI></ledm:SupportedTree>")
    };
    let served = DOCUMENTS.map(|(name, _)| entry(&format!("/DevMgmt/{name}.xml")));
    // What real ones have too, and nobody is to ask for.
    let others = ["/Jobs/JobList", "/DevMgmt/ProductLogsDyn.xml"].map(entry);
    document(
        "DiscoveryTree",
        "ledm",
        &(served.concat() + &others.concat()),
    )
}

fn config(of: &Portrait) -> String {
    format!(
        "<prdcfgdyn2:ProductInformation><dd:Version><dd:Revision>{FIRMWARE}</dd:Revision></dd:Version>\
         <dd:MakeAndModel>{}</dd:MakeAndModel><dd:SerialNumber>{}</dd:SerialNumber>\
         </prdcfgdyn2:ProductInformation>",
        html::encoded(&of.model),
        html::encoded(&of.serial)
    )
}

fn status(of: &Portrait) -> String {
    let line = of.status.to_lowercase();
    let category = match () {
        () if line.contains("sleep") || line.contains("power save") => "inPowerSave",
        () if line.contains("print") || line.contains("process") => "processing",
        () => "ready",
    };
    format!(
        "<psdyn:Status><dd:StatusCategory>{category}</dd:StatusCategory></psdyn:Status>\
         <psdyn:AlertTable></psdyn:AlertTable>"
    )
}

fn total(of: &Portrait) -> u64 {
    of.pages.parse().unwrap_or_default()
}

fn office_usage(of: &Portrait) -> String {
    // One paper first, whose count has the same name.
    format!(
        "<pudyn:PrinterSubunit><pudyn:UsageByMedia><dd:MediaSizeName>na_letter</dd:MediaSizeName>\
         <dd:TotalImpressions>7</dd:TotalImpressions></pudyn:UsageByMedia>\
         <dd:TotalImpressions PEID=\"5082\">{}</dd:TotalImpressions>\
         <dd:JamEvents>3</dd:JamEvents></pudyn:PrinterSubunit>",
        total(of)
    )
}

fn large_usage(of: &Portrait) -> String {
    let sheets = total(of);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count of sheets is far below what a double holds"
    )]
    let measure = |each: f64| sheets as f64 * each;
    let quantity = |name: &str, value: f64, unit: &str| {
        format!(
            "<pudyn:{name}><dd:ValueFloat>{value:.2}</dd:ValueFloat><dd:Unit>{unit}</dd:Unit>\
             </pudyn:{name}>"
        )
    };
    let length = quantity("TotalMediaLength", measure(SHEET_METERS), "meters");
    let area = quantity(
        "TotalMediaArea",
        measure(SHEET_SQUARE_METERS),
        "squareMeters",
    );
    let ink = sheets.saturating_mul(SHEET_MICROLITERS);
    format!(
        "<pudyn:PrinterSubunit><dd:TotalImpressions>{sheets}</dd:TotalImpressions>{length}{area}\
         <pudyn:UsageByMarkingAgent><dd2:CumulativeMarkingAgentUsed><dd:Value>{ink}</dd:Value>\
         <dd:Unit>microliters</dd:Unit></dd2:CumulativeMarkingAgentUsed>\
         </pudyn:UsageByMarkingAgent></pudyn:PrinterSubunit>"
    )
}

fn consumables(of: &Portrait, holds: &str) -> String {
    let rows = of.supplies.iter().zip(1_u32..);
    let rows = rows.map(|((name, level, capacity), station)| {
        let lower = name.to_lowercase();
        let code = CODES.iter().find(|(word, _)| lower.contains(word));
        let code = code
            .map(|(_, code)| format!("<dd:ConsumableLabelCode>{code}</dd:ConsumableLabelCode>"));
        let kind = if lower.contains("kit") {
            "maintenanceKit"
        } else {
            holds
        };
        let percent = match (*level, *capacity) {
            (level @ 0.., capacity @ 1..) => format!(
                "<dd:ConsumablePercentageLevelRemaining>{}</dd:ConsumablePercentageLevelRemaining>",
                level * 100 / capacity
            ),
            _ => String::new(),
        };
        format!(
            "<ccdyn:ConsumableInfo>{}<dd:ConsumableTypeEnum>{kind}</dd:ConsumableTypeEnum>{percent}\
             <dd:ConsumableStation>{station}</dd:ConsumableStation>\
             <dd:ConsumableLifeState><dd:ConsumableState>ok</dd:ConsumableState>\
             </dd:ConsumableLifeState></ccdyn:ConsumableInfo>",
            code.unwrap_or_default()
        )
    });
    rows.collect()
}
