"""Public recordings of real people, what is known of them, and their studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.people import references
from sspinn_opensim import cli
from sspinn_opensim.study import Study, examples_folder, read_study


@dataclass(frozen=True)
class Recorded:
    """A public recording and what to say of it to ``sspinn check``.

    Parameters
    ----------
    path : str
        File or folder below the data folder; or a study of the folder `examples`, used as it is.
    measured : callable
        Reads the reference from the file or folder `reference`.
    options : tuple of str
        Further options of ``sspinn check``.
    space_model : tuple of str
        What is estimated in space: a model below the data folder, and options of ``sspinn check`` for it;
        empty: the recording is not estimated in space.
    """

    path: str
    mass_kg: float
    height_m: float
    measured: Callable[[Path], references.Measured]
    reference: str
    options: tuple[str, ...] = ()
    space_model: tuple[str, ...] = ()


#: A generic model of OpenSim, which is scaled by height.
_GAIT2392 = ("../models/gait2392_thelen2003.osim",)
_RAJAGOPAL = ("../models/Rajagopal2016.osim", "--generic-height", "1.70")
_NEURA = {
    "pelvis": "00B40B91",
    "femur_r": "00B40C3C",
    "femur_l": "00B40C45",
    "tibia_r": "00B40C35",
    "tibia_l": "00B40BA5",
    "foot_r": "00B40C48",
    "foot_l": "00B40C55",
}
RECORDINGS: Mapping[str, Recorded] = {
    "kuopio": Recorded(
        "kuopio2024_walk/imu",
        75.53,
        1.75,
        references.kuopio,
        "kuopio2024_walk",
        ("--rate", "100"),
        ("kuopio2024_walk/subject.osim", "--scaled"),
    ),
    "gaittoolbox": Recorded(
        "gaittoolbox_walk/imu",
        63.0,
        1.70,
        references.gaittoolbox,
        "gaittoolbox_walk",
        ("--rate", "100", "--where", *(f"{sensor}={place}" for place, sensor in _NEURA.items())),
        _GAIT2392,
    ),
    **{
        name: Recorded(
            f"capsense_walk/{file}.npz",
            mass,
            height,
            references.capsense,
            f"capsense_walk/{file}.npz",
            ("--speed", speed),
            _RAJAGOPAL,
        )
        for name, file, mass, height, speed in (
            ("capsense_sub01", "Sub01_CSBaseline", 66.7, 1.81, "0.769"),
            ("capsense_sub01_stiff", "Sub01_CSStiffKnee", 66.7, 1.81, "0.769"),
            ("capsense_sub02", "Sub02_CSBaseline", 56.0, 1.65, "0.735"),
            ("capsense_sub03", "Sub03_CSBaseline", 78.6, 1.87, "0.775"),
            ("capsense_sub05", "Sub05_CSBaseline", 81.6, 1.90, "0.779"),
            ("capsense_sub08", "Sub08_CSBaseline", 54.7, 1.71, "0.755"),
        )
    },
    **{
        f"p01_{kind}": Recorded(study, 73.0, 1.73, references.dorschky, f"dorschky2019/{file}")
        for kind, study, file in (
            ("walk", "dorschky2019_walk.toml", "P01_normwalking.mat"),
            ("run", "dorschky2019_run.toml", "P01_normrunning.mat"),
        )
    },
}


#: Recordings of six channels a sensor, which can be estimated in space.
IN_SPACE = tuple(name for name, recorded in RECORDINGS.items() if recorded.space_model)


def write_study(name: str, data: Path, folder: Path, model: str, *, space: bool = False) -> Path:
    """Return the study of a recording, which ``sspinn check`` writes into a folder; what is there is kept.

    Parameters
    ----------
    model : str
        What is estimated in the plane; in space it is the recording's own.
    """
    recorded, file = RECORDINGS[name], _study_file(name, folder)
    if not file.exists():
        known = ["--height", str(recorded.height_m), "--mass", str(recorded.mass_kg), "--model"]
        known += [str(data / recorded.space_model[0]), *recorded.space_model[1:]] if space else [model]
        path = str(data / recorded.path)
        cli.main(["check", path, "--study", str(file), *known, *recorded.options])
    return file


def study_of(folder: Path) -> Study:
    """Return the study of a recording that was run in a folder of its name."""
    return read_study(_study_file(folder.name, folder))


def _study_file(name: str, folder: Path) -> Path:
    path = RECORDINGS[name].path
    return examples_folder() / path if path.endswith(".toml") else folder / "study.toml"
