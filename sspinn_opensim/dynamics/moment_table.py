"""Joint moments from several sources beside those of OpenSim's inverse dynamics, coordinate by coordinate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from sspinn_opensim.dynamics.agreement import agreement

#: A curve that varies less than this has no shape to correlate, N m or N.
_FLAT = 1e-3


@dataclasses.dataclass(frozen=True)
class MomentAgreement:
    """How closely one curve follows OpenSim's.

    Parameters
    ----------
    rmsd, largest : float
        Root of the mean squared difference, and the largest one; N m or N.
    percent : float or None
        `rmsd` in percent of body weight (N) or body weight times height (N m); None without a height.
    correlation : float or None
        Pearson's; None where a curve hardly varies.
    """

    rmsd: float
    largest: float
    percent: float | None
    correlation: float | None


@dataclasses.dataclass(frozen=True)
class Row:
    """One coordinate: its peak in OpenSim's inverse dynamics, and how others agree with it.

    Parameters
    ----------
    coordinate, unit : str
        The unit is N m or N.
    residual : bool
        The coordinate carries the whole body: no joint does this work.
    peak : float
        Largest size in OpenSim's curve.
    agreement : dict of str to MomentAgreement
        By source.
    """

    coordinate: str
    unit: str
    residual: bool
    peak: float
    agreement: dict[str, MomentAgreement]


def rows(
    expected: Mapping[str, np.ndarray],
    sources: Mapping[str, Mapping[str, np.ndarray]],
    rotational: Mapping[str, bool],
    roots: Sequence[str],
    body_weight_n: float,
    height_m: float | None,
) -> tuple[Row, ...]:
    """Return one row a coordinate.

    Parameters
    ----------
    expected : mapping of str to (n,) ndarray
        OpenSim's inverse dynamics by coordinate.
    sources : mapping
        By name of the source, its curves at the same frames; frames it does not cover are NaN, and
        coordinates it does not have are absent.
    roots : sequence of str
        Coordinates that carry the whole body.
    """
    found = []
    for coordinate, curve in expected.items():
        whole = body_weight_n * (height_m or 0.0) if rotational[coordinate] else body_weight_n
        agreements = {}
        for source, curves in sources.items():
            if coordinate in curves and (known := np.isfinite(curves[coordinate])).any():
                close = agreement(curves[coordinate][known], curve[known], _FLAT)
                agreements[source] = MomentAgreement(
                    close.rmsd,
                    close.largest,
                    100 * close.rmsd / whole if whole else None,
                    close.correlation,
                )
        found.append(
            Row(
                coordinate,
                "N m" if rotational[coordinate] else "N",
                coordinate in roots,
                float(np.abs(curve).max()),
                agreements,
            )
        )
    return tuple(found)


def as_text(table: Sequence[Row], sources: Sequence[str]) -> str:
    """Return the table for printing; residuals stand last."""
    width = max((len(row.coordinate) for row in table), default=0) + 2
    share = any(a.percent is not None and row.unit == "N m" for row in table for a in row.agreement.values())
    head = f"{'':{width}}{'peak':>9}     "
    lines = [
        head + "".join(f"  {source:^24}" for source in sources),
        " " * len(head) + "".join(f"  {'RMSD':>8}{'BWBH%' if share else 'BW%':>8}{'r':>8}" for _ in sources),
    ]
    for residual in (False, True):
        chosen = [row for row in table if row.residual == residual]
        if residual and chosen:
            lines.append("residuals, which no joint carries (percent of body weight for forces):")
        for row in chosen:
            cells = "".join(_cells(row.agreement.get(source)) for source in sources)
            lines.append(f"{row.coordinate:{width}}{row.peak:9.2f} {row.unit:4}{cells}")
    return "\n".join(lines)


def _cells(found: MomentAgreement | None) -> str:
    if found is None:
        return f"  {'-':>8}{'-':>8}{'-':>8}"
    percent = "-" if found.percent is None else f"{found.percent:.2f}"
    correlation = "-" if found.correlation is None else f"{found.correlation:.3f}"
    return f"  {found.rmsd:8.3g}{percent:>8}{correlation:>8}"
