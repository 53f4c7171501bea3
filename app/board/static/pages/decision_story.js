// The story of one decision, in the order in which it was made.

import { html, nothing } from "../vendor/lit-html.js";
import { bar } from "../charts/bars.js";
import "../charts/drawing.js";
import { count, moment, plural, short } from "../format.js";
import { files, notice, track, trackName } from "../parts.js";

const OUTCOMES = {
  answered: ["good", "answered"],
  abstained: ["", "abstained"],
  failed: ["bad", "failed"],
  "not asked": ["", "not asked"],
};

/** The decision as steps, the verdict of making it again first. */
export function story(one) {
  return html`<div class="stack">
    <section class="card played">
      <p class="over">
        ${moment(one.at_ms)} UTC · listener
        <a href="#/decision?listener=${encodeURIComponent(one.user)}">${one.user}</a> · turn
        ${count(one.turn)}
      </p>
      <p class="title">${one.draw.tracks.length ? one.draw.tracks.map(track) : "No track"}</p>
      <p class="quiet">
        Decision <code>${one.decision}</code>, config <code>${one.config}</code>, at
        <code>${one.where}</code>
      </p>
    </section>
    ${again(one.made_again)}
    <ol class="steps">
      ${step("Heard before", heard(one))} ${step("Slot and arm", sentences(one.arms))}
      ${step("Chain", chain(one.chain))} ${step("Candidates", candidates(one))}
      ${step("The draw", draw(one))}
      ${step("The event as logged", html`<pre tabindex="0" aria-label="The event as logged">${JSON.stringify(one.event, null, 2)}</pre>`)}
    </ol>
  </div>`;
}

function again(made) {
  if (!made)
    return notice(
      "warn",
      "Not made again",
      "The config of this decision is not kept beside the log.",
    );
  if (made.same)
    return notice(
      "good",
      "Made again now: the same",
      "The config that decided gives the same track with the same propensity.",
    );
  return notice(
    "bad",
    "Made again now: not the same",
    "The log and the config disagree about this decision.",
    html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col" class="text">field</th>
            <th scope="col" class="text">logged</th>
            <th scope="col" class="text">made again</th>
          </tr>
        </thead>
        <tbody>
          ${made.differing.map(
            ({ field, logged, replayed }) =>
              html`<tr>
                <th scope="row">${field}</th>
                <td class="text wrap"><code>${JSON.stringify(logged)}</code></td>
                <td class="text wrap"><code>${JSON.stringify(replayed)}</code></td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`,
  );
}

function step(title, content) {
  return html`<li class="card step">
    <h2>${title}</h2>
    ${content}
  </li>`;
}

function heard({ heard: listens, heard_count: all }) {
  if (!listens.length)
    return html`<p class="quiet">Nothing: this is the listener's first turn.</p>`;
  const first =
    all > listens.length
      ? html`<p class="quiet">
          The last ${listens.length} of ${plural(all, "listen")}, the newest last.
        </p>`
      : nothing;
  const earlier = listens.filter(({ in_session }) => !in_session);
  const now = listens.filter(({ in_session }) => in_session);
  return html`${first}
  ${
    earlier.length
      ? html`<h3>In earlier sessions</h3>
          <ol class="listens">
            ${earlier.map(listen)}
          </ol>`
      : nothing
  }
  ${
    now.length
      ? html`<h3>In this session</h3>
          <ol class="listens">
            ${now.map(listen)}
          </ol>`
      : nothing
  }`;
}

/** A listen with its share heard, as a line of a list. */
export function listen(each) {
  return html`<li>
    ${track(each)}
    <span class="share"
      ><board-chart class="bar" aria-hidden="true" .draw=${bar(each.time)}></board-chart>
      <span class="visually-hidden">share heard</span>
      <span class="number">${each.time.toFixed(2)}</span></span
    >
  </li>`;
}

function sentences(lines) {
  return html`<ul class="lines">
    ${lines.map((each) => html`<li>${each}</li>`)}
  </ul>`;
}

function chain(members) {
  return html`<ol class="chain">
    ${members.map(({ strategy, type, outcome, reasons }) => {
      const [kind, word] = OUTCOMES[outcome] ?? ["", outcome];
      return html`<li class=${outcome === "not asked" ? "asleep" : ""}>
        <span class="lamp ${kind}" aria-hidden="true"></span>
        <div>
          <p>
            <b>${strategy}</b
            >${type && type !== strategy ? html` <span class="quiet">${type}</span>` : nothing}
            <span class="outcome">${word}</span>
          </p>
          ${(reasons ?? []).map((each) => html`<p class="quiet">${each}</p>`)}
        </div>
      </li>`;
    })}
  </ol>`;
}

function candidates({ decision, candidates: { total, first } }) {
  const most = Math.max(...first.map(({ chance }) => chance), 1e-12);
  const drawn = first.find((each) => each.drawn);
  return html` <p class="quiet">
      ${plural(total, "candidate")}${total > first.length ? `, of which the ${count(first.length)} most likely` : ""}.
      ${drawn ? "" : "The drawn track is not among those shown."}
    </p>
    <div class="scroll few" tabindex="0" role="group" aria-label="Candidates">
      <table>
        <thead>
          <tr>
            <th scope="col" class="text">track</th>
            <th scope="col" class="roomy"><span class="visually-hidden">chance as a bar</span></th>
            <th scope="col">chance</th>
          </tr>
        </thead>
        <tbody>
          ${first.map(
            (each) =>
              html`<tr class=${each.drawn ? "drawn-one" : ""}>
                <th scope="row">
                  ${track(each)}${each.drawn ? html` <span class="tag">drawn</span>` : nothing}
                </th>
                <td class="drawn roomy">
                  <board-chart
                    class="bar"
                    aria-hidden="true"
                    .draw=${bar(each.chance / most)}
                  ></board-chart>
                </td>
                <td>${short(each.chance)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${files(`decisions/${encodeURIComponent(decision)}`, "These candidates")}`;
}

/** The parts of a stream's name, which a control character divides. */
function readable(stream) {
  return stream.split(/[\x00-\x1f]/).join(" · ");
}

function draw({ draw: { stream, tracks, propensity } }) {
  return html`<p>
      The random stream <code>${readable(stream)}</code> drew
      ${tracks.map(trackName).join(", ") || "nothing"}, whose propensity was
      <b>${short(propensity)}</b>.
    </p>
    <p class="quiet">
      The stream's name is its seed, so the draw comes out the same on every machine.
    </p>`;
}
