"""Fields of tracks, and the conditions on them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import load_catalog
from core.track_fields import ABSENT, FieldColumns, fault_of, tracks_where

RECORDS = [
    {"genre": "rock", "year": 1990, "explicit": False, "tags": ["live", "new"]},
    {"genre": "pop", "year": 2001.5, "explicit": True},
    {"year": 2010, "explicit": 1, "tags": ["new"]},
    {"genre": None, "nested": {"a": 1}, "long": list(range(33)), "tags": []},
]


def fields_of(records):
    columns = FieldColumns(("track",))
    for number, record in enumerate(records):
        columns.add({"track": number, **record})
    return columns.fields()


FIELDS = fields_of(RECORDS)


@pytest.mark.parametrize(
    ("where", "tracks"),
    [
        ({"genre": "rock"}, [0]),
        ({"genre": ["rock", "pop", "jazz"]}, [0, 1]),
        ({"genre": {"not": "rock"}}, [1]),
        ({"genre": {"not": ["rock", "pop"]}}, []),
        ({"year": {"min": 2001.5}}, [1, 2]),
        ({"year": {"min": 1990, "max": 2001}}, [0]),
        ({"year": {"min": 1990, "not": 2010}}, [0, 1]),
        ({"genre": {"min": 1}}, []),
        ({"explicit": True}, [1]),
        ({"explicit": 1}, [2]),
        ({"explicit": False}, [0]),
        ({"tags": "new"}, [0, 2]),
        ({"tags": {"not": "live"}}, [2]),
        ({"genre": "rock", "year": {"max": 1989}}, []),
        ({"genre": ["rock", "pop"], "tags": "new"}, [0]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_conditions(where, tracks):
    assert np.flatnonzero(tracks_where(FIELDS, where)).tolist() == tracks


def test_what_is_no_scalar_and_no_short_list_is_no_field():
    assert set(FIELDS) == {"genre", "year", "explicit", "tags"}
    assert FIELDS["genre"].codes.tolist() == [0, 1, ABSENT, ABSENT]


def test_the_checksum_follows_the_content():
    changed = [dict(each) for each in RECORDS]
    changed[1]["year"] = 2002
    again, other = fields_of(RECORDS), fields_of(changed)

    assert again["year"].checksum == FIELDS["year"].checksum
    assert other["year"].checksum != FIELDS["year"].checksum
    assert other["genre"].checksum == FIELDS["genre"].checksum


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ([], "must be a value"),
        ([["a"]], "must be a value"),
        (None, "must be a value"),
        ({}, "must have `min`, `max` or `not`"),
        ({"least": 3}, "must have `min`, `max` or `not`, got ['least']"),
        ({"min": "3"}, "must have numbers as `min` and `max`"),
        ({"max": True}, "must have numbers"),
        ({"not": []}, "must be a value"),
    ],
)
def test_faulty_conditions(condition, said):
    assert said in fault_of(condition)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["a", "b"]))


@given(st.lists(VALUES, min_size=1), st.one_of(st.booleans(), st.integers(0, 2), st.just("a")))
def test_a_value_is_met_by_equal_values_of_its_kind_alone(values, wanted):
    fields = fields_of([{"x": value} for value in values] + [{"x": "always"}])
    expected = [
        place
        for place, value in enumerate(values)
        if value is not None and isinstance(value, bool) is isinstance(wanted, bool)
        if value == wanted
    ]

    assert np.flatnonzero(tracks_where(fields, {"x": wanted})).tolist() == expected


def test_a_catalog_file_gives_its_further_columns(tmp_path):
    path = tmp_path / "tracks.jsonl"
    lines = [{"track": n, "artist": "a", "title": "t", **each} for n, each in enumerate(RECORDS)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    catalog = load_catalog(path)

    assert {name: each.checksum for name, each in catalog.fields.items()} == {
        name: each.checksum for name, each in FIELDS.items()
    }
