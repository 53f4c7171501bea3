// An experiment on the wall: its state, its effect, its size, its arms and its validity.

import { html, nothing } from "../vendor/lit-html.js";
import { bar } from "../charts/bars.js";
import "../charts/drawing.js";
import { bounds, count, lift, plural, share, short } from "../format.js";
import { arm, placeOf } from "../parts.js";
import { soFar, soFarFigure } from "./experiment_charts.js";

const STATES = {
  collecting: ["Collecting", ""],
  unhealthy: ["Unhealthy", "bad"],
  decided: ["Decided", "good"],
  "past plan": ["Past plan", "warn"],
};

/** The tile of one experiment. */
export function tile(experiment) {
  const { name, question } = experiment;
  return html`<article class="card tile" aria-label=${name}>
    <header class="row between">
      ${state(experiment)}
      ${question ? html`<a class="name" href="#/experiments/${encodeURIComponent(name)}">${name}</a>` : nothing}
    </header>
    <h2 class="question">
      ${question || html`<a href="#/experiments/${encodeURIComponent(name)}">${name}</a>`}
    </h2>
    <div class="halves">
      <div class="stack">${effects(experiment)} ${size(experiment)}</div>
      <div class="course">${course(experiment)}</div>
    </div>
    ${armsTable(experiment)}
    <footer class="row between">
      ${lightRow(experiment)}
      <a class="open" href="#/experiments/${encodeURIComponent(name)}"
        >All about <span class="visually-hidden">${name}</span><span aria-hidden="true">it</span></a
      >
    </footer>
  </article>`;
}

/** The state in a word, with its reason. */
export function state({ status, reason }) {
  const [word, kind] = STATES[status] ?? [status, ""];
  return html`<p class="state ${kind}" title=${reason}>
    <span class="lamp ${kind}"></span>${word}
  </p>`;
}

/** The primary effects in large figures; withheld while a check fails. */
export function effects(experiment) {
  const { withheld, effects: all } = experiment;
  if (withheld) return html`<div class="withheld"><p class="figure">Withheld</p></div>`;
  const primary = all.filter(({ role }) => role === "primary");
  if (!primary.length)
    return html`<div class="effect">
      <p class="figure none">–</p>
      <p class="quiet">Nothing to compare yet.</p>
    </div>`;
  return html`<div class="effects">${primary.map((each) => large(each, experiment))}</div>`;
}

function large(effect, { arms }) {
  const { treatment, control, metric, claim, good } = effect;
  const mood = claim == null || good == null ? "" : good ? "good" : "bad";
  return html`<div class="effect ${mood}">
    <p class="versus">
      ${arm(treatment, placeOf(treatment, arms))}
      <span class="quiet">against ${control}, ${metric.label}</span>
    </p>
    <p class="figure">${lift(effect.lift)}</p>
    <p class="bounds">${bounds(effect.lift)}<span class="quiet">${confidence(effect)}</span></p>
  </div>`;
}

function confidence({ lift: interval, confidence: level }) {
  return interval ? ` ${Number((100 * level).toPrecision(4))} % interval` : "";
}

/** Listeners of the planned, and the days left. */
export function size({ plan, reason }) {
  const part = plan.listeners ? plan.seen / plan.listeners : null;
  return html`<div class="size">
    <p>
      <b>${count(plan.seen)}</b>
      ${plan.listeners ? `of ${plural(plan.listeners, "listener")}` : "listeners, no planned size"}
      <span class="left">${left(plan)}</span>
    </p>
    ${part == null ? nothing : html`<board-chart class="bar" aria-hidden="true" .draw=${bar(part)}></board-chart>`}
    <p class="quiet reason">${reason}</p>
  </div>`;
}

function left({ days_left: days, reached }) {
  if (reached || days == null) return "";
  if (days < 1)
    return days * 24 < 1 ? "under an hour left" : `${plural(Math.round(days * 24), "hour")} left`;
  return `${plural(Math.round(days), "day")} left`;
}

/** The growing interval, or why there is none. */
export function course(experiment, hint) {
  if (experiment.withheld)
    return html`<p class="blank">The effect is withheld while a check fails.</p>`;
  if (!soFar(experiment).some(({ points }) => points.length > 1)) {
    return html`<p class="blank">
      The interval shows here as soon as there is enough to compare.
    </p>`;
  }
  return soFarFigure(experiment, hint);
}

function armsTable({ name, arms }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Arms of ${name}">
    <table class="arms">
      <thead>
        <tr>
          <th scope="col" class="text">arm and strategy</th>
          <th scope="col">planned</th>
          <th scope="col">seen</th>
          <th scope="col" class="roomy"><span class="visually-hidden">share as a bar</span></th>
          <th scope="col">mean session</th>
        </tr>
      </thead>
      <tbody>
        ${arms.map(
          (each, place) =>
            html`<tr class="arm-${place % 8}">
              <th scope="row">
                ${arm(each.name, place)} <span class="quiet">${each.strategy ?? ""}</span>
              </th>
              <td>${share(each.planned_share)}</td>
              <td>${share(each.seen_share)}</td>
              <td class="roomy drawn">
                <board-chart
                  class="bar"
                  aria-hidden="true"
                  .draw=${bar(each.seen_share, each.planned_share)}
                ></board-chart>
              </td>
              <td>${short(each.mean_time)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** The checks as a row of lights, and their number in words. */
export function lightRow({ validity }) {
  const { lights } = validity;
  const kinds = { passed: "good", warning: "warn", failed: "bad" };
  const failed = lights.filter(({ status }) => status === "failed");
  const counts = ["passed", "warning", "failed", "cannot tell", "not made"]
    .map((status) => [lights.filter((each) => each.status === status).length, status])
    .filter(([number]) => number)
    .map(([number, status]) => `${number} ${status}${status === "warning" && number > 1 ? "s" : ""}`);
  return html`<p class="lights ${validity.valid ? "" : "bad"}">
    <span class="row" aria-hidden="true"
      >${lights.map(({ status }) => html`<span class="lamp ${kinds[status] ?? ""}"></span>`)}</span
    >
    <span
      ><b>${validity.valid ? "Valid" : "Invalid"}</b>:
      ${counts.join(", ") || "no check was made"}${failed.length ? ` (${failed.map((each) => each.name).join(", ")})` : ""}</span
    >
  </p>`;
}
