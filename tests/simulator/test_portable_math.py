"""Arithmetic of our own agrees with the library's, and does not depend on the processor."""

import hashlib
import math

import numpy as np

from simulator.portable_math import exp, normals, sigmoid


def test_exp_equals_the_librarys_to_the_last_bits() -> None:
    x = np.linspace(-700, 700, 100_001)
    expected = np.array([math.exp(value) for value in x])
    assert np.max(np.abs(exp(x) / expected - 1)) < 5e-16


def test_exp_gives_the_same_bits_everywhere() -> None:
    made = exp(np.linspace(-700, 700, 10_001))
    assert hashlib.sha256(made.astype("<f8").tobytes()).hexdigest()[:16] == "b27e53c1ec24e323"


def test_sigmoid_is_one_half_at_zero_and_flat_far_away() -> None:
    assert sigmoid(np.array([0.0, -1e9, 1e9])).tolist()[0] == 0.5
    assert sigmoid(np.array([-1e9, 1e9])).round(12).tolist() == [0, 1]
    assert abs(sigmoid(np.array([2.0]))[0] - 1 / (1 + math.exp(-2))) < 1e-15


def test_normals_are_nearly_normal() -> None:
    made = normals(3, np.arange(100_000))
    assert abs(made.mean()) < 0.01
    assert abs(made.std() - 1) < 0.01
    assert abs(np.mean(np.abs(made) < 1.96) - 0.95) < 0.005
    assert np.array_equal(made * 65536, np.rint(made * 65536))
