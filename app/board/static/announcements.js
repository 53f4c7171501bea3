// What a screen reader hears while numbers change: a new verdict or a new validity, and nothing else.

/**
 * The part of an experiment whose change is worth interrupting for.
 *
 * Verdict sentences have numbers, which change all the time. The claims behind them do not.
 */
function essence({ status, validity, effects, withheld }) {
  const primary = (effects ?? []).filter(({ role }) => role === "primary");
  const claims = withheld ? [] : primary.map(({ treatment, claim }) => `${treatment} ${claim}`);
  return JSON.stringify([status, validity.valid, claims]);
}

/** A function that gives the sentences about what changed since the snapshot before. */
export function announcer() {
  let before = null;
  return (snapshot) => {
    const now = new Map(snapshot.experiments.map((each) => [each.name, essence(each)]));
    const changed = before
      ? snapshot.experiments.filter(({ name }) => before.get(name) !== now.get(name))
      : [];
    before = now;
    return changed.map(spoken);
  };
}

function spoken({ name, status, validity, verdicts }) {
  const state = validity.valid ? "valid" : "invalid";
  return `${name}: ${status}, ${state}. ${(verdicts ?? []).join(" ")}`;
}
