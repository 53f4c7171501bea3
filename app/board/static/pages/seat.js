// The seat: be a listener. Hear a track, say how much of it, and see what each arm would play next.

import { html, nothing } from "../vendor/lit-html.js";
import { get, post } from "../api.js";
import { Asked } from "../asked.js";
import { heading, trackName } from "../parts.js";
import { ANSWERS, played } from "./seat_player.js";
import { start } from "./seat_start.js";

const PATIENCE_MS = 150;

/** @param {() => void} update Draws the page again. */
export function seatPage(update) {
  const found = new Asked(update);
  const turn = new Asked(update);
  const latest = new Asked(update);
  const seat = {
    listener: "",
    playing: null,
    listens: [],
    last: null,
    share: 50,
    text: "",
    chosen: null,
    typing: 0,
    patience: null,
  };

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
    if (answer)
      begin({ ...from, playing: answer.track, last: { answer, arms: null, after: null } });
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
    change({
      playing: came.answer.track,
      listens: [...seat.listens, after],
      last: { ...came, after },
      patience: left,
    });
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
    view: () =>
      html` ${heading(
        "The seat",
        "You are the listener. Your turns are logged with “seat”, and no analysis counts them.",
        seat.listener
          ? html`<button @click=${() => change({ listener: "", playing: null })}>
              Leave the seat
            </button>`
          : nothing,
      )}
      ${turn.problem ? html`<div class="above">${turn.notice("That turn was not taken")}</div>` : nothing}
      ${seat.listener ? played(seat, turn, heard, change) : start(seat, found, latest, { search, sit, choose })}`,
  };
}

/** Skips until the listener leaves, as in the simulator; null for one who never does. */
function patience(form) {
  const skips = new FormData(form).get("patience");
  return skips ? Number(skips) : null;
}
