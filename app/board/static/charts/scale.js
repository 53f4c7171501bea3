// Scales: from a number of the data to a place in a drawing, and the ticks that name places.

const STEPS = [1, 2, 2.5, 5, 10];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  28 * DAY,
  91 * DAY,
  182 * DAY,
  364 * DAY,
];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * A linear scale.
 * @param {[number, number]} domain Least and greatest number of the data.
 * @param {[number, number]} range Where these two lie in the drawing.
 * @returns {(number: number) => number}
 */
export function linear([from, to], [start, end]) {
  const size = to - from || 1;
  return (number) => start + ((number - from) / size) * (end - start);
}

/** About `most` round numbers in a domain, in order. */
export function ticks([from, to], most) {
  const rough = (to - from) / Math.max(1, most);
  if (!(rough > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * STEPS.find((each) => each * power >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(from / step - 1e-9); at * step <= to + step * 1e-9; at += 1) {
    found.push(Number((at * step).toPrecision(12)));
  }
  return found;
}

/**
 * Round times in a domain, each with its name in UTC.
 * @returns {{at: number, name: string}[]}
 */
export function timeTicks([from, to], most) {
  const rough = (to - from) / Math.max(1, most);
  const step = TIME_STEPS.find((each) => each >= rough) ?? TIME_STEPS.at(-1);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    found.push({ at, name: timeName(at, step) });
  }
  return found;
}

/**
 * The greatest size of lift that a chart shows, in percent.
 *
 * Early intervals are huge. They are cut off: at their scale every later interval is a dot.
 */
export function reach(points) {
  const sizes = points.map(({ low, high }) => Math.max(Math.abs(low), Math.abs(high)));
  sizes.sort((a, b) => a - b);
  return sizes.length ? Math.min(300, Math.max(1, 1.6 * sizes[sizes.length >> 1])) : 10;
}

function timeName(at, step) {
  const text = new Date(at).toISOString();
  if (step < MINUTE) return text.slice(11, 19);
  if (step < DAY && at % DAY) return text.slice(11, 16);
  return `${MONTHS[Number(text.slice(5, 7)) - 1]} ${Number(text.slice(8, 10))}`;
}
