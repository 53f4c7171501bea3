// One experiment: verdict, effects, arms, charts, and every check with its sentence.

import { html, nothing } from "../vendor/lit-html.js";
import { bar } from "../charts/bars.js";
import "../charts/drawing.js";
import { bounds, count, lift, ms, share, short } from "../format.js";
import { arm, files, heading, made, placeOf } from "../parts.js";
import { byDayFigure, latencyFigure } from "./experiment_charts.js";
import { course, effects, size, state } from "./tile.js";

const KINDS = {
  passed: ["good", "✓"],
  warning: ["warn", "!"],
  failed: ["bad", "✗"],
  "cannot tell": ["", "?"],
  "not made": ["", "–"],
};
const HINT = "All sessions up to that time. The band holds at every look.";
const ROLES = { primary: "Primary", secondary: "Secondary", guardrail: "Guardrails" };

/** The page of one experiment. */
export function experimentPage(experiment, snapshot) {
  const { name, question } = experiment;
  const effectsByDay = experiment.withheld ? null : byDayFigure(experiment);
  const charts = [
    [effectsByDay, files("experiments", "Days of all experiments", "?table=by_day")],
    [latencyFigure(experiment), nothing],
  ].filter(([figure]) => figure);
  return html`
    <p class="back"><a href="#/experiments">All experiments</a></p>
    ${heading(question || name, question ? name : "", html`<p class="quiet">${made(snapshot)}</p>`)}
    <div class="stack">
      <section class="card tile" aria-labelledby="verdict">
        <h2 class="visually-hidden" id="verdict">Verdict</h2>
        <header>${state(experiment)}</header>
        <div class="halves">
          <div class="stack">${effects(experiment)} ${size(experiment)}</div>
          <div class="course">${course(experiment, HINT)}</div>
        </div>
        ${experiment.withheld ? nothing : [verdicts(experiment), files("experiments", "Effects over time", "?table=over_time")]}
      </section>
      ${checks(experiment)} ${experiment.withheld ? nothing : effectsCard(experiment)}
      ${armsCard(experiment)}
      <div class="cards">
        ${charts.map(([figure, links]) => html`<div class="card">${figure}${links}</div>`)}
      </div>
    </div>
  `;
}

function verdicts({ verdicts: sentences, reason }) {
  return sentences
    .filter((each) => !reason.startsWith(each))
    .map((each) => html`<p class="verdict">${each}</p>`);
}

function checks({ validity }) {
  return html`<section class="card" aria-labelledby="validity">
    <h2 id="validity">${validity.valid ? "Valid: no check failed" : "Invalid: a check failed"}</h2>
    <p class="quiet">
      Checked before any effect is computed. While a check fails, no difference between the arms can
      be believed.
    </p>
    <ul class="checks">
      ${validity.lights.map(check)}
    </ul>
    ${files("experiments", "Checks of all experiments", "?table=checks")}
  </section>`;
}

function check({ name, status, figure, question, sentence, link, examples }) {
  const [kind, mark] = KINDS[status] ?? ["", "?"];
  return html`<li class=${status.replace(" ", "-")}>
    <details ?open=${status === "failed"}>
      <summary>
        <span class="mark ${kind}" aria-hidden="true">${mark}</span>
        <span
          ><b>${name}</b> <span class="visually-hidden">${status},</span>
          <span class="quiet">${figure}</span></span
        >
      </summary>
      <div class="more">
        <p>${question} <i>${status}</i></p>
        ${sentence && !sentence.startsWith(question) ? html`<p class="said">${sentence}</p>` : nothing}
        ${
          examples?.length
            ? html`<ul class="examples">
                ${examples.map((each) => html`<li><code>${each.where}</code> ${each.what}</li>`)}
              </ul>`
            : nothing
        }
        ${
          link
            ? html`<p>
                <a href=${link}>About this check<span class="visually-hidden">: ${name}</span></a>
              </p>`
            : nothing
        }
      </div>
    </details>
  </li>`;
}

function effectsCard({ effects: all, arms }) {
  if (!all.length) return nothing;
  return html`<section class="card" aria-labelledby="effects">
    <h2 id="effects">Effects</h2>
    <div class="scroll" tabindex="0" role="group" aria-label="Effects">
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col" class="text">metric</th>
            <th scope="col" class="text">arm</th>
            <th scope="col">control</th>
            <th scope="col">treatment</th>
            <th scope="col">lift</th>
            <th scope="col">interval, %</th>
            <th scope="col" class="text">guardrail</th>
          </tr>
        </thead>
        ${Object.entries(ROLES).map(([role, title]) =>
          rows(
            title,
            all.filter((each) => each.role === role),
            arms,
          ),
        )}
      </table>
    </div>
    ${files("experiments", "Effects of all experiments", "?table=effects")}
  </section>`;
}

function rows(title, effectsOfRole, arms) {
  if (!effectsOfRole.length) return nothing;
  return html`<tbody>
    <tr class="part">
      <th scope="rowgroup" colspan="7">${title}</th>
    </tr>
    ${effectsOfRole.map(
      (each) =>
        html`<tr class=${each.role}>
          <th scope="row">${each.metric.label}</th>
          <td class="text" data-label="arm">
            ${arm(each.treatment, placeOf(each.treatment, arms))}
          </td>
          <td data-label="control">${value(each.metric, each.control_mean)}</td>
          <td data-label="treatment">${value(each.metric, each.treatment_mean)}</td>
          <td data-label="lift" class=${mood(each)}>${lift(each.lift)}</td>
          <td class="whole" data-label="interval, %">${bounds(each.lift)}</td>
          <td class="text whole" data-label="guardrail">${guard(each)}</td>
        </tr>`,
    )}
  </tbody>`;
}

function value({ unit }, number) {
  if (unit === "share") return share(number);
  return unit === "ms" ? ms(number) : short(number);
}

function mood({ claim, good, margin }) {
  if (margin || claim == null) return "";
  return good == null ? "warn-text" : good ? "good-text" : "bad-text";
}

function guard({ margin, guard: side }) {
  if (!margin) return "";
  const words = {
    within: html`<span class="good-text">within ${margin}</span>`,
    beyond: html`<span class="bad-text">beyond ${margin}</span>`,
    unclear: `not shown to be within ${margin}`,
  };
  return words[side] ?? `margin ${margin}: cannot tell`;
}

function armsCard({ arms }) {
  return html`<section class="card" aria-labelledby="arms">
    <h2 id="arms">Arms</h2>
    <div class="scroll" tabindex="0" role="group" aria-label="Arms">
      <table class="arms stacked">
        <thead>
          <tr>
            <th scope="col" class="text">arm</th>
            <th scope="col" class="text">strategy</th>
            <th scope="col">planned</th>
            <th scope="col">seen</th>
            <th scope="col"><span class="visually-hidden">share as a bar</span></th>
            <th scope="col">listeners</th>
            <th scope="col">sessions</th>
            <th scope="col">open</th>
            <th scope="col">mean session</th>
            <th scope="col">answers</th>
            <th scope="col">fallback</th>
            <th scope="col">failures</th>
            <th scope="col">degraded</th>
            <th scope="col">p50</th>
            <th scope="col">p99</th>
          </tr>
        </thead>
        <tbody>
          ${arms.map(armRow)}
        </tbody>
      </table>
    </div>
    <p class="quiet under">
      Mean session: time heard in a session, in tracks. The mark on a bar is the planned share.
    </p>
    ${files("experiments", "Arms of all experiments", "?table=arms")}
  </section>`;
}

function armRow(each, place) {
  const type =
    each.strategy_type && each.strategy_type !== each.strategy ? ` (${each.strategy_type})` : "";
  return html`<tr class="arm-${place % 8}">
    <th scope="row">${arm(each.name, place)}</th>
    <td class="text" data-label="strategy">
      ${each.strategy ?? "–"}<span class="quiet">${type}</span>
    </td>
    <td data-label="planned">${share(each.planned_share)}</td>
    <td data-label="seen">${share(each.seen_share)}</td>
    <td class="drawn">
      <board-chart
        class="bar"
        aria-hidden="true"
        .draw=${bar(each.seen_share, each.planned_share)}
      ></board-chart>
    </td>
    <td data-label="listeners">${count(each.listeners)}</td>
    <td data-label="sessions">${count(each.sessions)}</td>
    <td data-label="open">${count(each.open_sessions)}</td>
    <td data-label="mean session">${short(each.mean_time)}</td>
    <td data-label="answers">${count(each.answers)}</td>
    <td data-label="fallback">${share(each.fallback_share)}</td>
    <td data-label="failures" class=${each.failure_share ? "bad-text" : ""}>
      ${share(each.failure_share)}
    </td>
    <td data-label="degraded" class=${each.degraded_share ? "warn-text" : ""}>
      ${share(each.degraded_share)}
    </td>
    <td data-label="p50">${ms(each.latency_ms?.p50)}</td>
    <td data-label="p99">${ms(each.latency_ms?.p99)}</td>
  </tr>`;
}
