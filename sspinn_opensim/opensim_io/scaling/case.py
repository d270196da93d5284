"""A scaling from markers, checked and laid out in one folder before OpenSim's ScaleTool runs."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from lxml import etree

from casadi_dynamics.errors import InputError, nearest
from casadi_dynamics.osim.xml import fit_for_name
from sspinn_opensim.files import write_atomically
from sspinn_opensim.opensim_io.model.model_file import read_model_tree
from sspinn_opensim.opensim_io.scaling.choices import PersonSize, ScalingChoice
from sspinn_opensim.opensim_io.scaling.factors import check_names, scale_factors, usable_measurements
from sspinn_opensim.opensim_io.scaling.finish import describe
from sspinn_opensim.opensim_io.scaling.inputs import (
    open_setup,
    require,
    take_marker_set,
    time_range,
    trial_files,
)
from sspinn_opensim.opensim_io.scaling.marker_trials import MarkerTrial, read_marker_trial, write_marker_trial
from sspinn_opensim.opensim_io.scaling.report import Factors, unscaled
from sspinn_opensim.opensim_io.scaling.scale import check_person
from sspinn_opensim.opensim_io.scaling.setup import AppliedMeasurement, ScaleSetup, make_setup

_SPAN_RANGE_M = (0.05, 4.0)
_STILL_M = 0.02


@dataclasses.dataclass(frozen=True)
class Case:
    """Everything ScaleTool is about to do, checked.

    Parameters
    ----------
    setup : ScaleSetup
        What it reads, as written to the folder.
    person : PersonSize
        Whom to scale to.
    before : dict
        The generic model in its default pose (`describe`).
    factors : mapping
        Of every body along x, y, z.
    measured : mapping
        Each measurement in words.
    places : mapping
        Mean measured place of each marker, m.
    weights : mapping
        Of the markers that count in the static pose.
    moves : bool
        Whether markers of the model are moved.
    notes : sequence of str
        What a person should know.
    where : str
        The generic model, for messages.
    """

    setup: ScaleSetup
    person: PersonSize
    before: dict
    factors: Factors
    measured: Mapping[str, str]
    places: Mapping[str, Sequence[float]]
    weights: Mapping[str, float]
    moves: bool
    notes: Sequence[str]
    where: str


def prepare(
    generic: Path, work: Path, person: PersonSize, choice: ScalingChoice, fallback_factor: float | None = None
) -> Case:
    """Check everything that can be checked before ScaleTool runs, and write what it reads.

    Parameters
    ----------
    generic : Path
        Model to scale.
    work : Path
        Folder that ScaleTool will read from.
    person : PersonSize
        What is not known is taken from the set-up.
    choice : ScalingChoice
        Trial and measurements.
    fallback_factor : float, optional
        As in `scale_from_markers`.
    """
    setup = None if choice.setup is None else open_setup(choice.setup)
    shutil.copyfile(generic, work / "generic.osim")
    tree = read_model_tree(generic)
    bodies = [body.get("name", "") for body in tree.iterfind("Model/BodySet/objects/Body")]
    marker_set = take_marker_set(setup, choice, work, bodies)
    before = describe(work / "generic.osim", marker_set)
    if not before["markers"]:
        raise InputError(
            "the model has no markers",
            where=str(generic),
            fix="name a marker set: markers in the study, --markers on the command line",
        )
    scaling_file, placing_file = trial_files(setup, choice)
    trial = read_marker_trial(scaling_file)
    placing = trial if placing_file == scaling_file else read_marker_trial(placing_file)
    if setup is None:
        setup = _from_measurements(choice, fallback_factor, before, placing, str(scaling_file))
    elif choice.preserve_mass_distribution is not None:
        preserve = str(choice.preserve_mass_distribution).lower()
        setup.set("preserve_mass_distribution", preserve, "ModelScaler")
    whom, notes = _person(person, setup)
    coordinates = [coordinate.get("name", "") for coordinate in tree.iter("Coordinate")]
    notes += [*trial.notes, *(() if placing is trial else placing.notes)]
    notes += check_names(setup, before, coordinates)
    if not setup.scales:
        setup.set("scaling_order", "", "ModelScaler")
        setup.set("apply", "true", "ModelScaler")
    # A method that does not act needs no markers.
    taken, left = (), []
    if "measurements" in setup.order:
        taken, left = usable_measurements(setup, before["markers"], trial.names)
        setup.keep_pairs(taken)
    trial, gaps = trial.part(*time_range(setup, "ModelScaler", choice)).complete(
        [name for measurement in taken for pair in measurement.pairs for name in pair]
    )
    weights, moves, unused = _placement(setup, choice, before["markers"], placing)
    placing, more_gaps = placing.part(*time_range(setup, "MarkerPlacer", choice)).complete(list(weights))
    notes += [*left, *unused, *dict.fromkeys([*gaps, *more_gaps]), *_trial_doubts(placing, list(weights))]
    factors, ratios = scale_factors(
        setup, taken, before["bodies"], _distance_in(before["markers"]), _distance_over(trial)
    )
    notes += [] if fallback_factor else unscaled(factors)
    _write_inputs(setup, work, trial, placing, marker_set)
    places = {name: placing.place(name).mean(axis=0).tolist() for name in placing.names}
    words = {m.name: _words(m, ratios[m.name]) for m in taken}
    if choice.setup is not None:
        words |= _stated(setup)
    elif fallback_factor:
        words["body height"] = f"{fallback_factor:.4f} where no measurement scales"
    return Case(setup, whom, before, factors, words, places, weights, moves, notes, str(generic))


def _from_measurements(
    choice: ScalingChoice, factor: float | None, before: dict, trial: MarkerTrial, where: str
) -> ScaleSetup:
    common = [name for name in before["markers"] if name in trial.names]
    for name in choice.weights:
        if name not in common:
            raise InputError(
                f"there is no marker '{name}' to weigh",
                where=where,
                expected="markers that both the trial and the model have",
                fix=nearest(name, common),
            )
    weights = {name: choice.weights.get(name, 1.0) for name in common}
    return make_setup(
        choice.measurements,
        {body: (factor,) * 3 for body in before["bodies"]} if factor else {},
        weights,
        preserve_mass_distribution=choice.preserve_mass_distribution is not False,
        where=where,
    )


def _person(person: PersonSize, setup: ScaleSetup) -> tuple[PersonSize, list[str]]:
    """Return whom to scale to, and write it into the set-up, which says what is not given."""
    mass, stated, notes = person.mass_kg, setup.mass_kg, []
    if mass is None:
        if stated <= 0:
            raise InputError(
                "the person's mass is not known",
                where=setup.where,
                expected="<mass> in kg",
                fix="give --mass",
            )
        mass = stated
    elif stated > 0 and abs(stated - mass) > 1e-3 * mass:
        notes.append(f"the set-up states {stated:g} kg, the person's {mass:g} kg are used")
    whom = PersonSize(person.height_m or setup.height_m, mass, person.name or setup.name)
    check_person(whom)
    setup.tree.getroot().find("ScaleTool").set("name", fit_for_name(whom.name))
    setup.set("mass", repr(float(mass)))
    setup.set("height", repr(1000 * whom.height_m) if whom.height_m else "-1")
    return whom, notes


def _placement(
    setup: ScaleSetup, choice: ScalingChoice, markers: Mapping, trial: MarkerTrial
) -> tuple[dict[str, float], bool, list[str]]:
    """Return the weights of the markers that count, whether markers move, and what is left out."""
    moves = setup.places_markers if choice.place_markers is None else choice.place_markers
    weights = setup.weights() if setup.places_markers else {}
    if not weights:
        weights = {name: 1.0 for name in markers if name in trial.names}
        setup.set_weights(weights)
    setup.set("apply", "true", "MarkerPlacer")
    lost = [name for name in weights if name not in markers or name not in trial.names]
    notes = [
        f"placement: not in {place}: {', '.join(names)}" for place, names in _places(lost, markers, trial)
    ]
    used = {name: weight for name, weight in weights.items() if name not in lost}
    if not used:
        raise InputError(
            "the trial and the model have no marker in common that placement could use",
            where=str(trial.path),
            expected=f"some of {', '.join(list(markers)[:12])}",
            found=", ".join(trial.names[:12]),
            fix="rename the markers of the trial or of the marker set",
        )
    return used, moves, notes


def _places(lost: Sequence[str], markers: Mapping, trial: MarkerTrial) -> list[tuple[str, list[str]]]:
    from_trial = [name for name in lost if name not in trial.names]
    from_model = [name for name in lost if name not in markers]
    return [
        (place, names) for place, names in (("the trial", from_trial), ("the model", from_model)) if names
    ]


def _trial_doubts(trial: MarkerTrial, needed: Sequence[str]) -> list[str]:
    """Return what is strange about the posture; refuse markers that no person could span."""
    mean = np.array([trial.place(name).mean(axis=0) for name in needed])
    extent = np.ptp(mean, axis=0)
    low, high = _SPAN_RANGE_M
    if not low <= extent.max() <= high and len(needed) > 2:
        raise InputError(
            "the unit of the marker trial cannot be right",
            where=str(trial.path),
            expected=f"markers that span {low:g} to {high:g} m",
            found=f"{extent.max():.4g} m",
            fix="correct Units in the header: mm or m",
        )
    found = []
    if extent.argmax() != 1 and extent.max() > 2 * extent[1]:
        axis = "xyz"[int(extent.argmax())]
        found.append(f"the markers extend along {axis}; OpenSim takes y as up, and may not find the pose")
    travel = {name: float(np.linalg.norm(np.ptp(trial.place(name), axis=0))) for name in needed}
    restless = max(travel, key=travel.__getitem__)
    if travel[restless] > _STILL_M:
        found.append(
            f"the person does not stand still: {restless} moves by {1000 * travel[restless]:.0f} mm in "
            f"{trial.time_s[0]:g} to {trial.time_s[-1]:g} s"
        )
    return found


def _distance_in(markers: Mapping) -> Callable[[str, str], float]:
    return lambda a, b: float(np.linalg.norm(np.subtract(markers[a]["place"], markers[b]["place"])))


def _distance_over(trial: MarkerTrial) -> Callable[[str, str], float]:
    return lambda a, b: float(np.linalg.norm(trial.place(a) - trial.place(b), axis=1).mean())


def _words(measurement: AppliedMeasurement, factor: float) -> str:
    pairs = ", ".join(" to ".join(pair) for pair in measurement.pairs)
    bodies = ", ".join(f"{body} {axes.lower()}" for body, axes in measurement.bodies.items())
    return f"{factor:.4f} from {pairs}; scales {bodies}"


def _stated(setup: ScaleSetup) -> dict[str, str]:
    """Return the factors stated by hand in words; it is the later method of the two that counts."""
    stated = setup.manual_factors() if "manualScale" in setup.order else {}
    said = ", ".join(f"{body} {' '.join(f'{x:.4f}' for x in xyz)}" for body, xyz in stated.items())
    return {f"stated ({', then '.join(setup.order)})": said} if stated else {}


def _write_inputs(
    setup: ScaleSetup,
    work: Path,
    trial: MarkerTrial,
    placing: MarkerTrial,
    marker_set: Path | None,
) -> None:
    """Write the trials and the set-up, whose paths are relative to its folder."""
    write_marker_trial(work / "static.trc", trial)
    same = trial.names == placing.names and np.array_equal(trial.time_s, placing.time_s)
    same = same and np.array_equal(trial.position_m, placing.position_m)
    if not same:
        write_marker_trial(work / "static_placing.trc", placing)
    setup.set("model_file", "generic.osim", "GenericModelMaker")
    setup.set("marker_set_file", marker_set.name if marker_set else "Unassigned", "GenericModelMaker")
    for section, file, part in (
        ("ModelScaler", "static.trc", trial),
        ("MarkerPlacer", "static.trc" if same else "static_placing.trc", placing),
    ):
        # The files hold the frames that are used and no other; a single frame is written twice.
        first, last = float(part.time_s[0]), float(part.time_s[-1]) + (1.0 if len(part.time_s) == 1 else 0.0)
        setup.set("marker_file", file, section)
        setup.set("time_range", f"{first!r} {last!r}", section)
    setup.set("output_model_file", "scaled_only.osim", "ModelScaler")
    setup.set("output_scale_file", "scale_set.xml", "ModelScaler")
    setup.set("output_model_file", "scaled.osim", "MarkerPlacer")
    setup.set("output_motion_file", "static_pose.mot", "MarkerPlacer")
    setup.set("output_marker_file", "Unassigned", "MarkerPlacer")
    coordinates = setup.file("coordinate_file", "MarkerPlacer")
    if coordinates is not None:
        require(coordinates, "coordinate file of MarkerPlacer", "an edited set-up")
        setup.set("coordinate_file", f"coordinates{coordinates.suffix}", "MarkerPlacer")
        shutil.copyfile(coordinates, work / f"coordinates{coordinates.suffix}")
    data = etree.tostring(setup.tree, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    write_atomically(work / "setup.xml", data)
