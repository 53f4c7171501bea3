// Requests to the board's JSON, with a sentence for everything that can go wrong.

const GONE = "The server does not answer. Is it still running? The board tries again by itself.";
const CLOSED =
  "The server answers, but it has no board here. Bound to more than this machine, the board needs the " +
  "admin token or admin.address; admin.board: false turns it off.";

/** A refused or failed request; its message is a sentence for people. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {number} status HTTP status; 0 if no answer came.
   * @param {string} code Code of the server's error, or "".
   */
  constructor(message, status, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The address of a part of the API, beside the page's own. */
export function address(path) {
  return new URL(`board/api/${path}`, document.baseURI).href;
}

/** GET a part of the board's API as JSON. */
export function get(path) {
  return answer(address(path), {});
}

/** POST a value to a part of the board's API. */
export function post(path, value) {
  return answer(address(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });
}

/** Ask the server to read its config again, with the admin token. */
export function reload(token) {
  const url = new URL("admin/reload", document.baseURI).href;
  return answer(url, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
}

/** The sentence that explains why a part of the API gives nothing; null if it answers. */
export async function explain(path) {
  try {
    await get(path);
    return null;
  } catch (problem) {
    return problem.status === 404 ? CLOSED : problem.message;
  }
}

async function answer(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new Problem(GONE, 0);
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  const { message, code } = content?.error ?? {};
  if (message) throw new Problem(sentence(message), response.status, code);
  throw new Problem(`The server answered with the status ${response.status}.`, response.status);
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
