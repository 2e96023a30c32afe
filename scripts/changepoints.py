#!/usr/bin/env python3
"""Writes reports/tests/history/otava.json: what Apache Otava finds in a few series, for our own detector to be held to.

Run it with a Python that has the package, outside this repository:

    python3 -m venv /tmp/otava && /tmp/otava/bin/pip install -r scripts/changepoints-requirements.txt
    /tmp/otava/bin/python scripts/changepoints.py
"""

import importlib.metadata
import json
import pathlib
import random

from otava.analysis import TTestSignificanceTester, compute_change_points

OUT = pathlib.Path(__file__).parent.parent / "reports/tests/history/otava.json"


def noisy(levels, share, seed, outliers=()):
    """Levels as (length, value), with normal noise of a share of the value."""
    source = random.Random(seed)
    values = [v * (1 + source.gauss(0, share)) for n, v in levels for _ in range(n)]
    for at, factor in outliers:
        values[at] *= factor
    return [round(v, 6) for v in values]


def drift(n, start, end, share, seed):
    source = random.Random(seed)
    return [round((start + (end - start) * i / (n - 1)) * (1 + source.gauss(0, share)), 6) for i in range(n)]


def series():
    yield "step up of 5 %", noisy([(25, 100), (25, 105)], 0.01, 1)
    yield "step down of 10 %", noisy([(20, 100), (30, 90)], 0.02, 2)
    yield "two steps up", noisy([(20, 100), (20, 110), (20, 125)], 0.02, 3)
    yield "up and back", noisy([(30, 100), (15, 115), (30, 100)], 0.02, 4)
    yield "drift", drift(60, 100, 120, 0.01, 5)
    yield "noise", noisy([(80, 100)], 0.03, 6)
    yield "one outlier", noisy([(60, 100)], 0.01, 7, outliers=[(30, 1.5)])
    yield "outlier beside a step", noisy([(30, 100), (30, 108)], 0.01, 8, outliers=[(12, 1.4)])
    yield "step near the end", noisy([(45, 100), (5, 112)], 0.01, 9)
    yield "long, two windows and more", noisy([(70, 100), (60, 104), (70, 98)], 0.01, 10)
    yield "flat", [100.0] * 40
    yield "flat with a step", [100.0] * 20 + [101.0] * 20
    yield "short", noisy([(4, 100), (4, 130)], 0.01, 11)
    yield "a change hidden by noise", noisy([(20, 100), (20, 102)], 0.05, 12)
    for seed in range(100, 120):
        source = random.Random(seed)
        levels = [(source.randint(3, 40), source.uniform(95, 110)) for _ in range(source.randint(1, 6))]
        yield f"drawn from seed {seed}", noisy(levels, source.choice([0.005, 0.02]), seed)


def main():
    cases = []
    for name, values in series():
        for p, least in [(0.001, 0.0), (0.05, 0.02)]:
            found, _ = compute_change_points(list(values), window_len=50, max_pvalue=p, min_magnitude=least)
            # Its merge leaves the numbers of a change before a removed one as they were: they are taken anew, by its own test.
            tester = TTestSignificanceTester(p)
            intervals = tester.get_intervals(found)
            found = [tester.change_point(c.to_candidate(), list(values), intervals) for c in found]
            changes = [
                {"at": int(c.index), "p": float(c.stats.pvalue), "before": float(c.stats.mean_1), "after": float(c.stats.mean_2)}
                for c in found
            ]
            cases.append({"name": name, "p": p, "least": least, "series": values, "changes": changes})
    version = importlib.metadata.version("apache-otava")
    lines = ",\n".join(json.dumps(c) for c in cases)
    OUT.write_text(f'{{"made_by": "apache-otava {version}, window 50", "cases": [\n{lines}\n]}}\n')
    print(f"{OUT}: {len(cases)} cases, {sum(len(c['changes']) for c in cases)} changes")


if __name__ == "__main__":
    main()
