// Tables of the artifacts in use.

import { html } from "../vendor/lit-html.js";

/**
 * A table of artifacts, each with its own columns, its readers, its file and its manifest.
 * @param {string} title
 * @param {object[]} things
 * @param {[string, string, (each: object) => unknown][]} columns Name, class and cell of each.
 */
export function table(title, things, columns) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${title}>
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col" class="text">name</th>
          ${columns.map(([name, kind]) => html`<th scope="col" class=${kind}>${name}</th>`)}
          <th scope="col" class="text">read by</th>
          <th scope="col" class="text">file</th>
        </tr>
      </thead>
      <tbody>
        ${things.map(
          (each) =>
            html`<tr>
              <th scope="row">${each.name}</th>
              ${columns.map(([name, kind, cell]) => html`<td class=${kind} data-label=${name}>${cell(each)}</td>`)}
              <td class="text whole" data-label="read by">
                ${each.used_by?.join(", ") || "nothing"}
              </td>
              <td class="text wrap whole" data-label="file">
                <code>${each.path}</code>${manifest(each)}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function manifest({ name, manifest: made }) {
  if (!made) return html`<p class="quiet">no manifest</p>`;
  return html`<details class="data">
    <summary>Manifest<span class="visually-hidden"> of ${name}</span></summary>
    <pre tabindex="0" aria-label="Manifest of ${name}">${JSON.stringify(made, null, 2)}</pre>
  </details>`;
}

/** The models that manifests name. */
export function modelTable(models) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Models">
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col" class="text">name</th>
          <th scope="col" class="text">kind</th>
          <th scope="col" class="text">model</th>
          <th scope="col" class="text">manifest</th>
        </tr>
      </thead>
      <tbody>
        ${models.map(
          (each) =>
            html`<tr>
              <th scope="row">${each.name}</th>
              <td class="text" data-label="kind">${each.kind}</td>
              <td class="text" data-label="model">${each.model}</td>
              <td class="text whole">${manifest(each)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
