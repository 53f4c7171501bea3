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

  const tell = (news) => changed(Object.assign(state, news));
  const news = (made) => {
    wait_ms = FIRST_WAIT_MS;
    tell({ snapshot: made, connection: "live", problem: null });
  };

  function open() {
    clearTimeout(again);
    stream?.close();
    if (document.hidden) return;
    stream = new EventSource(url);
    stream.addEventListener("state", (event) => news(JSON.parse(event.data)));
    stream.addEventListener("patch", (event) => patched(event.data));
    stream.addEventListener("error", lost);
  }

  function patched(text) {
    try {
      news(applyPatch(state.snapshot, JSON.parse(text)));
    } catch {
      open(); // A patch that does not fit: start with the whole state.
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
