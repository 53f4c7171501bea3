// The player of the seat, with its three answers and a slider, and the session so far.

import { html, nothing } from "../vendor/lit-html.js";
import { notice } from "../parts.js";
import { listen } from "./decision_story.js";
import { comparison } from "./seat_comparison.js";

/** The share heard of each answer, by its key. */
export const ANSWERS = [
  { key: "1", word: "Skip", time: 0.1 },
  { key: "2", word: "Half", time: 0.5 },
  { key: "3", word: "Loved", time: 1 },
];

/**
 * The seat while somebody has it: the player, the arms side by side, and the session so far.
 * @param {object} seat Its state.
 * @param {import("../asked.js").Asked} turn The turn that is under way.
 * @param {(time: number, end?: boolean) => void} heard Says how much was heard.
 * @param {(news: object) => void} change Changes the state.
 */
export function played(seat, turn, heard, change) {
  return html`<div class="seat">
    <div class="stack">
      ${seat.playing ? player(seat, turn, heard, change) : notice("", "The session has ended", "Leave the seat and take it again to start a new one.")}
      ${seat.last ? comparison(seat.last) : html`<p class="card quiet">Say how much of the track you heard. Then you see here what each arm would play next, and why.</p>`}
    </div>
    <section class="card session">
      <h2>Session of ${seat.listener}</h2>
      ${seat.patience == null ? nothing : html`<p class="quiet">${Math.max(0, seat.patience).toFixed(2)} skips left</p>`}
      ${
        seat.listens.length
          ? html`<ol class="listens">
              ${[...seat.listens].reverse().map(listen)}
            </ol>`
          : html`<p class="quiet">Nothing heard yet.</p>`
      }
    </section>
  </div>`;
}

function player(seat, turn, heard, change) {
  const { playing, share, last } = seat;
  const send = (end) => heard(seat.share / 100, end); // the share of now, not of the last drawing
  return html`<section class="card player" tabindex="-1" aria-label="Now playing">
    <p class="over">
      Now playing${last?.answer ? html` · answered by ${last.answer.answered_by}` : nothing}
    </p>
    <div role="status">
      <p class="title">${playing.title || `track ${playing.track}`}</p>
      <p class="artist">${playing.artist}</p>
    </div>
    <div class="answers">
      ${ANSWERS.map(
        ({ key, word, time }) =>
          html`<button
            aria-disabled=${turn.waiting}
            aria-keyshortcuts=${key}
            @click=${() => heard(time)}
          >
            ${word} <kbd aria-hidden="true">${key}</kbd>
          </button>`,
      )}
    </div>
    <form
      class="slider"
      @submit=${(event) => {
        event.preventDefault();
        send(false);
      }}
    >
      <label for="share">Share heard</label>
      <input
        id="share"
        type="range"
        min="0"
        max="100"
        step="5"
        .value=${String(share)}
        aria-valuetext="${share} percent"
        @input=${(event) => change({ share: Number(event.target.value) })}
      />
      <span class="amount" aria-hidden="true">${share} %</span>
      <button aria-disabled=${turn.waiting}>Send</button>
      <button type="button" class="plain" aria-disabled=${turn.waiting} @click=${() => send(true)}>
        Send and end
      </button>
    </form>
  </section>`;
}
