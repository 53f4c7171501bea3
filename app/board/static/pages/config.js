// Config: what is served, how the file on the disk differs, whether it is sound, and the reload.

import { html, nothing } from "../vendor/lit-html.js";
import { get, reload } from "../api.js";
import { Asked } from "../asked.js";
import { moment, plural } from "../format.js";
import { empty, files, heading, notice } from "../parts.js";

/** @param {() => void} update Draws the page again. */
export function configPage(update) {
  const config = new Asked(update);
  const reloaded = new Asked(update);
  const read = () => config.ask(() => get("config"));

  async function send(event) {
    event.preventDefault();
    const token = new FormData(event.target).get("token");
    event.target.reset();
    event.target.closest("dialog").close();
    await reloaded.ask(() => reload(token));
    read();
  }

  function readAgain() {
    reloaded.forget();
    read();
  }

  return {
    title: "Config",
    enter: readAgain,
    view: () =>
      html` ${heading(
          "Config",
          "What the server decides with, and what the file on the disk says now.",
          html`<button @click=${readAgain}>Read the file again</button>`,
        )}
        <div class="stack">
          ${reloaded.notice("The reload was refused")}
          ${reloaded.value ? notice("good", "Reloaded", "The server decides with the file's config from now on.") : nothing}
          ${config.problem ? config.notice("No config to show") : nothing}
          ${config.value ? cards(config.value, send, reloaded.waiting) : config.problem ? nothing : html`<p class="quiet">Reading the file …</p>`}
        </div>`,
  };
}

function compared(file, diff) {
  if (!file.config) return "not possible while the file is faulty";
  return file.same ? "the same as served" : plural(diff.length, "difference");
}

function cards(value, send, waiting) {
  const { served, file, diff, check } = value;
  return html` <div class="cards">
      <section class="card facts">
        <h2>Served</h2>
        <dl>
          <div>
            <dt>Config</dt>
            <dd><code>${served.config}</code></dd>
          </div>
          ${
            served.path
              ? html`<div>
                  <dt>File</dt>
                  <dd><code>${served.path}</code></dd>
                </div>`
              : nothing
          }
          ${
            served.since_ms == null
              ? nothing
              : html`<div>
                  <dt>Server since</dt>
                  <dd>${moment(served.since_ms)} UTC</dd>
                </div>`
          }
        </dl>
      </section>
      ${
        file
          ? html`<section class="card facts">
              <h2>On the disk</h2>
              <dl>
                <div>
                  <dt>Config</dt>
                  <dd>${file.config ? html`<code>${file.config}</code>` : "the file is faulty"}</dd>
                </div>
                <div>
                  <dt>Compared</dt>
                  <dd>${compared(file, diff)}</dd>
                </div>
              </dl>
              ${reloading(value, send, waiting)}
            </section>`
          : empty(
              "No config file",
              "This board shows a folder of logs. Their config is kept beside them.",
            )
      }
    </div>
    ${check ? checked(check) : nothing} ${file ? differences(diff, file) : nothing}
    ${
      file?.text
        ? html`<details class="card more">
            <summary>The file</summary>
            <pre tabindex="0" aria-label="The file">${file.text}</pre>
          </details>`
        : nothing
    }`;
}

function reloading({ reload: offered, check, file }, send, waiting) {
  if (!offered) return nothing;
  const { allowed, token, failure } = offered;
  if (!allowed) {
    return html`<p class="quiet">
      To reload here, set the environment variable <code>${token}</code> and start the server again.
    </p>`;
  }
  return html` ${failure ? html`<p class="bad-text">The last reload failed: ${failure}</p>` : nothing}
    <p>
      <button
        class="main"
        ?disabled=${waiting || !check.sound}
        @click=${() => document.getElementById("reload").showModal()}
      >
        Reload …
      </button>
    </p>
    <dialog id="reload" aria-labelledby="reload-title">
      <form class="stack" @submit=${send}>
        <h2 id="reload-title">Reload the config?</h2>
        <p>
          ${file.same ? "The file says what is served. A reload changes nothing." : "From the next turn on, the server decides with the file on the disk. Listeners keep their histories."}
        </p>
        <div class="field">
          <label for="token">Admin token (the server has it in ${token})</label>
          <input id="token" name="token" type="password" autocomplete="off" required />
        </div>
        <div class="row">
          <button class="main">Reload</button>
          <button type="button" @click=${(event) => event.target.closest("dialog").close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>`;
}

function checked({ sound, faults, says }) {
  return html`<section class="card" aria-labelledby="checked">
    <h2 id="checked">
      ${sound ? "The file is sound" : `The file has ${plural(faults.length, "fault")}`}
    </h2>
    ${
      sound
        ? nothing
        : html`<ul class="lines bad">
            ${faults.map(({ where, what }) => html`<li><code>${where}</code> ${what}</li>`)}
          </ul>`
    }
    ${
      says?.length
        ? html`<ul class="lines">
            ${says.map((each) => html`<li>${each}</li>`)}
          </ul>`
        : nothing
    }
  </section>`;
}

function differences(diff, { same }) {
  if (same || !diff.length) return nothing;
  return html`<section class="card" aria-labelledby="differences">
    <h2 id="differences">Differences</h2>
    <div class="scroll" tabindex="0" role="group" aria-label="Differences">
      <table class="diff">
        <thead>
          <tr>
            <th scope="col" class="text">key</th>
            <th scope="col" class="text">served</th>
            <th scope="col" class="text">file</th>
          </tr>
        </thead>
        <tbody>
          ${diff.map(
            ({ key, served, file }) =>
              html`<tr>
                <th scope="row"><code>${key}</code></th>
                <td class="text wrap before">${side("−", served)}</td>
                <td class="text wrap after">${side("+", file)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${files("config", "These differences")}
  </section>`;
}

function side(sign, value) {
  if (value == null) return html`<span class="quiet">absent</span>`;
  return html`<span aria-hidden="true">${sign}</span>
    <code>${typeof value === "string" ? value : JSON.stringify(value)}</code>`;
}
