"""Artifacts in use: catalog, lists, vectors and tables of a config, with their manifests."""

from typing import Any

from core.lists import Lists
from core.vectors import Vectors
from engine.runtime import Runtime
from strategies.base import FILE_KINDS, named_in

Found = dict[str, Any]


def describe_artifacts(runtime: Runtime) -> Found:
    """Describe the data of a config, and which strategies use it."""
    section, settings = runtime.settings.catalog, runtime.settings
    catalog, artifacts = runtime.catalog, runtime.artifacts
    used = _users_of_files(runtime)
    lists: list[Found] = [
        {
            "name": name,
            "path": str(settings.resolve(section.lists[name])),
            **_lists(each),
            "used_by": used.get(name, []),
        }
        for name, each in artifacts.lists.items()
    ]
    vectors: list[Found] = [
        {
            "name": name,
            "path": str(settings.resolve(section.vectors[name])),
            **_vectors(each),
            "used_by": used.get(name, []),
        }
        for name, each in artifacts.vectors.items()
    ]
    tables: list[Found] = [
        {
            "name": name,
            "path": str(settings.resolve(section.tables[name])),
            "of": each.key,
            "rows": len(each),
            "checksum": each.checksum,
            "manifest": dict(each.manifest),
            "used_by": used.get(name, []),
        }
        for name, each in artifacts.tables.items()
    ]
    return {
        "config": runtime.digest,
        "catalog": {
            "path": str(settings.resolve(section.tracks)),
            "tracks": len(catalog),
            "artists": len(catalog.artists),
            "checksum": catalog.checksum,
            "fields": sorted(catalog.fields),
        },
        "top": None
        if section.top is None
        else {"path": str(settings.resolve(section.top)), "tracks": len(artifacts.top)},
        "lists": lists,
        "vectors": vectors,
        "tables": tables,
        "models": [
            {"name": each["name"], "kind": kind, **_model_of(each["manifest"])}
            for kind, found in (("lists", lists), ("vectors", vectors), ("tables", tables))
            for each in found
            if "model" in each["manifest"]
        ],
    }


def _lists(lists: Lists) -> Found:
    return {
        "of": lists.key,
        "rows": len(lists),
        "entries": len(lists.tracks),
        "checksum": lists.checksum,
        "manifest": dict(lists.manifest),
    }


def _vectors(vectors: Vectors) -> Found:
    return {
        "of": vectors.key,
        "rows": len(vectors),
        "dimensions": vectors.dimensions,
        "checksum": vectors.checksum,
        "manifest": dict(vectors.manifest),
    }


def _model_of(manifest: Found) -> Found:
    return {"model": manifest["model"], "manifest": manifest}


def _users_of_files(runtime: Runtime) -> dict[str, list[str]]:
    """Return file's name in the config -> strategies whose params name it."""
    found: dict[str, list[str]] = {}
    for strategy, settings in runtime.settings.strategies.items():
        for kind in FILE_KINDS:
            for _, name in named_in(settings.params, kind):
                found.setdefault(name, []).append(strategy)
    return found
