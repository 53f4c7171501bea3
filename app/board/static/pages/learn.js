// Learn: lists, vectors and models in use, the list of a track or listener, and two lists compared.

import { html, nothing } from "../vendor/lit-html.js";
import { get } from "../api.js";
import { Asked } from "../asked.js";
import { histogram } from "../charts/bars.js";
import { chartFigure } from "../charts/figure.js";
import { count, plural, share, short } from "../format.js";
import { empty, files, heading, track, trackName } from "../parts.js";
import { modelTable, table } from "./learn_tables.js";

/** @param {() => void} update Draws the page again. */
export function learnPage(update) {
  const artifacts = new Asked(update);
  const list = new Asked(update);
  const overlap = new Asked(update);
  const view = () =>
    html` ${heading("Learn", "The lists, vectors and models that the strategies read.")}
      <div class="stack">
        ${artifacts.problem ? artifacts.notice("Nothing to show") : nothing}
        ${artifacts.value ? content(artifacts.value, list, overlap) : artifacts.problem ? nothing : html`<p class="quiet">Reading …</p>`}
      </div>`;
  return { title: "Learn", enter: () => artifacts.ask(() => get("artifacts")), view };
}

function content({ catalog, top, lists, vectors, models }, list, overlap) {
  return html` <section class="card facts catalog">
      <h2>Catalog</h2>
      <dl>
        <div>
          <dt>Tracks</dt>
          <dd>${count(catalog.tracks)}</dd>
        </div>
        <div>
          <dt>Artists</dt>
          <dd>${count(catalog.artists)}</dd>
        </div>
        <div>
          <dt>File</dt>
          <dd><code>${catalog.path}</code></dd>
        </div>
        ${
          catalog.fields?.length
            ? html`<div>
                <dt>Fields</dt>
                <dd>${catalog.fields.join(", ")}</dd>
              </div>`
            : nothing
        }
        ${
          top
            ? html`<div>
                <dt>Popular tracks</dt>
                <dd>${count(top.tracks)} <code>${top.path}</code></dd>
              </div>`
            : nothing
        }
      </dl>
    </section>
    ${
      lists.length
        ? html` <section class="card">
              <h2>Lists</h2>
              ${table("Lists", lists, [
                ["of", "text", (each) => (each.of === "user" ? "listener" : each.of)],
                ["rows", "", (each) => count(each.rows)],
                ["entries", "", (each) => count(each.entries)],
              ])}
              ${files("artifacts", "All artifacts")}
            </section>
            <div class="cards">
              ${lookUp(lists, list)}
              ${alike(lists).length ? comparison(alike(lists), overlap) : nothing}
            </div>`
        : empty("No list in use", "The config names none. segue train makes lists out of logs.")
    }
    ${
      vectors.length
        ? html`<section class="card">
            <h2>Vectors</h2>
            ${table("Vectors", vectors, [
              ["rows", "", (each) => count(each.rows)],
              ["dimensions", "", (each) => count(each.dimensions)],
            ])}
          </section>`
        : nothing
    }
    ${
      models.length
        ? html`<section class="card">
            <h2>Models</h2>
            ${modelTable(models)}
          </section>`
        : nothing
    }`;
}

function lookUp(lists, list) {
  const open = (event) => {
    event.preventDefault();
    const { name, id } = Object.fromEntries(new FormData(event.target));
    list.ask(() => get(`lists/${encodeURIComponent(name)}/${encodeURIComponent(id.trim())}`));
  };
  return html`<section class="card stack">
    <h2>A list</h2>
    <form class="ask two" @submit=${open}>
      ${choice("list-name", "name", "List", lists)}
      <div class="field">
        <label for="list-id">Track or listener</label
        ><input id="list-id" name="id" required autocomplete="off" placeholder="1" />
      </div>
      <button>Open</button>
    </form>
    ${list.notice("No list to show")} ${list.value ? found(list.value) : nothing}
  </section>`;
}

function found({ name, id, of, tracks }) {
  const path = `lists/${encodeURIComponent(name)}/${encodeURIComponent(id)}`;
  const scored = tracks.some(({ score }) => score != null);
  return html`<p>
      <b>${name}</b> of ${of ? trackName(of) : `listener ${id}`}, ${plural(tracks.length, "track")}
    </p>
    <div class="scroll few" tabindex="0" role="group" aria-label="Tracks of the list">
      <table>
        <thead>
          <tr>
            <th scope="col">rank</th>
            <th scope="col" class="text">track</th>
            ${scored ? html`<th scope="col">score</th>` : nothing}
          </tr>
        </thead>
        <tbody>
          ${tracks.map(
            (each) =>
              html`<tr>
                <td class="rank">${each.rank}</td>
                <th scope="row">${track(each)}</th>
                ${scored ? html`<td>${short(each.score)}</td>` : nothing}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${files(path, "This list")}`;
}

/** Lists that can be compared: of tracks with lists of tracks, of listeners with those of listeners. */
function alike(lists) {
  return lists.filter((each) => lists.some((other) => other !== each && other.of === each.of));
}

function comparison(lists, overlap) {
  const compare = (event) => {
    event.preventDefault();
    overlap.ask(() => get(`lists/overlap?${new URLSearchParams(new FormData(event.target))}`));
  };
  return html`<section class="card stack">
    <h2>Two lists compared</h2>
    <form class="ask two" @submit=${compare}>
      ${choice("list-a", "a", "List", lists)} ${choice("list-b", "b", "and", lists, 1)}
      <button>Compare</button>
    </form>
    ${overlap.notice("No comparison to show")} ${overlap.value ? compared(overlap.value) : nothing}
  </section>`;
}

function compared({ a, b, k, both, only_a, only_b, overlap, jaccard, histogram: rows }) {
  return html`<p class="figure">${share(overlap)}</p>
    <p class="quiet">
      of the first ${k} tracks of a row are in both (Jaccard ${short(jaccard)}).
      ${plural(both, "row")} in both; only in ${a}: ${count(only_a)}; only in ${b}:
      ${count(only_b)}.
    </p>
    ${chartFigure({
      title: "Rows by the number of shared tracks",
      sentence: `On average ${share(overlap)} of the first ${k} tracks are in both lists.`,
      draw: histogram(
        rows.map(({ shared, rows: number }) => ({ name: shared, value: number })),
        160,
      ),
      size: "medium",
      columns: ["shared tracks", "rows"],
      rows: rows.map(({ shared, rows: number }) => [shared, count(number)]),
    })}
    ${files("lists/overlap", "This comparison", `?${new URLSearchParams({ a, b })}`)}`;
}

function choice(id, name, label, lists, chosen = 0) {
  return html`<div class="field">
    <label for=${id}>${label}</label
    ><select id=${id} name=${name}>
      ${lists.map((each, place) => html`<option ?selected=${place === chosen}>${each.name}</option>`)}
    </select>
  </div>`;
}
