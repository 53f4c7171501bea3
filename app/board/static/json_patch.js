// JSON Patch (RFC 6902), with the three operations that the server sends.

/**
 * Apply a patch.
 * @param {unknown} document The JSON value before; the call changes it.
 * @param {{op: "add" | "replace" | "remove", path: string, value?: unknown}[]} patch
 * @returns {unknown} The JSON value after.
 */
export function applyPatch(document, patch) {
  let whole = document;
  for (const { op, path, value } of patch) {
    if (path === "") {
      whole = value;
      continue;
    }
    const keys = path.slice(1).split("/").map(unescaped);
    const last = keys.pop();
    const inside = keys.reduce((each, key) => each[key], whole);
    change(inside, last, op, value);
  }
  return whole;
}

function change(inside, key, op, value) {
  if (!Array.isArray(inside)) {
    if (op === "remove") delete inside[key];
    else inside[key] = value;
    return;
  }
  const place = key === "-" ? inside.length : Number(key);
  if (op === "add") inside.splice(place, 0, value);
  else if (op === "remove") inside.splice(place, 1);
  else inside[place] = value;
}

function unescaped(key) {
  return key.replaceAll("~1", "/").replaceAll("~0", "~");
}
