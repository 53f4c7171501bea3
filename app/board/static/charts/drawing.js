// <board-chart>: draws at the width that it has, so that text keeps its size on every screen.

import { render } from "../vendor/lit-html.js";

class BoardChart extends HTMLElement {
  #draw = null;
  #width = 0;
  #watch = new ResizeObserver(([entry]) => this.#resized(entry.contentRect.width));

  /** The function that gives the drawing for a width in pixels. */
  set draw(draw) {
    this.#draw = draw;
    this.#show();
  }

  connectedCallback() {
    this.#resized(this.clientWidth);
    this.#watch.observe(this);
  }

  disconnectedCallback() {
    this.#watch.disconnect();
  }

  #resized(width) {
    if (Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    this.#show();
  }

  #show() {
    if (this.#draw && this.#width > 0) render(this.#draw(Math.round(this.#width)), this);
  }
}

customElements.define("board-chart", BoardChart);
