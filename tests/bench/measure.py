# SPDX-License-Identifier: GPL-2.0-or-later
"""Repetitions in turn, medians and spread, and targets: what each figure of
the benchmark is made of.

A Row is one figure of the table: a value for each candidate, and the targets
that egress-run has to reach on it. Candidates take turns, each round in another
order, so that whatever else the machine does meets all of them alike.
"""
import dataclasses
import statistics
import time

OURS = "egress-run"
NONE = "no sandbox"


class CannotRun(Exception):
    """A candidate that does not work here; the text is one line."""


@dataclasses.dataclass
class Target:
    """value is the figure that the limit holds for; how: "<=" or ">="."""
    text: str
    how: str
    limit: float
    value: float | None = None

    @property
    def met(self):
        if self.value is None:
            return None
        return (self.value <= self.limit if self.how == "<="
                else self.value >= self.limit)


@dataclasses.dataclass
class Row:
    key: str
    what: str
    unit: str
    less_is_better: bool
    values: dict  # candidate: [value of each repetition]
    missing: dict  # candidate: why it has none
    targets: list = dataclasses.field(default_factory=list)
    note: str = ""

    def median(self, name):
        got = self.values.get(name)
        return statistics.median(got) if got else None

    def spread(self, name):
        """p25 and p75."""
        got = self.values[name]
        if len(got) < 2:
            return got[0], got[0]
        quarters = statistics.quantiles(got, n=4, method="inclusive")
        return quarters[0], quarters[2]

    def ratio(self, name):
        """Ours to that candidate's, None without either."""
        ours, theirs = self.median(OURS), self.median(name)
        return ours / theirs if ours is not None and theirs else None

    # ---- targets; each gives the row back ----------------------------------

    def _aim(self, text, how, limit, value):
        self.targets.append(Target(text, how, limit, value))
        return self

    def times(self, name, how, limit):
        """Ours is at most ("<=") or at least (">=") limit times theirs."""
        return self._aim(f"{how} {limit:g} × {name}", how, limit,
                         self.ratio(name))

    def added(self, name, limit):
        """Ours is at most limit more than theirs."""
        ours, theirs = self.median(OURS), self.median(name)
        value = None if None in (ours, theirs) else ours - theirs
        return self._aim(f"≤ {limit:g} {self.unit} more than {name}", "<=",
                         limit, value)

    def absolute(self, limit, name=OURS):
        return self._aim(f"≤ {limit:g} {self.unit}", "<=", limit,
                         self.median(name))

    def as_json(self):
        candidates = {}
        for name, got in self.values.items():
            low, high = self.spread(name)
            candidates[name] = {
                "median": self.median(name), "p25": low, "p75": high,
                "min": min(got), "max": max(got), "repetitions": len(got),
                "egress_run_to_this": self.ratio(name), "values": got}
        for name, why in self.missing.items():
            candidates[name] = {"cannot_run": why}
        return {
            "key": self.key, "what": self.what, "unit": self.unit,
            "better": "less" if self.less_is_better else "more",
            "note": self.note, "candidates": candidates,
            "targets": [{"target": t.text, "how": t.how, "limit": t.limit,
                         "value": t.value, "met": t.met}
                        for t in self.targets]}


def alternate(candidates, repetitions, seconds=600):
    """Call each candidate in turn; (values, missing). candidates: name to a
    function that gives a number, or a dictionary of them. One that fails is
    left out from then on. After that many seconds no round is begun."""
    values, missing = {name: [] for name in candidates}, {}
    names = list(candidates)
    end = time.monotonic() + seconds
    for turn in range(repetitions):
        if turn and time.monotonic() > end:
            break
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            if name in missing:
                continue
            try:
                values[name].append(candidates[name]())
            except CannotRun as why:
                missing[name] = str(why)
                values.pop(name)
    return values, missing


def rows_of(specs, values, missing):
    """Rows from dictionaries: specs are (name in it, Row's key, what, unit,
    less_is_better)."""
    return [Row(key, what, unit, less,
                {name: [v[field] for v in got if v.get(field) is not None]
                 for name, got in values.items()
                 if any(v.get(field) is not None for v in got)},
                dict(missing))
            for field, key, what, unit, less in specs]
