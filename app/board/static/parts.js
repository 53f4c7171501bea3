// Parts that several pages share: notices, tracks, links to tables, arms.

import { html, nothing } from "./vendor/lit-html.js";
import { address } from "./api.js";
import { moment, plural } from "./format.js";

/** A sentence that stands out: `good`, `bad`, `warn` or calm. */
export function notice(kind, title, text = "", more = nothing) {
  return html`<div class="notice ${kind}">
    <strong>${title}</strong>${text ? html`<p>${text}</p>` : nothing}${more}
  </div>`;
}

/** What stands on a page that has nothing to show yet. */
export function empty(title, text) {
  return html`<div class="card empty">
    <strong>${title}</strong>
    <p>${text}</p>
  </div>`;
}

/** The heading of a page, which gets the focus when the page opens. */
export function heading(title, under = nothing, aside = nothing) {
  return html`<div class="head">
    <div>
      <h1 tabindex="-1">${title}</h1>
      ${under === nothing ? nothing : html`<p class="under">${under}</p>`}
    </div>
    ${aside}
  </div>`;
}

/** A track: its title, then its artist. */
export function track({ track: id, title, artist }) {
  return html`<span class="track"><b>${title || `track ${id}`}</b> <span>${artist}</span></span>`;
}

/** A track in one line of text. */
export function trackName({ track: id, title, artist }) {
  return title ? `${title} by ${artist}` : `track ${id}`;
}

/** Links to the same numbers as files; `query` begins with `?` or is empty. */
export function files(path, what, query = "") {
  const link = (form) => `${address(path)}${query ? `${query}&` : "?"}format=${form}`;
  return html`<p class="links">
    <span>${what} as</span>
    <a href=${link("csv")} download aria-label="${what} as CSV">CSV</a>
    <a href=${link("md")} aria-label="${what} as Markdown">Markdown</a>
  </p>`;
}

/** An arm with its colour. */
export function arm(name, place) {
  return html`<span class="arm"><span class="dot arm-${place % 8}"></span>${name}</span>`;
}

/** The place of an arm, which gives its colour: the control is the first. */
export function placeOf(name, arms) {
  return Math.max(
    0,
    arms.findIndex((each) => each.name === name),
  );
}

/** Of which log the numbers are, and until when. */
export function made({ log }) {
  if (log?.until_ms == null) return "";
  return `${plural(log.lines, "line")} of the log, until ${moment(log.until_ms)} UTC`;
}
