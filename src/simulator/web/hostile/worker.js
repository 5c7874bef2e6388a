// What a hostile service worker, worker or shared worker does: it stays, and answers for the origin.
"use strict";
self.addEventListener("install", () => self.skipWaiting?.());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") {
    event.respondWith(new Response("<title>wrote: service worker answers</title>", {
      headers: { "Content-Type": "text/html" },
    }));
  }
});
self.seen = self.seen || [];
self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  port.onmessage = (message) => {
    port.postMessage(self.seen);
    self.seen.push(message.data);
  };
});
