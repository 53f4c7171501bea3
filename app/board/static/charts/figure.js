// A chart as a figure: its title, a sentence that says what it shows, the drawing, and its numbers.

import { html, nothing } from "../vendor/lit-html.js";
import "./drawing.js";

/**
 * A figure for those who see it, hear it or want its numbers.
 * @param {object} parts
 * @param {string} parts.title Heading.
 * @param {string} parts.sentence What the drawing shows at this moment; screen readers read it.
 * @param {string} [parts.hint] How to read it.
 * @param {unknown} [parts.legend]
 * @param {(width: number) => unknown} parts.draw
 * @param {string} [parts.size] Class with the height: `tall` or `grand`.
 * @param {string[]} parts.columns Names of the table's columns.
 * @param {unknown[][]} parts.rows Cells of the table.
 */
export function chartFigure({ title, sentence, hint, legend, draw, size = "tall", columns, rows }) {
  return html`<figure>
    <figcaption>
      <h3>${title}</h3>
      ${hint ? html`<p class="quiet">${hint}</p>` : nothing}
      <p class="visually-hidden">${sentence}</p>
    </figcaption>
    ${legend ?? nothing}
    <board-chart class=${size} aria-hidden="true" .draw=${draw}></board-chart>
    ${numbers(title, columns, rows)}
  </figure>`;
}

/** The numbers of a chart, closed until a reader opens them. */
export function numbers(title, columns, rows) {
  return html`<details class="data">
    <summary>Numbers<span class="visually-hidden"> of “${title}”</span></summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Numbers of ${title}">
      <table>
        <thead>
          <tr>
            ${columns.map((name, place) => html`<th scope="col" class=${place ? "" : "text"}>${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (cells) =>
              html`<tr>
                ${cells.map((cell, place) =>
                  place ? html`<td>${cell}</td>` : html`<th scope="row">${cell}</th>`,
                )}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** The names of arms beside their colours. */
export function armLegend(arms) {
  return html`<ul class="legend" aria-hidden="true">
    ${arms.map(({ name, place }) => html`<li><span class="dot arm-${place % 8}"></span>${name}</li>`)}
  </ul>`;
}
