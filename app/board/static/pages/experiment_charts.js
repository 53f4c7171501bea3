// The charts of an experiment: the effect so far, by days since a listener entered, and latency.

import { latencies } from "../charts/bars.js";
import { armLegend, chartFigure } from "../charts/figure.js";
import { intervalOverTime, liftByDay } from "../charts/intervals.js";
import { count, effect, listed, moment, ms, plural } from "../format.js";
import { placeOf } from "../parts.js";

const HEIGHT = 220;

/** The series of the lift over all sessions so far, in percent, one for each treatment. */
export function soFar({ over_time: courses, arms }) {
  return (courses ?? []).map(({ treatment, step_ms, series }) => ({
    name: treatment,
    place: placeOf(treatment, arms),
    points: series
      .filter(({ so_far }) => so_far)
      .map(({ from_ms, so_far }) => ({
        at: from_ms + step_ms,
        interval: so_far,
        ...percent(so_far),
      })),
  }));
}

/** The always-valid interval, as it grew. */
export function soFarFigure(experiment, hint = "") {
  const series = soFar(experiment);
  return chartFigure({
    title: "Effect so far",
    hint,
    sentence: `Lift so far: ${atTheEnd(series)}.`,
    legend: series.length > 1 ? armLegend(series) : undefined,
    draw: intervalOverTime(series, HEIGHT),
    columns: ["until (UTC)", "arm", "lift"],
    rows: series.flatMap(({ name, points }) =>
      points.map(({ at, interval }) => [moment(at), name, effect(interval)]),
    ),
  });
}

/** The lift by days since a listener entered: does it wear off, or grow? */
export function byDayFigure({ by_day: courses, arms }) {
  const series = (courses ?? []).map(({ treatment, series: days }) => ({
    name: treatment,
    place: placeOf(treatment, arms),
    points: days
      .filter(({ lift }) => lift)
      .map(({ day, lift, listeners }) => ({ day, listeners, interval: lift, ...percent(lift) })),
  }));
  const days = series.flatMap(({ points }) => points);
  if (!days.length) return null;
  return chartFigure({
    title: "Effect by days since a listener entered",
    hint: "A novelty wears off: the first days lie above the later ones. These are many looks, so one interval alone proves nothing.",
    sentence: `Lift on the last day shown: ${atTheEnd(series)}.`,
    legend: series.length > 1 ? armLegend(series) : undefined,
    draw: liftByDay(series, HEIGHT),
    columns: ["day", "arm", "listeners", "lift"],
    rows: series.flatMap(({ name, points }) =>
      points.map(({ day, listeners, interval }) => [day, name, count(listeners), effect(interval)]),
    ),
  });
}

/** Median, 90th and 99th percentile of latency by arm. */
export function latencyFigure({ arms }) {
  const measured = arms.filter(({ latency_ms: each }) => each && Object.keys(each).length);
  if (!measured.length) return null;
  const rows = measured.map((each) => ({
    name: each.name,
    place: placeOf(each.name, arms),
    values: ["p50", "p90", "p99"].map((name) => each.latency_ms[name]),
  }));
  const worst = rows.map(({ name, values }) => `${name} ${ms(values[2])}`);
  return chartFigure({
    title: "Latency of answers",
    hint: "Median, 90th and 99th percentile, from the request's arrival to the event in the log, in ms.",
    sentence: `99th percentile: ${listed(worst)}.`,
    legend: armLegend(rows),
    draw: latencies(rows, HEIGHT),
    columns: ["arm", "p50", "p90", "p99"],
    rows: rows.map(({ name, values }) => [name, ...values.map(ms)]),
  });
}

function percent({ estimate, low, high }) {
  return { lift: 100 * estimate, low: 100 * low, high: 100 * high };
}

function atTheEnd(series) {
  const ends = series.filter(({ points }) => points.length);
  return (
    listed(ends.map(({ name, points }) => `${name} ${effect(points.at(-1).interval)}`)) ||
    plural(0, "arm")
  );
}
