// The wall: every experiment at once, and each on a page of its own.

import { html } from "../vendor/lit-html.js";
import { empty, files, heading, made, notice } from "../parts.js";
import { experimentPage } from "./experiment.js";
import { tile } from "./tile.js";

const PROBLEMS = {
  no_analysis: "The effects need an extra package",
  no_events: "No event yet",
  faulty_log: "The log cannot be read",
  failed: "The effects could not be computed",
};

/** @param {{snapshot: object | null, connection: string, problem: string | null}} live */
export function experimentsPage(live) {
  let chosen = null;
  return {
    title: "Experiments",
    wide: true,
    heading: () => chosen,
    enter(rest) {
      chosen = rest[0] || null;
    },
    view: () => html`
      ${
        live.connection === "lost" && live.problem
          ? html`<div class="above">${notice("bad", "Not live", live.problem)}</div>`
          : ""
      }
      ${content(live.snapshot, chosen)}
    `,
  };
}

function content(snapshot, chosen) {
  if (!snapshot)
    return [
      heading("Experiments"),
      empty("Waiting for the first numbers", "The server reads its log. A long log takes a while."),
    ];
  const { experiments, problem } = snapshot;
  if (chosen) {
    const found = experiments.find(({ name }) => name === chosen);
    return found ? experimentPage(found, snapshot) : unknown(chosen);
  }
  return html`
    ${heading("Experiments", "", html`<p class="quiet">${made(snapshot)}</p>`)}
    ${problem ? html`<div class="above">${notice(problem.code === "no_events" ? "" : "warn", PROBLEMS[problem.code] ?? "No effects", problem.message)}</div>` : ""}
    ${
      experiments.length
        ? html`<div class="wall">${experiments.map(tile)}</div>
            <div class="row">
              ${files("experiments", "All arms", "?table=arms")}
              ${files("experiments", "All effects", "?table=effects")}
            </div>`
        : problem
          ? ""
          : empty(
              "No experiment runs",
              "The config has no experiment, or the log has no turn of one yet.",
            )
    }
  `;
}

function unknown(name) {
  return [
    heading(name),
    empty(
      `No experiment of the log is named “${name}”`,
      html`<a href="#/experiments">Show all experiments</a>`,
    ),
  ];
}
