"""A trial for OpenSim's tools: results in a folder, or a laboratory's files brought into one."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from casadi_dynamics.errors import InputError
from sspinn_opensim.dynamics.trial import USUAL_LOWPASS_HZ, filter_margin_s
from sspinn_opensim.opensim_io.static_optimization.preparation import Settings
from sspinn_opensim.opensim_io.static_optimization.setup_file import read_setup
from sspinn_opensim.opensim_io.static_optimization.trial_files import import_trial
from sspinn_opensim.opensim_io.tables.storage import read_storage
from sspinn_opensim.opensim_io.tools import inverse_dynamics
from sspinn_opensim.opensim_io.tools.tool_setup import ToolInputs
from sspinn_opensim.results.folder import ResultsFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Laboratory:
    """Files of a laboratory that are to be analysed in a folder of their own.

    Parameters
    ----------
    external_loads : Path or None
        Forces on the feet; None only where `untouched`.
    unit : {'degrees', 'radians'}, optional
        Of the motion, where its header does not say.
    forces : Path, optional
        Forces of a static optimization of its own, of all muscles and actuators.
    actuators : tuple of Path
        Force sets with the reserve and residual actuators of that optimization.
    untouched : bool
        Whether nothing touches the body, such as an arm that moves freely.

    Raises
    ------
    InputError
        There are no external loads, and nothing says that none act; or both.
    """

    model: Path
    motion: Path
    external_loads: Path | None = None
    unit: str | None = None
    forces: Path | None = None
    actuators: tuple[Path, ...] = ()
    untouched: bool = False

    def __post_init__(self) -> None:
        if (self.external_loads is not None) == self.untouched:
            raise InputError(
                "The external loads are not clear: without them the pelvis would carry the body, in silence.",
                where=self.motion,
                expected="--external-loads XML, or --no-external-loads where nothing touches the body",
            )


@dataclass(frozen=True)
class AnalysedPart:
    """The part of a motion to analyse, and the filter.

    Parameters
    ----------
    from_s, to_s : float, optional
        s; by default as far as motion and loads go, less the margin of the filter.
    lowpass_hz : float, optional
        Of OpenSim's filter on the coordinates, Hz; 0 filters nothing. By default that of the muscle forces in
        the folder; else none for an estimate whose motion and ground forces agree, and 6 Hz for others.
    """

    from_s: float | None = None
    to_s: float | None = None
    lowpass_hz: float | None = None


def title_of(laboratory: Laboratory | None) -> str:
    """Return what a trial is called in its results folder; empty where the folder has its own title."""
    return laboratory.motion.stem if laboratory else ""


def prepared(folder: Path, laboratory: Laboratory | None, part: AnalysedPart) -> ToolInputs:
    """Write the set-up of inverse dynamics into a folder; the laboratory's files are brought there first.

    Raises
    ------
    InputError
        A file cannot be used; the folder holds an estimate of its own, no motion, or no external loads.
    """
    lowpass_hz = part.lowpass_hz
    if lowpass_hz is None:
        files = ResultsFolder(folder)
        setup, usual = files.static_optimization_setup, USUAL_LOWPASS_HZ
        if files.consistency.is_file() and not laboratory:
            usual = 0.0  # filtered coordinates would no longer belong to the ground forces
        lowpass_hz = max(read_setup(setup).lowpass_hz if setup.is_file() else usual, 0.0)
    part = replace(part, lowpass_hz=lowpass_hz)
    settings = Settings(lowpass_hz=lowpass_hz)
    window = _gathered(folder, laboratory, part, settings) if laboratory else _window(folder, part)
    loads = "" if laboratory and laboratory.untouched else _loads(folder)
    return inverse_dynamics.prepare(folder, external_loads=loads, window=window, lowpass_hz=lowpass_hz)


def _gathered(
    folder: Path, laboratory: Laboratory, part: AnalysedPart, settings: Settings
) -> tuple[float, float]:
    """Bring the laboratory's files into the folder; return what is to be analysed."""
    if ResultsFolder(folder).training.exists():
        raise InputError(
            "The folder holds an estimate, whose files would be replaced.",
            where=str(folder),
            fix="choose another --out",
        )
    folder.mkdir(parents=True, exist_ok=True)
    trial = import_trial(
        laboratory.model,
        laboratory.motion,
        laboratory.external_loads,
        folder,
        settings=settings,
        from_s=part.from_s,
        to_s=part.to_s,
        unit=laboratory.unit,
        needs_muscles=False,
    )
    for note in trial.notes:
        log.info(f"note: {note}")
    return trial.window


def _loads(folder: Path) -> str:
    """Return the name of the ground forces' file, without which ankles carry nothing."""
    file = ResultsFolder(folder).external_loads
    if not file.is_file():
        raise InputError(
            "The folder has no ground forces: joint moments without them would be wrong in silence.",
            where=str(file),
            fix="run sspinn estimate again; for a motion that nothing touches give "
            "MODEL MOTION --no-external-loads --out FOLDER",
        )
    return file.name


def _window(folder: Path, part: AnalysedPart) -> tuple[float, float] | None:
    for name in (ResultsFolder.subject.name, ResultsFolder.kinematics.name):
        if not (folder / name).is_file():
            raise InputError(
                "The folder holds no motion to analyse.",
                where=str(folder / name),
                fix="run sspinn estimate first, or give MODEL MOTION --external-loads XML --out FOLDER",
            )
    if part.from_s is None and part.to_s is None:
        return None
    time_s = read_storage(ResultsFolder(folder).kinematics).time_s
    margin = filter_margin_s(part.lowpass_hz or 0.0)
    return (
        time_s[0] + margin if part.from_s is None else part.from_s,
        time_s[-1] - margin if part.to_s is None else part.to_s,
    )
