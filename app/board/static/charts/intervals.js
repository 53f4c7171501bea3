// Charts of a lift: its interval growing over time, and by days since a listener entered.

import { nothing, svg } from "../vendor/lit-html.js";
import { linear, reach, ticks, timeTicks } from "./scale.js";

const LEFT = 46;
const BOTTOM = 24;
const TOP = 8;
const RIGHT = 10;

/**
 * The lift with its interval over time, one band for each treatment.
 * @param {{place: number, name: string, points: {at: number, lift: number, low: number, high: number}[]}[]} series
 *   Numbers in percent; `place` is the arm's place, which gives its colour.
 * @param {number} height In pixels.
 * @returns {(width: number) => unknown}
 */
export function intervalOverTime(series, height) {
  const points = series.flatMap((each) => each.points);
  const times = points.map(({ at }) => at);
  const domain = [Math.min(...times), Math.max(...times)];
  return (width) => {
    const x = linear(domain, [LEFT, width - RIGHT]);
    const y = vertical(points, height);
    const names = points.length ? timeTicks(domain, Math.max(3, width / 90)) : [];
    return frame(
      width,
      height,
      y,
      names.map(({ at, name }) => ({ x: x(at), name })),
      svg`
      ${series.map(
        ({ place, name, points: own }, nth) => svg`<g class="arm-${place % 8}">
        <path class="band" d=${area(own, x, y)}></path>
        <path class="curve" d=${line(own, x, y)}></path>
        ${
          own.length
            ? svg`<circle class="point" r="4" cx=${x(own.at(-1).at)} cy=${y(own.at(-1).lift)}></circle>
          ${series.length > 1 ? svg`<text class="value" text-anchor="end" x=${x(own.at(-1).at)} y=${y(own.at(-1).lift) + (nth % 2 ? 18 : -9)}>${name}</text>` : nothing}`
            : nothing
        }
      </g>`,
      )}`,
    );
  };
}

/**
 * The lift of each day since a listener entered: a point with its interval.
 * @param {{place: number, points: {day: number, lift: number, low: number, high: number}[]}[]} series
 * @param {number} height In pixels.
 * @returns {(width: number) => unknown}
 */
export function liftByDay(series, height) {
  const points = series.flatMap((each) => each.points);
  const last = Math.max(0, ...points.map(({ day }) => day));
  return (width) => {
    const x = linear([-0.5, last + 0.5], [LEFT, width - RIGHT]);
    const y = vertical(points, height);
    const names = ticks([0, last], Math.min(last, width / 70)).filter(Number.isInteger);
    const apart = Math.min(10, (width - LEFT) / (last + 1) / (series.length + 1));
    return frame(
      width,
      height,
      y,
      names.map((day) => ({ x: x(day), name: day })),
      svg`
      ${series.map(({ place, points: own }, nth) => {
        const aside = apart * (nth - (series.length - 1) / 2);
        return svg`<g class="arm-${place % 8}">${own.map(
          (each) => svg`
          <path class="whisker" d="M${x(each.day) + aside} ${y(each.low)}V${y(each.high)}"></path>
          <circle class="point" r="4" cx=${x(each.day) + aside} cy=${y(each.lift)}></circle>`,
        )}</g>`;
      })}`,
    );
  };
}

/** A scale of lifts with 0 in the middle, so that a reader sees at once on which side one lies. */
function vertical(points, height) {
  const most = reach(points);
  const scale = linear([-most, most], [height - BOTTOM, TOP]);
  const y = (number) => scale(Math.max(-most, Math.min(most, number)));
  y.ticks = ticks([-most, most], 4);
  return y;
}

function frame(width, height, y, names, content) {
  return svg`<svg width=${width} height=${height} viewBox="0 0 ${width} ${height}">
    ${y.ticks.map(
      (each) => svg`
      <path class=${each === 0 ? "axis" : "grid"} d="M${LEFT} ${y(each)}H${width - RIGHT}"></path>
      <text x=${LEFT - 8} y=${y(each) + 4} text-anchor="end">${each > 0 ? "+" : ""}${each}</text>`,
    )}
    ${names
      .filter(({ x }) => x < width - RIGHT - 16)
      .map(
        ({ x, name }) => svg`
      <text x=${x} y=${height - 5} text-anchor="middle">${name}</text>`,
      )}
    ${content}
  </svg>`;
}

function line(points, x, y) {
  return points.map(({ at, lift }, nth) => `${nth ? "L" : "M"}${x(at)} ${y(lift)}`).join("");
}

function area(points, x, y) {
  if (!points.length) return "";
  const above = points.map(({ at, high }) => `${x(at)} ${y(high)}`);
  const below = points.map(({ at, low }) => `${x(at)} ${y(low)}`).reverse();
  return `M${[...above, ...below].join("L")}Z`;
}
