// Small bars: an arm's share planned and seen, listeners of the planned, a chance, a share heard.

import { nothing, svg } from "../vendor/lit-html.js";
import { linear, ticks } from "./scale.js";

/** Width of a number in pixels: two that are closer stand above and below the line. */
const LABEL = 32;

/**
 * A bar with a mark at the plan.
 * @param {number | null} seen Share of the whole width, in [0, 1].
 * @param {number | null} [planned] Where the mark stands, in [0, 1].
 * @returns {(width: number) => unknown}
 */
export function bar(seen, planned = null) {
  return (width) => svg`<svg width=${width} height="14" viewBox="0 0 ${width} 14">
    <rect class="groove" x="0" y="3" width=${width} height="8" rx="4"></rect>
    ${seen ? svg`<rect class="fill" x="0" y="3" width=${Math.max(4, width * Math.min(1, seen))} height="8" rx="4"></rect>` : nothing}
    ${planned == null ? nothing : svg`<path class="mark" d="M${1 + planned * (width - 2)} 0V14"></path>`}
  </svg>`;
}

/**
 * Latency: median, 90th and 99th percentile of each arm on one scale from 0.
 * @param {{place: number, values: number[]}[]} arms Values in ms, in order.
 * @param {number} height In pixels.
 * @returns {(width: number) => unknown}
 */
export function latencies(arms, height) {
  const most = 1.05 * Math.max(0.001, ...arms.flatMap(({ values }) => values));
  const step = (height - 24) / Math.max(1, arms.length);
  return (width) => {
    const x = linear([0, most], [10, width - 24]);
    return svg`<svg width=${width} height=${height} viewBox="0 0 ${width} ${height}">
      ${ticks([0, most], Math.max(2, Math.min(6, width / 90))).map(
        (each) => svg`
        <path class="grid" d="M${x(each)} 0V${height - 22}"></path>
        <text x=${x(each)} y=${height - 5} text-anchor="middle">${each}</text>`,
      )}
      ${arms.map(({ place, values }, nth) => {
        const y = step * (nth + 0.5) + 4;
        return svg`<g class="arm-${place % 8}">
          <path class="whisker" d="M${x(values[0])} ${y}H${x(values.at(-1))}"></path>
          ${values.map((value, rank) => {
            const isClose = rank > 0 && x(value) - x(values[rank - 1]) < LABEL;
            return svg`<circle class="point" r="5" cx=${x(value)} cy=${y}></circle>
            <text x=${x(value)} y=${isClose ? y + 20 : y - 10} text-anchor="middle">${value.toFixed(2)}</text>`;
          })}
        </g>`;
      })}
    </svg>`;
  };
}

/**
 * Counts of classes as columns.
 * @param {{name: string | number, value: number}[]} classes In order.
 * @param {number} height In pixels.
 * @returns {(width: number) => unknown}
 */
export function histogram(classes, height) {
  const most = Math.max(1, ...classes.map(({ value }) => value));
  return (width) => {
    const step = width / Math.max(1, classes.length);
    const named = Math.ceil(28 / step);
    return svg`<svg width=${width} height=${height} viewBox="0 0 ${width} ${height}">
      <path class="axis" d="M0 ${height - 20}H${width}"></path>
      ${classes.map(({ name, value }, nth) => {
        const size = (value / most) * (height - 28);
        return svg`
          <rect class="fill" x=${nth * step + step * 0.12} width=${step * 0.76} y=${height - 20 - size} height=${size} rx="2"></rect>
          ${nth % named ? nothing : svg`<text x=${(nth + 0.5) * step} y=${height - 5} text-anchor="middle">${name}</text>`}`;
      })}
    </svg>`;
  };
}
