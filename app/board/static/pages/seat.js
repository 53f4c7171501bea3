// The seat: be a listener. Hear a track, say how much of it, and see what each arm would play next.

import { html, nothing } from "../vendor/lit-html.js";
import { get, post } from "../api.js";
import { Asked } from "../asked.js";
import { heading, notice, trackName } from "../parts.js";
import { comparison } from "./seat_comparison.js";
import { listen } from "./decision_story.js";

/** The share heard of each answer, by its key. */
const ANSWERS = [
  { key: "1", word: "Skip", time: 0.1 },
  { key: "2", word: "Half", time: 0.5 },
  { key: "3", word: "Loved", time: 1 },
];
const PATIENCE_MS = 150;

/** @param {() => void} update Draws the page again. */
export function seatPage(update) {
  const found = new Asked(update);
  const turn = new Asked(update);
  const latest = new Asked(update);
  const seat = { listener: "", playing: null, listens: [], last: null, share: 50, text: "", chosen: null, typing: 0, patience: null };

  const change = (news) => {
    Object.assign(seat, news);
    update();
  };

  function search(event) {
    clearTimeout(seat.typing);
    change({ text: event.target.value, chosen: null });
    const q = seat.text.trim();
    if (!q) return found.forget();
    const ask = () => found.ask(() => get(`tracks?${new URLSearchParams({ q, limit: 6 })}`));
    seat.typing = setTimeout(ask, PATIENCE_MS);
  }

  async function sit(event) {
    event.preventDefault();
    const listener = new FormData(event.target).get("listener").trim();
    const from = { listener, listens: [], last: null, patience: patience(event.target) };
    const first = seat.text.trim() ? (seat.chosen ?? found.value?.tracks[0]) : null;
    if (first) return begin({ ...from, playing: first });
    const answer = await turn.ask(() => post("seat", { listener }));
    if (answer) begin({ ...from, playing: answer.track, last: { answer, arms: null, after: null } });
  }

  /** Show the player, and move the focus there: the form that had it is gone. */
  function begin(news) {
    change(news);
    requestAnimationFrame(() => document.querySelector(".player")?.focus());
  }

  function choose(track) {
    change({ chosen: track, text: trackName(track) });
    document.getElementById("first").focus();
  }

  /** Say how much of the track was heard. The arms are asked first: asking changes nothing. */
  async function heard(time, end = false) {
    if (turn.waiting || !seat.playing) return;
    const { listener, playing } = seat;
    const left = seat.patience == null ? null : seat.patience - (1 - time);
    const ends = end || (left != null && left < 1e-9);
    const body = { listener, track: playing.track, time };
    const came = await turn.ask(async () => ({
      arms: ends ? null : (await post("seat/compare", body)).arms,
      answer: await post("seat", { ...body, end: ends }),
    }));
    if (!came) return;
    const after = { ...playing, time };
    change({ playing: came.answer.track, listens: [...seat.listens, after], last: { ...came, after }, patience: left });
  }

  function pressed(event) {
    const typing = event.target.closest("input:not([type=range]), textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const answer = ANSWERS.find(({ key }) => key === event.key);
    if (answer) heard(answer.time);
  }

  return {
    title: "Seat",
    heading: () => "The seat",
    enter() {
      document.addEventListener("keydown", pressed);
      latest.ask(() => get("decisions?limit=100"));
    },
    leave: () => document.removeEventListener("keydown", pressed),
    view: () => html`
      ${heading("The seat", "You are the listener. Your turns are logged with “seat”, and no analysis counts them.",
        seat.listener ? html`<button @click=${() => change({ listener: "", playing: null })}>Leave the seat</button>` : nothing)}
      ${turn.problem ? html`<div class="above">${turn.notice("That turn was not taken")}</div>` : nothing}
      ${seat.listener ? played(seat, turn, heard, change) : start(seat, found, listeners(latest), { search, sit, choose })}`,
  };
}

/** Skips until the listener leaves, as in the simulator; null for one who never does. */
function patience(form) {
  const skips = new FormData(form).get("patience");
  return skips ? Number(skips) : null;
}

/** Listeners of the latest turns, to pick one. */
function listeners({ value }) {
  return [...new Set((value?.decisions ?? []).map(({ user }) => String(user)))];
}

function start(seat, found, known, { search, sit, choose }) {
  const tracks = seat.chosen ? [] : (found.value?.tracks ?? []);
  return html`<form class="card stack sit" @submit=${sit}>
    <div class="field"><label for="listener">Listener: an existing one, or a name that you invent</label>
      <input id="listener" name="listener" required value="me" list="listeners" autocomplete="off" spellcheck="false">
      <datalist id="listeners">${known.map((each) => html`<option value=${each}></option>`)}</datalist></div>
    <div class="field"><label for="first">Start with a track (optional): search by title or artist</label>
      <input id="first" type="search" autocomplete="off" .value=${seat.text}
        placeholder="Leave it empty, and the server chooses" @input=${search}></div>
    ${found.notice("No search")}
    ${found.value && !seat.chosen ? html`<ul class="found" aria-label="Tracks found">${tracks.map(
      (each) => html`<li><button type="button" class="plain" @click=${() => choose(each)}><b>${each.title}</b> ${each.artist}</button></li>`,
    )}${tracks.length ? nothing : html`<li class="quiet">No track has this in its title or artist.</li>`}</ul>` : nothing}
    <div class="field"><label for="patience">Skips until you leave (optional): a listen costs one less its share heard, as in the simulator</label>
      <input id="patience" name="patience" type="number" min="1" max="1000" step="1" inputmode="numeric" placeholder="No limit"></div>
    <p><button class="main">Take the seat</button></p>
  </form>`;
}

function played(seat, turn, heard, change) {
  return html`<div class="seat">
    <div class="stack">
      ${seat.playing ? player(seat, turn, heard, change) : notice("", "The session has ended", "Leave the seat and take it again to start a new one.")}
      ${seat.last ? comparison(seat.last) : html`<p class="card quiet">Say how much of the track you heard. Then you see here what each arm would play next, and why.</p>`}
    </div>
    <section class="card session"><h2>Session of ${seat.listener}</h2>
      ${seat.patience == null ? nothing : html`<p class="quiet">${Math.max(0, seat.patience).toFixed(2)} skips left</p>`}
      ${seat.listens.length ? html`<ol class="listens">${[...seat.listens].reverse().map(listen)}</ol>` : html`<p class="quiet">Nothing heard yet.</p>`}
    </section>
  </div>`;
}

function player(seat, turn, heard, change) {
  const { playing, share, last } = seat;
  const send = (end) => heard(seat.share / 100, end); // the share of now, not of the last drawing
  return html`<section class="card player" tabindex="-1" aria-label="Now playing">
    <p class="over">Now playing${last?.answer ? html` · answered by ${last.answer.answered_by}` : nothing}</p>
    <div role="status"><p class="title">${playing.title || `track ${playing.track}`}</p><p class="artist">${playing.artist}</p></div>
    <div class="answers">${ANSWERS.map(
      ({ key, word, time }) => html`<button ?disabled=${turn.waiting} aria-keyshortcuts=${key} @click=${() => heard(time)}>${word} <kbd aria-hidden="true">${key}</kbd></button>`,
    )}</div>
    <form class="slider" @submit=${(event) => { event.preventDefault(); send(false); }}>
      <label for="share">Share heard</label>
      <input id="share" type="range" min="0" max="100" step="5" .value=${String(share)} aria-valuetext="${share} percent"
        @input=${(event) => change({ share: Number(event.target.value) })}>
      <span class="amount" aria-hidden="true">${share} %</span>
      <button ?disabled=${turn.waiting}>Send</button>
      <button type="button" class="plain" ?disabled=${turn.waiting} @click=${() => send(true)}>Send and end</button>
    </form>
  </section>`;
}
