// What each arm would have played after the same listen, side by side, and why.

import { html, nothing } from "../vendor/lit-html.js";
import { bar } from "../charts/bars.js";
import "../charts/drawing.js";
import { plural, short } from "../format.js";
import { track, trackName } from "../parts.js";

const MOST_OTHERS = 6;

/** The arms side by side; the arm of this listener has really played. */
export function comparison({ answer, arms, after }) {
  return html`<section class="stack" aria-label="What each arm would play next">
    <div class="row between">
      <h2>
        ${after ? html`After ${trackName(after)}, ${after.time.toFixed(2)} heard` : "First turn"}
      </h2>
      ${
        answer.track
          ? html`<a class="quiet" href="#/decision/${encodeURIComponent(answer.decision)}"
              >This decision</a
            >`
          : nothing
      }
    </div>
    ${arms ? asides(arms, answer) : reasons(answer.why)}
  </section>`;
}

/** The arms of the listener's own experiment come first; many others are folded. */
function asides(arms, answer) {
  const own = arms.find((each) => each.own)?.experiment;
  const [first, others] = [true, false].map((is) =>
    arms.filter((each) => (each.experiment === own) === is),
  );
  const columns = (some) =>
    html`<div class="arms-aside">${some.map((each) => column(each, answer, arms))}</div>`;
  if (others.length <= MOST_OTHERS) return columns([...first, ...others]);
  return html`${columns(first)}
    <details class="stack">
      <summary>The ${others.length} arms of other experiments</summary>
      ${columns(others)}
    </details>`;
}

function column(each, answer, arms) {
  const { experiment, arm, strategy, own, answered_by, candidates, first, why, problem } = each;
  const place = experiment
    ? arms.filter((other) => other.experiment === experiment).indexOf(each)
    : 0;
  return html`<article
    class="card arm-${place % 8} ${own ? "own" : ""}"
    aria-label="${arm ?? "default"} of ${experiment ?? "no experiment"}"
  >
    <p class="over">${experiment ?? "in no experiment"}</p>
    <h3><span class="dot"></span>${arm ?? "default"} <span class="quiet">${strategy}</span></h3>
    ${own && answer.track ? html`<p class="outcome">Played <b>${trackName(answer.track)}</b></p>` : html`<p class="outcome quiet">${own ? "Your arm" : "Would play one of"}</p>`}
    ${problem ? html`<p class="bad-text">${problem}</p>` : nothing}
    ${
      first?.length
        ? html`<ol class="proposals">
            ${first.map(
              (one) =>
                html`<li class=${own && one.track === answer.track?.track ? "drawn-one" : ""}>
                  ${track(one)}<span class="share"
                    ><board-chart
                      class="bar"
                      aria-hidden="true"
                      .draw=${bar(one.chance / first[0].chance)}
                    ></board-chart>
                    <span class="visually-hidden">chance</span>
                    <span class="number">${short(one.chance)}</span></span
                  >
                </li>`,
            )}
          </ol>`
        : nothing
    }
    ${candidates ? html`<p class="quiet">${plural(candidates, "candidate")}, answered by ${answered_by}</p>` : nothing}
    ${reasons(why)}
  </article>`;
}

function reasons(why) {
  return why?.length
    ? html`<ul class="why">
        ${why.map((each) => html`<li>${each}</li>`)}
      </ul>`
    : nothing;
}
