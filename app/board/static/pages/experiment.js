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
const ORDER = { failed: 0, warning: 1, "not made": 3 };
const ROLES = { primary: "Primary", secondary: "Secondary", guardrail: "Guardrails" };

/** The page of one experiment. */
export function experimentPage(experiment, snapshot) {
  const { name, question } = experiment;
  const drawn = experiment.withheld ? [] : [byDayFigure(experiment)];
  const charts = [...drawn, latencyFigure(experiment)].filter(Boolean);
  return html`
    <p class="back"><a href="#/experiments">All experiments</a></p>
    ${heading(question || name, question ? name : "", html`<p class="quiet">${made(snapshot)}</p>`)}
    <div class="stack">
      <section class="card tile" aria-label="Verdict">
        <header>${state(experiment)}</header>
        <div class="halves">
          <div class="stack">${effects(experiment)} ${size(experiment)}</div>
          <div class="course">${course(experiment)}</div>
        </div>
        ${experiment.withheld ? nothing : verdicts(experiment)}
      </section>
      ${checks(experiment)}
      ${experiment.withheld ? nothing : effectsCard(experiment)}
      ${armsCard(experiment)}
      <div class="cards">${charts.map((each) => html`<div class="card">${each}</div>`)}</div>
    </div>
    ${files("experiments", "All arms and effects")}
  `;
}

function verdicts({ verdicts: sentences }) {
  return sentences.map((each) => html`<p class="verdict">${each}</p>`);
}

function checks({ validity }) {
  const shown = [...validity.lights].sort((a, b) => (ORDER[a.status] ?? 2) - (ORDER[b.status] ?? 2));
  return html`<section class="card" aria-labelledby="validity">
    <h2 id="validity">${validity.valid ? "Valid: no check failed" : "Invalid: a check failed"}</h2>
    <p class="quiet">Checked before any effect is computed. While a check fails, no difference between the arms can be believed.</p>
    <ul class="checks">${shown.map(check)}</ul>
  </section>`;
}

function check({ name, status, figure, question, sentence, link, examples }) {
  const [kind, mark] = KINDS[status] ?? ["", "?"];
  const told = status === "failed" || status === "warning";
  return html`<li class=${told ? "told" : ""}>
    <details ?open=${status === "failed"}>
      <summary>
        <span class="mark ${kind}" aria-hidden="true">${mark}</span>
        <span><b>${name}</b> <span class="visually-hidden">${status},</span> <span class="quiet">${figure}</span></span>
      </summary>
      <div class="more">
        <p>${question} <i>${status}</i></p>
        ${sentence ? html`<p class="said">${sentence}</p>` : nothing}
        ${examples?.length
          ? html`<ul class="examples">${examples.map((each) => html`<li><code>${each.where}</code> ${each.what}</li>`)}</ul>`
          : nothing}
        ${link ? html`<p><a href=${link}>About this check<span class="visually-hidden">: ${name}</span></a></p>` : nothing}
      </div>
    </details>
  </li>`;
}

function effectsCard({ effects: all, arms }) {
  if (!all.length) return nothing;
  return html`<section class="card" aria-labelledby="effects">
    <h2 id="effects">Effects</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Effects">
      <table>
        <thead>
          <tr><th scope="col" class="text">metric</th><th scope="col" class="text">arm</th><th scope="col">control</th>
            <th scope="col">treatment</th><th scope="col">lift</th><th scope="col">interval, %</th><th scope="col" class="text">guardrail</th></tr>
        </thead>
        ${Object.entries(ROLES).map(([role, title]) => rows(title, all.filter((each) => each.role === role), arms))}
      </table>
    </div>
  </section>`;
}

function rows(title, effectsOfRole, arms) {
  if (!effectsOfRole.length) return nothing;
  return html`<tbody>
    <tr class="part"><th scope="rowgroup" colspan="7">${title}</th></tr>
    ${effectsOfRole.map((each) => html`<tr class=${each.role}>
      <th scope="row">${each.metric.label}</th>
      <td class="text">${arm(each.treatment, placeOf(each.treatment, arms))}</td>
      <td>${value(each.metric, each.control_mean)}</td>
      <td>${value(each.metric, each.treatment_mean)}</td>
      <td class=${mood(each)}>${lift(each.lift)}</td>
      <td>${bounds(each.lift)}</td>
      <td class="text">${guard(each)}</td>
    </tr>`)}
  </tbody>`;
}

function value({ unit }, number) {
  if (unit === "share") return share(number);
  return unit === "ms" ? ms(number) : short(number);
}

function mood({ claim, good, guard: side, margin }) {
  if (margin) return side === "within" ? "good-text" : side === "beyond" ? "bad-text" : "";
  if (claim == null) return "";
  return good == null ? "warn-text" : good ? "good-text" : "bad-text";
}

function guard({ margin, guard: side }) {
  if (!margin) return "";
  const words = { within: `within ${margin}`, beyond: `beyond ${margin}`, unclear: `not shown to be within ${margin}` };
  return words[side] ?? `margin ${margin}: cannot tell`;
}

function armsCard({ arms }) {
  return html`<section class="card" aria-labelledby="arms">
    <h2 id="arms">Arms</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Arms">
      <table class="arms">
        <thead>
          <tr><th scope="col" class="text">arm</th><th scope="col" class="text">strategy</th><th scope="col">planned</th><th scope="col">seen</th>
            <th scope="col"><span class="visually-hidden">share as a bar</span></th><th scope="col">listeners</th><th scope="col">sessions</th>
            <th scope="col">open</th><th scope="col">mean session</th><th scope="col">answers</th><th scope="col">fallback</th>
            <th scope="col">failures</th><th scope="col">degraded</th><th scope="col">p50</th><th scope="col">p99</th></tr>
        </thead>
        <tbody>${arms.map(armRow)}</tbody>
      </table>
    </div>
    <p class="quiet under">Mean session: time heard in a session, in tracks. The mark on a bar is the planned share.</p>
  </section>`;
}

function armRow(each, place) {
  const type = each.strategy_type && each.strategy_type !== each.strategy ? ` (${each.strategy_type})` : "";
  return html`<tr class="arm-${place % 8}">
    <th scope="row">${arm(each.name, place)}</th>
    <td class="text">${each.strategy ?? "–"}<span class="quiet">${type}</span></td>
    <td>${share(each.planned_share)}</td><td>${share(each.seen_share)}</td>
    <td class="drawn"><board-chart class="bar" aria-hidden="true" .draw=${bar(each.seen_share, each.planned_share)}></board-chart></td>
    <td>${count(each.listeners)}</td><td>${count(each.sessions)}</td><td>${count(each.open_sessions)}</td>
    <td>${short(each.mean_time)}</td><td>${count(each.answers)}</td><td>${share(each.fallback_share)}</td>
    <td class=${each.failures ? "bad-text" : ""}>${count(each.failures)}</td>
    <td class=${each.degraded ? "warn-text" : ""}>${count(each.degraded)}</td>
    <td>${ms(each.latency_ms?.p50)}</td><td>${ms(each.latency_ms?.p99)}</td>
  </tr>`;
}
