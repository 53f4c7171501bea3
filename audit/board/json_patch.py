"""JSON Patch (RFC 6902): the operations that make one JSON value of another."""

from typing import Any

Operation = dict[str, Any]


def patch_between(before: Any, after: Any, path: str = "") -> list[Operation]:
    """List the operations `add`, `replace` and `remove` that make `after` of `before`.

    Arrays are compared place by place, so an array that grows at its end costs only what is new.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        return _between_objects(before, after, path)
    if isinstance(before, list) and isinstance(after, list):
        return _between_arrays(before, after, path)
    # True equals 1 in Python, and not in JSON.
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return []
    return [{"op": "replace", "path": path, "value": after}]


def _between_objects(before: dict[str, Any], after: dict[str, Any], path: str) -> list[Operation]:
    found: list[Operation] = []
    for key, was in before.items():
        at = f"{path}/{_escaped(key)}"
        if key in after:
            found += patch_between(was, after[key], at)
        else:
            found.append({"op": "remove", "path": at})
    found += [
        {"op": "add", "path": f"{path}/{_escaped(key)}", "value": value}
        for key, value in after.items()
        if key not in before
    ]
    return found


def _between_arrays(before: list[Any], after: list[Any], path: str) -> list[Operation]:
    found: list[Operation] = []
    for place, (was, now) in enumerate(zip(before, after, strict=False)):
        found += patch_between(was, now, f"{path}/{place}")
    # From the end, so that each place still means the same when its turn comes.
    found += [
        {"op": "remove", "path": f"{path}/{place}"}
        for place in range(len(before) - 1, len(after) - 1, -1)
    ]
    found += [{"op": "add", "path": f"{path}/-", "value": value} for value in after[len(before) :]]
    return found


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
