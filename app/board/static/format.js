// Numbers and times as the report writes them (analysis/formatting.py).

/** Stands where there is no number. */
export const NONE = "–";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const UNITS = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1_000, "second"],
];

/** A whole number with separators: `3,158`. */
export function count(number) {
  return number == null ? NONE : WHOLE.format(number);
}

/** A share of 1 in percent: `49.8 %`; two digits below 10 %, because small shares matter. */
export function share(number) {
  if (number == null) return NONE;
  return `${(100 * number).toFixed(number !== 0 && number < 0.1 ? 2 : 1)} %`;
}

/** Percent with a sign; tenths only below 1,000 %. */
export function signedPercent(number) {
  const percent = Math.abs(100 * number);
  const text = percent < 999.5 ? percent.toFixed(1) : WHOLE.format(percent);
  return (number < 0 ? "-" : "+") + text;
}

/** A lift without its interval: `+12.4 %`. */
export function lift(interval) {
  return interval == null ? NONE : `${signedPercent(interval.estimate)} %`;
}

/** The interval of a lift: `[+8.1, +16.9]`. */
export function bounds(interval) {
  return interval == null
    ? ""
    : `[${signedPercent(interval.low)}, ${signedPercent(interval.high)}]`;
}

/** A lift with its interval: `+12.4 % [+8.1, +16.9]`. */
export function effect(interval) {
  return interval == null ? NONE : `${lift(interval)} ${bounds(interval)}`;
}

/** A number with as many digits as tell something. */
export function short(number) {
  if (number == null) return NONE;
  const size = Math.abs(number);
  return size >= 10_000 ? WHOLE.format(number) : number.toFixed(size < 100 ? 3 : 1);
}

/** Milliseconds: `0.42 ms`. */
export function ms(number) {
  if (number == null) return NONE;
  return number < 100 ? `${number.toFixed(2)} ms` : `${WHOLE.format(number)} ms`;
}

/** A time in UTC to the second: `2026-07-14 09:30:05`. */
export function moment(at_ms) {
  return at_ms == null ? NONE : new Date(at_ms).toISOString().slice(0, 19).replace("T", " ");
}

/** The time of day in UTC: `09:30:05`. */
export function clock(at_ms) {
  return at_ms == null ? NONE : new Date(at_ms).toISOString().slice(11, 19);
}

/** A span in its largest unit: `3 days`, `1 hour`. */
export function span(length_ms) {
  if (length_ms == null) return NONE;
  const [size, unit] = UNITS.find(([each]) => length_ms >= each) ?? UNITS.at(-1);
  const number = Math.round(length_ms / size);
  return plural(number, unit);
}

/** A number with its noun: `1 listener`, `2 listeners`. */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A list in words: `C, T1 and T2`. */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
