// The snapshot of all experiments, kept up to date by server-sent events while the tab is visible.

import { explain } from "./api.js";
import { applyPatch } from "./json_patch.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/**
 * Follow the server's snapshots.
 *
 * The stream closes when the tab is hidden and opens when it shows again. A browser tries again by
 * itself after a lost connection, but not after an answer that is no stream; then this does.
 * @param {string} url
 * @param {(state: {snapshot: object | null, connection: string, problem: string | null}) => void} changed
 *   `connection` is `connecting`, `live`, `paused` or `lost`.
 */
export function follow(url, changed) {
  const state = { snapshot: null, connection: "connecting", problem: null };
  let stream = null;
  let again = 0;
  let wait_ms = FIRST_WAIT_MS;
  let known = "";

  const tell = (news) => changed(Object.assign(state, news));
  const news = (event, made) => {
    wait_ms = FIRST_WAIT_MS;
    known = event.lastEventId;
    tell({ snapshot: made, connection: "live", problem: null });
  };

  function open() {
    clearTimeout(again);
    stream?.close();
    if (document.hidden) return;
    stream = new EventSource(known ? `${url}?${new URLSearchParams({ last: known })}` : url);
    stream.addEventListener("open", () => tell({ connection: "live", problem: null }));
    stream.addEventListener("state", (event) => news(event, JSON.parse(event.data)));
    stream.addEventListener("patch", patched);
    stream.addEventListener("error", lost);
  }

  function patched(event) {
    try {
      news(event, applyPatch(state.snapshot, JSON.parse(event.data)));
    } catch {
      known = ""; // A patch that does not fit: start with the whole state.
      open();
    }
  }

  async function lost() {
    const failed = stream;
    tell({ connection: "lost" });
    if (failed.readyState === EventSource.CLOSED) {
      again = setTimeout(open, wait_ms);
      wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_MS);
    }
    const problem = await explain("experiments");
    if (stream === failed && state.connection === "lost") tell({ problem });
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    clearTimeout(again);
    stream?.close();
    tell({ connection: "paused" });
  });
  open();
}
