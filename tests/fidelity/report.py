"""What a replay of a folder found, per resource type and verb."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from .recording import files, read
from .replay import Judgement, Replay


@dataclass
class Row:
    """One resource type and verb."""

    exchanges: int = 0
    status: int = 0
    shape: int = 0
    differences: Counter[str] = field(default_factory=Counter)


@dataclass
class Report:
    """Everything judged, with the recording's name; `unreadable`: files that are no recordings."""

    judged: list[tuple[str, Judgement]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def in_scope(self) -> list[tuple[str, Judgement]]:
        return [(name, one) for name, one in self.judged if not one.out_of_scope]

    def rows(self) -> dict[tuple[str, str], Row]:
        """By type and verb."""
        found: dict[tuple[str, str], Row] = defaultdict(Row)
        for _, one in self.in_scope:
            row = found[one.exchange.kind, one.exchange.method]
            row.exchanges += 1
            row.status += not one.status
            row.shape += not one.shape
            row.differences.update(one.status)
            row.differences.update(one.shape)
        return dict(sorted(found.items()))

    @property
    def status(self) -> float:
        """Percent of the exchanges in scope whose status, headers and error code are right."""
        return _percent(sum(not one.status for _, one in self.in_scope), len(self.in_scope))

    @property
    def shape(self) -> float:
        """Percent of the exchanges in scope whose body has the right shape."""
        return _percent(sum(not one.shape for _, one in self.in_scope), len(self.in_scope))

    def table(self) -> list[str]:
        """The numbers by type and verb, for docs/fidelity.md."""
        made = ["| type | verb | exchanges | status | shape |", "|---|---|---|---|---|"]
        for (kind, method), row in self.rows().items():
            made.append(f"| {kind} | {method} | {row.exchanges} | {row.status} | {row.shape} |")
        return made

    def lines(self, shown: int = 3, *, verbose: bool = False) -> list[str]:
        """The table, what was left out and why, and the one line that counts, last."""
        made = [f"{'exchanges':>9} {'status':>7} {'shape':>7}  type and verb, and its first differences"]
        for (kind, method), row in self.rows().items():
            made.append(f"{row.exchanges:>9} {row.status:>7} {row.shape:>7}  {method} {kind}")
            most = row.differences.most_common(None if verbose else shown)
            made += [f"{'':>27}  {count} x {text}" for text, count in most]
            if len(row.differences) > len(most):
                made.append(f"{'':>27}  and {len(row.differences) - len(most)} more")
        if verbose:
            for name, one in self.in_scope:
                if one.status or one.shape:
                    exchange = one.exchange
                    made.append(f"{name} #{exchange.index} {exchange.method} {exchange.path}: {'; '.join(one.status + one.shape)}")
        made += self.unreadable
        left = Counter(one.out_of_scope for _, one in self.judged if one.out_of_scope)
        if left:
            made.append(f"{sum(left.values())} exchanges are out of scope:")
            made += [f"{count:>9}  {reason}" for reason, count in left.most_common()]
        made.append(f"fidelity: {len(self.in_scope)} exchanges, status {self.status:.1f} %, shape {self.shape:.1f} %")
        return made


def replay_all(folder: Path, only: str = "") -> Report:
    """Replay every recording of a folder, each against a sandbox of its own."""
    report = Report()
    for path in files(folder, only):
        try:
            recording = read(path)
        except ValueError as problem:
            report.unreadable.append(str(problem))
            continue
        try:
            for one in Replay(recording).run():
                report.judged.append((recording.name, one))
        except Exception as problem:  # an exchange of a form that nobody thought of: the rest is still judged
            report.unreadable.append(f"{path} could not be replayed to its end: {problem!r}")
    return report


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
