// What a hostile page tries in the browser. One function a name; each gives back what it got hold
// of, or nothing. The verdict stands in the title and in #verdict:
//   read: …   something of the portal or of another session was read
//   wrote: …  something could be left behind outside this page
//   blocked   neither
// The query names the targets: ?portal=ORIGIN&sibling=ORIGIN&path=PATH&marker=TEXT&action=BODY.
// An answer of a target counts as read only when the page can see its text.
"use strict";
(() => {
  const me = document.currentScript.dataset;
  const asked = new URLSearchParams(location.search);
  const portal = asked.get("portal") || "";
  const sibling = asked.get("sibling") || "";
  const path = asked.get("path") || "/";
  const paths = [path, "/", "/style.css", "/fleet", "/agents", "/sessions", "/printers"];
  const own = location.host;
  const STEP_MS = 4000;
  const found = [];

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const read = (what, text) => found.push(`read: ${what}: ${String(text).slice(0, 200)}`);
  const wrote = (what) => found.push(`wrote: ${what}`);
  const show = (text) => {
    document.title = text;
    document.getElementById("verdict").textContent = text;
  };
  // One try that may fail or hang: both mean that it got nothing.
  const attempt = async (what, work) => {
    try {
      const got = await Promise.race([work(), wait(STEP_MS)]);
      if (got) read(what, got);
    } catch { /* blocked */ }
  };
  const element = (name, values) => {
    const made = Object.assign(document.createElement(name), values);
    document.body.append(made);
    return made;
  };
  const loaded = (made) => new Promise((done, failed) => {
    made.onload = () => done(made);
    made.onerror = failed;
  });
  const fetched = async (target, options) => {
    const answer = await fetch(target, options);
    return answer.type === "opaque" ? "" : `${answer.status} ${await answer.text()}`;
  };
  const each = async (what, origin, work) => {
    for (const place of new Set(paths)) await attempt(`${what} ${place}`, () => work(origin + place));
  };
  const framed = async (origin) => {
    const frame = element("iframe", { src: origin + path });
    await Promise.race([loaded(frame), wait(STEP_MS)]);
    // about:blank is what a refused frame holds, and is this page's own.
    const inside = frame.contentDocument;
    if (!inside || inside.URL === "about:blank") return "";
    return inside.documentElement.outerHTML;
  };
  const opened = async (origin) => {
    const other = window.open(origin + path);
    if (!other) return "";
    await wait(1500);
    try {
      const at = other.location.href;
      if (at === "about:blank") return "";
      return `${at} ${other.document.documentElement.outerHTML}`;
    } finally {
      other.close();
    }
  };
  const posted = async (options) => {
    await attempt("answer to a post", () => fetched(portal + path, {
      method: "POST", body: asked.get("action") || "reason=hostile", ...options,
    }));
  };
  const parent = () => {
    const labels = location.hostname.split(".");
    return labels.slice(1).join(".");
  };
  // A cookie that is still seen after the host's own of that name was deleted is a domain's.
  const tossed = (name) => {
    document.cookie = `${name}=; Path=/; Max-Age=0`;
    return document.cookie.split("; ").some((cookie) => cookie.startsWith(`${name}=`));
  };
  const socket = (address) => new Promise((done, failed) => {
    const made = new WebSocket(address);
    made.onopen = () => made.send("hello");
    made.onmessage = (message) => done(message.data);
    made.onerror = failed;
  });

  const attacks = {
    "fetch-portal": () => each("portal", portal, (at) => fetched(at, { credentials: "include" })),
    "fetch-sibling": () => each("sibling", sibling, (at) => fetched(at, { credentials: "include" })),
    "xhr-portal": () => each("portal", portal, (at) => new Promise((done, failed) => {
      const request = new XMLHttpRequest();
      request.open("GET", at);
      request.withCredentials = true;
      request.onload = () => done(request.responseText);
      request.onerror = failed;
      request.send();
    })),
    "post-portal-form": async () => {
      const frame = element("iframe", { name: "answer" });
      const form = element("form", { method: "post", action: portal + path, target: "answer" });
      for (const [name, value] of new URLSearchParams(asked.get("action") || "reason=hostile")) {
        const input = document.createElement("input");
        form.append(Object.assign(input, { name, value, type: "hidden" }));
      }
      const answered = loaded(frame);
      form.submit();
      await Promise.race([answered, wait(STEP_MS)]);
      await attempt("answer to a form", async () => {
        const inside = frame.contentDocument;
        return inside && inside.URL !== "about:blank" ? inside.documentElement.outerHTML : "";
      });
    },
    "post-portal-json": async () => {
      await posted({ credentials: "include", headers: { "Content-Type": "text/plain" } });
      await posted({ credentials: "include", headers: { "Content-Type": "application/json" } });
      await posted({ credentials: "include", mode: "no-cors" });
    },
    "frame-portal": () => attempt("portal", () => framed(portal)),
    "frame-sibling": () => attempt("sibling", () => framed(sibling)),
    "frame-bust": async () => {
      if (window.top === window) return;
      await attempt("top", async () => window.top.document.documentElement.outerHTML);
      await attempt("top's place", async () => window.top.location.href);
      window.top.location = `${location.origin}/hostile/portal-lookalike`;
      await wait(1000);
    },
    "window-open": async () => {
      await attempt("portal", () => opened(portal));
      await attempt("sibling", () => opened(sibling));
    },
    "popup-opener": async () => {
      if (!window.opener) return;
      await attempt("opener", async () => window.opener.document.documentElement.outerHTML);
      await attempt("opener's place", async () => window.opener.location.href);
      window.opener.location = `${location.origin}/hostile/portal-lookalike`;
      wrote("the opener was sent elsewhere");
    },
    "post-message": async () => {
      const heard = new Promise((done) => addEventListener("message", (message) => {
        if (message.origin !== location.origin) done(JSON.stringify(message.data));
      }));
      for (const other of [window.opener, window.parent, window.top]) {
        if (other && other !== window) other.postMessage({ type: "session", ask: "key" }, "*");
      }
      await attempt("message", () => heard);
    },
    "websocket-portal": async () => {
      for (const origin of [portal, sibling].filter(Boolean)) {
        const start = origin.replace(/^http/, "ws");
        for (const place of [path, "/socket", "/sessions"]) {
          await attempt(`socket ${place}`, () => socket(start + place));
        }
      }
    },
    "event-source": () => each("portal", portal, (at) => new Promise((done, failed) => {
      const source = new EventSource(at, { withCredentials: true });
      source.onmessage = (message) => { source.close(); done(message.data || "event"); };
      source.onerror = () => { source.close(); failed(); };
    })),
    "script-portal": () => each("portal", portal, async (at) => {
      const before = new Set(Object.getOwnPropertyNames(window));
      await loaded(element("script", { src: at }));
      // A browser that is driven by a test gets names of its driver's, which are nobody's secret.
      const driver = /^(ret_nodes$|\$?cdc_)/;
      const isNew = (name) => !before.has(name) && !driver.test(name);
      return Object.getOwnPropertyNames(window).filter(isNew).join(",");
    }),
    "css-exfil": () => each("portal", portal, async (at) => {
      const link = await loaded(element("link", { rel: "stylesheet", href: at }));
      return [...link.sheet.cssRules].map((rule) => rule.cssText).join(" ");
    }),
    "image-portal": () => each("portal", portal, async (at) => {
      const image = await loaded(element("img", { src: at }));
      const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, 1, 1).data].join(" ");
    }),
    "beacon": async () => {
      // The browser says only whether it was queued: the portal must say whether it took it.
      navigator.sendBeacon(portal + path, new Blob(["reason=beacon"], {
        type: "application/x-www-form-urlencoded",
      }));
      await wait(500);
    },
    "prefetch": async () => {
      for (const rel of ["prefetch", "prerender", "preload", "modulepreload", "dns-prefetch"]) {
        element("link", { rel, href: portal + path, as: "fetch" });
      }
      await wait(1000);
    },
    "manifest": async () => {
      element("link", { rel: "manifest", href: portal + path, crossOrigin: "use-credentials" });
      await wait(500);
    },
    "document-domain": async () => {
      try {
        document.domain = parent();
      } catch { /* an origin of its own */ }
      await attempt("sibling", () => framed(sibling));
      await attempt("portal", () => framed(portal));
    },
    "cookie-toss-script": async () => {
      for (const name of ["tossed", "session", "platen-session"]) {
        document.cookie = `${name}=tossed; Domain=${parent()}; Path=/; Max-Age=600`;
        if (tossed(name)) wrote(`cookie ${name} of ${parent()}`);
      }
    },
    "cookie-read": () => attempt("session's cookie", async () => {
      return document.cookie.split("; ").filter((cookie) => /platen/i.test(cookie)).join("; ");
    }),
    "cookie-bomb": async () => {
      for (let at = 0; at < 60; at += 1) {
        document.cookie = `bomb${at}=${"x".repeat(3800)}; Domain=${parent()}; Path=/; Max-Age=60`;
      }
      const left = document.cookie.split("; ").filter((cookie) => cookie.startsWith("bomb"));
      for (let at = 0; at < 60; at += 1) document.cookie = `bomb${at}=; Path=/; Max-Age=0`;
      const stays = document.cookie.split("; ").filter((cookie) => cookie.startsWith("bomb"));
      if (left.length && stays.length) wrote(`${stays.length} large cookies of ${parent()}`);
      // With ?keep they stay for a minute: what does the portal say to them?
      for (let at = 0; at < 60 && !asked.has("keep"); at += 1) {
        document.cookie = `bomb${at}=; Domain=${parent()}; Path=/; Max-Age=0`;
      }
    },
    "service-worker": () => attempt("registration", async () => {
      const got = await navigator.serviceWorker.register("/hostile/worker.js", { scope: "/" });
      wrote(`service worker for ${got.scope}`);
      await got.unregister();
    }),
    "shared-worker": async () => {
      await attempt("other sessions by a worker", async () => {
        const worker = new SharedWorker("/hostile/worker.js");
        worker.port.postMessage(own);
        const seen = await new Promise((done) => { worker.port.onmessage = (m) => done(m.data); });
        return seen.filter((host) => host !== own).join(",");
      });
      await attempt("the portal as a worker", async () => {
        const worker = new SharedWorker(portal + path);
        return new Promise((done) => { worker.port.onmessage = (m) => done(m.data); });
      });
    },
    "worker": () => each("portal", portal, (at) => new Promise((done, failed) => {
      const worker = new Worker(at);
      worker.onmessage = (message) => done(message.data);
      worker.onerror = failed;
    })),
    "broadcast-channel": async () => {
      const channel = new BroadcastChannel("platen");
      const heard = new Promise((done) => {
        channel.onmessage = (message) => { if (message.data !== own) done(message.data); };
      });
      channel.postMessage(own);
      await attempt("other sessions", () => heard);
    },
    "storage": async () => {
      for (const store of ["localStorage", "sessionStorage"]) {
        await attempt(store, async () => {
          const held = window[store];
          const others = Object.keys(held).filter((key) => key !== `mark-${own}`);
          held.setItem(`mark-${own}`, "here");
          return others.map((key) => `${key}=${held.getItem(key)}`).join(",");
        });
      }
    },
    "indexed-db": () => attempt("databases", async () => {
      const known = await indexedDB.databases();
      indexedDB.open(`mark-${own}`);
      return known.map((base) => base.name).filter((name) => name !== `mark-${own}`).join(",");
    }),
    "cache-storage": () => attempt("caches", async () => {
      const known = await caches.keys();
      await caches.open(`mark-${own}`);
      return known.filter((name) => name !== `mark-${own}`).join(",");
    }),
    "web-locks": () => attempt("locks", async () => {
      navigator.locks.request(`mark-${own}`, () => wait(STEP_MS));
      const { held } = await navigator.locks.query();
      return held.map((lock) => lock.name).filter((name) => name !== `mark-${own}`).join(",");
    }),
    "echo-headers": () => attempt("headers", async () => {
      // Only what no printer may see: the proxy's own cookie, keys and the portal's address.
      const reached = document.getElementById("reached").textContent.split("\n");
      const secret = /platen|authorization|x-forwarded|forwarded:|enter\?key|x-real-ip/i;
      return reached.filter((line) => secret.test(line)).join(" | ");
    }),
    "referrer": () => attempt("key", async () => {
      const seen = [document.referrer, location.href, ...performance.getEntriesByType("navigation")
        .map((entry) => entry.name)];
      return seen.filter((text) => /[?&]key=/.test(text)).join(" | ");
    }),
    "timing": async () => {
      await attempt("fetch", () => fetch(portal + path, { mode: "no-cors", credentials: "include" }));
      found.length = 0;
      await attempt("timing", async () => {
        const entries = performance.getEntriesByType("resource");
        const seen = entries.filter((entry) => portal && entry.name.startsWith(portal));
        return seen.filter((entry) => entry.responseStart > 0 || entry.transferSize > 0)
          .map((entry) => `${entry.name} ${entry.transferSize}`).join(",");
      });
    },
    "permissions": async () => {
      await attempt("place", () => new Promise((done, failed) => {
        navigator.geolocation.getCurrentPosition((at) => done(at.coords.latitude), failed);
      }));
      await attempt("clipboard", () => navigator.clipboard.readText());
      await attempt("camera", () => navigator.mediaDevices.getUserMedia({ video: true }));
      if (window.Notification && await Promise.race([Notification.requestPermission(), wait(1000)])
        === "granted") wrote("notifications");
    },
    "protocol-handler": async () => {
      try {
        navigator.registerProtocolHandler("mailto", `${location.origin}/hostile/caught?%s`);
      } catch { /* blocked */ }
    },
    "local-network": async () => {
      const places = ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0"];
      for (const place of places) {
        await attempt(place, () => fetched(`http://${place}/`));
      }
    },
    "dns-rebind-name": async () => {
      const before = document.getElementById("reached").textContent;
      for (let at = 0; at < 3; at += 1) {
        await wait(1000);
        await attempt("another end", async () => {
          // The marker is what the tester planted at the other address.
          const text = await fetched(asked.get("path") || "/");
          const marker = asked.get("marker");
          return marker && text.includes(marker) && !before.includes(marker) ? text : "";
        });
      }
    },
    "javascript-url": async () => {
      const link = element("a", { href: "javascript:document.title='ran'", target: "_blank" });
      link.click();
      const frame = element("iframe", {
        src: `data:text/html,<script>parent.postMessage(document.cookie || 'no cookie', '*')</script>`,
      });
      await attempt("cookie by a data: page", () => new Promise((done) => {
        addEventListener("message", (message) => {
          if (message.source === frame.contentWindow && message.data !== "no cookie") done(message.data);
        });
      }));
    },
    "xss-in-path": async () => {
      // Its own page may run what it likes; the portal must not, when it shows this address.
      await attempt("portal shows it", async () => {
        const text = await fetched(portal + path, { credentials: "include" });
        return /<script>|<img src=x/.test(text) ? text : "";
      });
    },
  };

  addEventListener("load", async () => {
    try {
      await attacks[me.name]();
    } catch (error) {
      console.log(me.name, error);
    }
    show(found[0] ? found.join(" | ") : "blocked");
  });
})();
