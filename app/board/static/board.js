// The board: its frame, the page that the address names, and what a screen reader hears.

import { html, nothing, render } from "./vendor/lit-html.js";
import { address } from "./api.js";
import { announcer } from "./announcements.js";
import { follow } from "./live.js";
import { configPage } from "./pages/config.js";
import { decisionPage } from "./pages/decision.js";
import { experimentsPage } from "./pages/experiments.js";
import { learnPage } from "./pages/learn.js";
import { seatPage } from "./pages/seat.js";

const CONNECTIONS = {
  connecting: ["", "Connecting"],
  live: ["good", "Live"],
  paused: ["", "Paused"],
  lost: ["bad", "Reconnecting"],
};

const live = { snapshot: null, connection: "connecting", problem: null };
const pages = {
  experiments: experimentsPage(live),
  decision: decisionPage(update),
  seat: seatPage(update),
  config: configPage(update),
  learn: learnPage(update),
};
const changes = announcer();
let open = "";
let said = "";
let drawing = 0;

/** Draw again, at the browser's next frame. */
function update() {
  drawing ||= requestAnimationFrame(draw);
}

/** Read the address: `#/decision/ab-1?x=y` is the page, the rest of its path, and its query. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  return { name: name in pages ? name : "experiments", rest, query: new URLSearchParams(query) };
}

function arrive() {
  const { name, rest, query } = place();
  if (open && open !== name) pages[open].leave?.();
  const first = open === "";
  open = name;
  pages[name].enter?.(rest, query);
  draw();
  if (first) return;
  window.scrollTo(0, 0);
  document.querySelector("h1")?.focus({ preventScroll: true });
}

function draw() {
  cancelAnimationFrame(drawing);
  drawing = 0;
  const page = pages[open];
  document.title = `${page.heading?.() ?? page.title} · Segue`;
  render(frame(page), document.body);
}

function frame(page) {
  const [lamp, word] = CONNECTIONS[live.connection];
  return html`
    <a class="skip" href="#content" @click=${skip}>Skip to the content</a>
    <header class="frame">
      <a class="brand" href="#/experiments">
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path class="a" d="M3 17h5c5 0 4-10 9-10h4"></path>
          <path class="b" d="M3 7h5c5 0 4 10 9 10h4"></path>
        </svg>
        Segue
      </a>
      <nav class="places" aria-label="Pages">
        ${Object.entries(pages).map(
          ([name, { title }]) =>
            html`<a href="#/${name}" aria-current=${name === open ? "page" : nothing}>${title}</a>`,
        )}
      </nav>
      <p class="connection"><span class="lamp ${lamp}"></span>${word}</p>
    </header>
    <main id="content" tabindex="-1" class=${page.wide ? "wide" : ""}>${page.view()}</main>
    <p class="visually-hidden" role="status" aria-live="polite" id="changes">${said}</p>
  `;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

document.body.replaceChildren();
window.addEventListener("hashchange", arrive);
arrive();
follow(address("live"), (state) => {
  Object.assign(live, state);
  const news = live.snapshot ? changes(live.snapshot) : [];
  if (news.length) said = news.join(" ");
  update();
});
