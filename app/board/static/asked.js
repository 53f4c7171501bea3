// Something that a page asks the server for: what came, what went wrong, or that it is on its way.

import { notice } from "./parts.js";

/** Of several questions, only the answer to the last one counts. */
export class Asked {
  #update;
  #number = 0;
  value = null;
  problem = null;
  waiting = false;

  /** @param {() => void} update Draws the page again. */
  constructor(update) {
    this.#update = update;
  }

  /** Forget what came, also an answer that is still on its way. */
  forget() {
    this.#number += 1;
    Object.assign(this, { value: null, problem: null, waiting: false });
    this.#update();
  }

  /**
   * Ask. What came before stays until the answer is there, so that nothing jumps.
   * @param {() => Promise<unknown>} question
   * @returns {Promise<unknown>} The value; null if it failed or if a later question overtook it.
   */
  async ask(question) {
    const number = (this.#number += 1);
    this.waiting = true;
    this.#update();
    const [value, problem] = await question().then(
      (came) => [came, null],
      (error) => [null, error],
    );
    if (number !== this.#number) return null;
    Object.assign(this, { value, problem, waiting: false });
    this.#update();
    return value;
  }

  /** The notice of a problem; "" without one. */
  notice(title) {
    return this.problem ? notice("bad", title, this.problem.message) : "";
  }
}
