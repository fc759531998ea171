"""Random numbers of the demo company, and places that they fall on."""

from zlib import crc32

import numpy as np


def random_stream(seed: int, *names: str | int) -> np.random.Generator:
    """Give a stream of random numbers that depends on its names alone.

    What is drawn in one stream does not move another one, in whatever order and by
    however many threads they are used.
    """
    words = [n if isinstance(n, int) else crc32(n.encode()) for n in names]
    return np.random.Generator(np.random.PCG64DXSM([seed, *words]))


def cumulated(weights: np.ndarray) -> np.ndarray:
    """Weight before each place, and at the end that of all."""
    return np.concatenate([[0.0], weights.cumsum()])


def places(u: np.ndarray, weight_before: np.ndarray) -> np.ndarray:
    """Places that uniform numbers fall on, as often as the places weigh.

    Parameters
    ----------
    u : array of float
        From 0 to 1.
    weight_before : array of float
        As ``cumulated`` gives it, or a stretch of that.
    """
    place = np.searchsorted(weight_before, u * weight_before[-1], side="right") - 1
    return np.minimum(place, weight_before.size - 2).astype(np.int32)


def choice(random: np.random.Generator, shares: np.ndarray, count: int) -> np.ndarray:
    """Draw so many places from a list of shares."""
    return places(random.random(count), cumulated(shares))
