// A decision: found by its id or its listener, then told step by step and made again.

import { html, nothing } from "../vendor/lit-html.js";
import { get } from "../api.js";
import { Asked } from "../asked.js";
import { clock, count, moment, short } from "../format.js";
import { empty, files, heading, track } from "../parts.js";
import { story } from "./decision_story.js";

const SHOWN = 20;

/** @param {() => void} update Draws the page again. */
export function decisionPage(update) {
  const list = new Asked(update);
  const one = new Asked(update);
  let id = "";
  let listener = "";

  function enter(rest, query) {
    id = rest[0] ?? "";
    listener = query.get("listener") ?? "";
    one.forget();
    if (id) one.ask(() => get(`decisions/${encodeURIComponent(id)}`));
    else list.ask(() => get(`decisions?${search()}`));
  }

  const search = (limit = SHOWN) => {
    const asked = new URLSearchParams({ limit });
    if (listener) asked.set("listener", listener);
    return asked;
  };

  const view = () => html`
    ${heading("A decision", "Why did a listener get this track? And would the same config give it again?")}
    ${form(id, listener)} ${id ? shown(one, id) : latest(list, listener, search)}
  `;
  return { title: "Decision", heading: () => (id ? `Decision ${id}` : "A decision"), enter, view };
}

function form(id, listener) {
  return html`<div class="cards finders">
    <form
      class="card ask"
      @submit=${(event) => go(event, (value) => `#/decision/${encodeURIComponent(value)}`)}
    >
      <div class="field">
        <label for="decision-id">Decision</label>
        <input
          id="decision-id"
          name="value"
          .value=${id}
          placeholder="a1b2c3-9"
          autocomplete="off"
          spellcheck="false"
          required
        />
      </div>
      <button>Open</button>
    </form>
    <form
      class="card ask"
      @submit=${(event) => go(event, (value) => `#/decision?listener=${encodeURIComponent(value)}`)}
    >
      <div class="field">
        <label for="decision-listener">Listener</label>
        <input
          id="decision-listener"
          name="value"
          .value=${listener}
          placeholder="7"
          autocomplete="off"
          spellcheck="false"
        />
      </div>
      <button>List</button>
    </form>
  </div>`;
}

function go(event, where) {
  event.preventDefault();
  const value = new FormData(event.target).get("value").trim();
  const next = value ? where(value) : "#/decision";
  if (location.hash === next) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = next;
}

function shown(one, id) {
  if (one.problem) return one.notice(`No decision ${id} to show`);
  return one.value ? story(one.value) : html`<p class="quiet">Making the decision again …</p>`;
}

function latest(list, listener, search) {
  if (list.problem) return list.notice("No decisions to show");
  if (!list.value) return html`<p class="quiet">Reading the log …</p>`;
  const { decisions } = list.value;
  if (!decisions.length) {
    return listener
      ? empty(
          `No turn of listener ${listener}`,
          "The log has none. Is the name written as in the requests?",
        )
      : empty("No decision yet", "The log has no turn. Take the seat, or run segue simulate.");
  }
  return html`<section class="card">
    <h2>${listener ? `Latest turns of listener ${listener}` : "Latest turns"}</h2>
    <div class="scroll" tabindex="0" role="group" aria-label="Latest turns">
      <table class="turns">
        <thead>
          <tr>
            <th scope="col" class="text">at (UTC)</th>
            <th scope="col" class="text">listener</th>
            <th scope="col" class="wide-only">turn</th>
            <th scope="col" class="text wide-only">heard</th>
            <th scope="col" class="wide-only">share</th>
            <th scope="col" class="text">then played</th>
            <th scope="col" class="text wide-only">arm</th>
            <th scope="col" class="text wide-only">answered by</th>
            <th scope="col" class="wide-only">propensity</th>
          </tr>
        </thead>
        <tbody>
          ${decisions.map(row)}
        </tbody>
      </table>
    </div>
    ${files("decisions", "These turns", `?${search()}`)}
  </section>`;
}

function row(each) {
  const { decision, at_ms, user, turn, heard, strategy, answered_by, propensity, experiments } =
    each;
  const arms = Object.entries(experiments ?? {}).map(([name, arm]) => `${name}: ${arm}`);
  return html`<tr>
    <th scope="row">
      <a
        href="#/decision/${encodeURIComponent(decision)}"
        title=${moment(at_ms)}
        aria-label="Decision ${decision} at ${clock(at_ms)}"
        >${clock(at_ms)}</a
      >
    </th>
    <td class="text"><a href="#/decision?listener=${encodeURIComponent(user)}">${user}</a></td>
    <td class="wide-only">${count(turn)}</td>
    <td class="text wide-only">${heard ? track(heard) : "–"}</td>
    <td class="wide-only">${heard ? heard.time.toFixed(2) : "–"}</td>
    <td class="text">${each.track ? track(each.track) : "–"}</td>
    <td class="text wide-only">
      ${arms.join(", ") || "none"}${each.seat ? html` <span class="tag">seat</span>` : nothing}${each.forced ? html` <span class="tag">forced</span>` : nothing}
    </td>
    <td class="text wide-only">
      ${answered_by === strategy ? answered_by : `${answered_by} for ${strategy}`}
    </td>
    <td class="wide-only">${short(propensity)}</td>
  </tr>`;
}
