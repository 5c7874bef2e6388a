//! Every attack by its name. Tests walk this list; a new attack is a line here and its play.

use super::{Hostile, Plays};

const fn script(name: &'static str, tries: &'static str) -> Hostile {
    attack(name, Plays::Script, tries)
}

const fn header(name: &'static str, tries: &'static str) -> Hostile {
    attack(name, Plays::Header, tries)
}

const fn redirect(name: &'static str, tries: &'static str) -> Hostile {
    attack(name, Plays::Redirect, tries)
}

const fn stream(name: &'static str, tries: &'static str) -> Hostile {
    attack(name, Plays::Stream, tries)
}

const fn malformed(name: &'static str, tries: &'static str) -> Hostile {
    attack(name, Plays::Malformed, tries)
}

const fn upgrade(name: &'static str, tries: &'static str) -> Hostile {
    attack(name, Plays::Upgrade, tries)
}

const fn attack(name: &'static str, plays: Plays, tries: &'static str) -> Hostile {
    Hostile { name, plays, tries }
}

/// Every attack that a hostile printer plays.
pub const HOSTILE: &[Hostile] = &[
    // In the browser: what of the portal or of another session can be read or changed?
    script(
        "fetch-portal",
        "fetches the portal's pages with the browser's cookies",
    ),
    script("fetch-sibling", "fetches another session's pages"),
    script("xhr-portal", "the same by XMLHttpRequest"),
    script("post-portal-form", "posts a form to the portal (?path=)"),
    script(
        "post-portal-json",
        "posts to the portal as text/plain, without a preflight",
    ),
    script("frame-portal", "frames the portal and reads the frame"),
    script(
        "frame-sibling",
        "frames another session and reads the frame",
    ),
    script("frame-bust", "takes the place of the page that frames it"),
    script("window-open", "opens the portal in a window and reads it"),
    script(
        "popup-opener",
        "reads and navigates the page that opened it",
    ),
    script("post-message", "asks the opener and the parent by messages"),
    script(
        "websocket-portal",
        "opens WebSockets to the portal and to a sibling",
    ),
    script("event-source", "listens to the portal's events"),
    script(
        "script-portal",
        "runs the portal's pages as scripts and reads what they set",
    ),
    script("css-exfil", "reads the portal's pages as style sheets"),
    script(
        "image-portal",
        "draws the portal's images and reads their pixels",
    ),
    script("beacon", "sends beacons to the portal"),
    script("prefetch", "prefetches and prerenders the portal"),
    script("manifest", "fetches the portal as a web app manifest"),
    script(
        "document-domain",
        "gives itself the parent's domain and reads a sibling",
    ),
    script(
        "cookie-toss-script",
        "sets cookies for the parent domain by script",
    ),
    script("cookie-read", "reads the session's own cookie by script"),
    script(
        "cookie-bomb",
        "sets so many cookies for the parent that nothing is answered any more",
    ),
    script(
        "service-worker",
        "registers a service worker for the whole origin",
    ),
    script("shared-worker", "shares a worker with other sessions"),
    script("worker", "runs the portal's pages as a worker"),
    script(
        "broadcast-channel",
        "listens for other sessions on a channel",
    ),
    script("storage", "looks for what other sessions have stored"),
    script("indexed-db", "looks for other sessions' databases"),
    script("cache-storage", "looks for other sessions' caches"),
    script("web-locks", "looks for other sessions' locks"),
    script("echo-headers", "shows which headers reach the printer"),
    script(
        "referrer",
        "looks for the session's key in the referrer and the history",
    ),
    script("timing", "reads the resource timing of the portal"),
    script(
        "permissions",
        "asks for place, camera, clipboard and notifications",
    ),
    script(
        "protocol-handler",
        "makes itself the browser's handler for mailto",
    ),
    script(
        "local-network",
        "fetches loopback, link-local and metadata addresses",
    ),
    script(
        "dns-rebind-name",
        "fetches its own name again after it has been bound anew",
    ),
    script(
        "javascript-url",
        "navigates to javascript: and data: addresses",
    ),
    script("xss-in-path", "writes its own address into the page"),
    // Headers and markup.
    header(
        "cookie-toss-parent",
        "sets cookies for the parent domain and the portal's names",
    ),
    header(
        "cookie-host-prefix",
        "overwrites the session's cookie by its name",
    ),
    header("huge-set-cookie", "sets one cookie of 60,000 octets"),
    header("many-cookies", "sets 200 cookies"),
    header("hsts", "pins the parent domain to TLS for a year"),
    header(
        "clear-site-data",
        "clears everything that the browser holds",
    ),
    header(
        "csp-override",
        "allows itself everything by a policy of its own",
    ),
    header("cors-open", "allows every origin with credentials"),
    header("alt-svc", "moves the origin to another port"),
    header("report-to", "has network errors reported to itself"),
    header("link-preload", "has the portal preloaded by a header"),
    header("refresh-header", "refreshes to the portal"),
    header("meta-refresh", "refreshes to the portal by markup"),
    header("cache-poison", "makes the entry page cacheable for a year"),
    header("etag-tracking", "marks the browser by an entity tag"),
    header("ssi-title", "hides markup and includes in its title"),
    header(
        "portal-lookalike",
        "looks like the portal's login and keeps what is typed",
    ),
    header("download-exe", "has a program downloaded"),
    header("content-sniff", "sends a page as an image"),
    header(
        "www-authenticate",
        "asks for a password by Basic and Negotiate",
    ),
    header("proxy-authenticate", "asks the proxy for a password"),
    header("source-map", "has the portal fetched as a source map"),
    header("unsafe-encoding", "says UTF-7, whose letters make markup"),
    // Redirects.
    redirect("redirect-metadata", "to the cloud's metadata"),
    redirect(
        "redirect-loopback",
        "to the hub's own loopback (?loopback=)",
    ),
    redirect("redirect-localhost", "to localhost by name"),
    redirect("redirect-ipv6-mapped", "to loopback as ::ffff:127.0.0.1"),
    redirect("redirect-decimal", "to loopback as a decimal number"),
    redirect(
        "redirect-userinfo",
        "to the metadata behind its own name as a user",
    ),
    redirect("redirect-portal", "to the portal (?portal=)"),
    redirect(
        "redirect-sibling",
        "to another session or device (?sibling=)",
    ),
    redirect("redirect-port", "to another port of its own address"),
    redirect("redirect-loop", "to itself"),
    redirect("redirect-file", "to a file"),
    redirect("redirect-javascript", "to a script"),
    redirect("redirect-gopher", "to a protocol that smuggles bytes"),
    redirect("redirect-bare", "to //metadata"),
    redirect(
        "redirect-backslash",
        "to /\\metadata, which browsers take for //",
    ),
    redirect(
        "redirect-rebind",
        "to a name that becomes another address (?target=)",
    ),
    redirect(
        "redirect-307-body",
        "to the portal with the body that was posted",
    ),
    // Without an end.
    stream(
        "endless-body",
        "a body until the connection ends, which it does not",
    ),
    stream("endless-chunks", "chunks without a last one"),
    stream("endless-header", "headers without an end"),
    stream("endless-header-line", "one header line without an end"),
    stream("endless-status", "a status line without an end"),
    stream("endless-trailer", "trailers without an end"),
    stream(
        "chunk-extension-flood",
        "a chunk whose extension has no end",
    ),
    stream("one-octet-chunks", "chunks of one octet without a last one"),
    stream("slow-drip", "one octet of the body in 30 s"),
    stream("slow-head", "one octet of the head in 30 s"),
    stream("never-answers", "takes the request and says nothing"),
    stream("short-body", "a tenth of its length, and then nothing"),
    stream("gzip-bomb", "10 GiB of zeros in 10 MiB"),
    stream("100-continue-forever", "100 Continue without an end"),
    stream("early-hints-forever", "103 Early Hints without an end"),
    // Answers that are none.
    malformed("smuggle-cl-te", "a length and chunks"),
    malformed("smuggle-te-cl", "chunks and a length, the other way around"),
    malformed("smuggle-double-cl", "two lengths that differ"),
    malformed("smuggle-comma-cl", "two lengths in one header"),
    malformed(
        "te-variants",
        "chunked in other spellings (?variant=0 to 9)",
    ),
    malformed("two-answers", "a second answer for the next one's request"),
    malformed("head-body", "a body where HEAD was asked for"),
    malformed("no-content-body", "204 No Content, and an answer behind it"),
    malformed(
        "not-modified-body",
        "304 Not Modified to whoever did not ask, and an answer behind it",
    ),
    malformed("trailer-smuggle", "a length in a trailer"),
    malformed("negative-length", "a length below 0"),
    malformed("huge-length", "a length of 2^64"),
    malformed("plus-length", "a length with a sign"),
    malformed("chunk-overflow", "a chunk of 2^64 octets"),
    malformed("chunk-negative", "a chunk of a negative size"),
    malformed("chunk-bare-lf", "chunks whose lines end with LF alone"),
    malformed("status-999", "a status that is none"),
    malformed("status-words", "a status in words"),
    malformed("http09", "a body without a head"),
    malformed("http2-preface", "HTTP/2 that nobody agreed on"),
    malformed("null-in-header", "a NUL in a header"),
    malformed(
        "location-crlf",
        "a Location with a bare CR and another header",
    ),
    malformed("header-no-colon", "a header without a colon"),
    malformed("header-space-colon", "a blank before the colon"),
    malformed("obsolete-fold", "a header that goes on in the next line"),
    malformed(
        "connection-tricks",
        "names the proxy's own headers in Connection",
    ),
    malformed("binary-noise", "noise"),
    malformed("ipp-lengths", "IPP whose attribute has 2^31 octets"),
    malformed("tls-instead", "a TLS alert where HTTP was asked for"),
    malformed("brotli-claim", "says br and sends something else"),
    malformed("reset-midway", "half a body and a reset"),
    // Changes of protocol.
    upgrade("switching-protocols-unasked", "101 to whoever did not ask"),
    upgrade("websocket-flood", "frames without an end"),
    upgrade("websocket-huge-frame", "one frame of 2^63 - 1 octets"),
    upgrade("websocket-bad-accept", "agrees with the wrong key"),
    upgrade("websocket-ping-flood", "pings without an end"),
    upgrade("websocket-never-closes", "never answers a close"),
    upgrade("h2c-unasked", "101 to h2c"),
];
