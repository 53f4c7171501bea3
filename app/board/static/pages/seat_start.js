// The form in which somebody takes the seat: who they are, and what they hear first.

import { html, nothing } from "../vendor/lit-html.js";

/**
 * The form in which somebody takes the seat.
 * @param {object} seat Its state.
 * @param {import("../asked.js").Asked} found Tracks of the search.
 * @param {import("../asked.js").Asked} latest The latest turns, to pick a listener of one.
 * @param {{search: Function, sit: Function, choose: Function}} acts
 */
export function start(seat, found, latest, { search, sit, choose }) {
  const tracks = seat.chosen ? [] : (found.value?.tracks ?? []);
  return html`<form class="card stack sit" @submit=${sit}>
    <div class="field">
      <label for="listener">Listener: an existing one, or a name that you invent</label>
      <input
        id="listener"
        name="listener"
        required
        value="me"
        list="listeners"
        autocomplete="off"
        spellcheck="false"
      />
      <datalist id="listeners">
        ${listeners(latest).map((each) => html`<option value=${each}></option>`)}
      </datalist>
    </div>
    <div class="field">
      <label for="first">Start with a track (optional): search by title or artist</label>
      <input
        id="first"
        type="search"
        autocomplete="off"
        .value=${seat.text}
        placeholder="Leave it empty, and the server chooses"
        @input=${search}
      />
    </div>
    ${found.notice("No search")}
    ${
      found.value && !seat.chosen
        ? html`<ul class="found" aria-label="Tracks found">
            ${tracks.map(
              (each) =>
                html`<li>
                  <button type="button" class="plain" @click=${() => choose(each)}>
                    <b>${each.title}</b> ${each.artist}
                  </button>
                </li>`,
            )}${tracks.length ? nothing : html`<li class="quiet">No track has this in its title or artist.</li>`}
          </ul>`
        : nothing
    }
    <div class="field">
      <label for="patience"
        >Skips until you leave (optional): a listen costs the share that you did not hear, as it
        does the simulator’s listeners on average. They have 5</label
      >
      <input
        id="patience"
        name="patience"
        type="number"
        min="1"
        max="1000"
        step="1"
        inputmode="numeric"
        placeholder="No limit"
      />
    </div>
    <p><button class="main">Take the seat</button></p>
  </form>`;
}

/** Listeners of the latest turns, to pick one. */
function listeners({ value }) {
  return [...new Set((value?.decisions ?? []).map(({ user }) => String(user)))];
}
