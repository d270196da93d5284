import dataclasses

import numpy as np
import pytest

from casadi_dynamics.osim import read_model
from sspinn_opensim.opensim_io.tables.motion_units import (
    likely_unit,
    rotational_ranges,
    unit_doubt,
    warn_of_unit,
)
from sspinn_opensim.opensim_io.tables.storage import StorageWarning, Table, read_storage

#: What a laboratory calls files of coordinates.
MOTIONS = ("*_ik.mot", "*_ik_full.mot", "*Kinematics.sto", "*trackingSolution.sto", "*_coordinates*")


def motion(model, degrees: bool, share: float = 0.3) -> Table:
    """Return a motion through a share of the range of every coordinate."""
    time_s, names, columns = np.arange(50) / 100, [], []
    for coordinate in model.coordinates:
        turns = coordinate.motion == "rotational"
        unit = np.rad2deg(1.0) if turns and degrees else 1.0
        names.append(coordinate.name)
        columns.append(unit * share * coordinate.range[1] * np.sin(7 * time_s))
    return Table(tuple(names), time_s, np.column_stack(columns), degrees)


@pytest.mark.parametrize("degrees", [True, False])
def test_a_flag_that_is_true_raises_no_doubt_and_a_false_one_does(planar, degrees):
    ranges, table = rotational_ranges(planar), motion(planar, degrees)
    assert unit_doubt(table, ranges) == ""
    flipped = dataclasses.replace(table, in_degrees=not degrees)
    word = "degrees" if degrees else "radians"
    assert f"look like {word}" in unit_doubt(flipped, ranges)
    with pytest.warns(StorageWarning, match=f"walk.mot: .* look like {word}"):
        warn_of_unit(flipped, planar, "walk.mot")


def test_a_motion_that_does_not_say_is_told(planar):
    table = dataclasses.replace(motion(planar, True), in_degrees=None)
    assert "does not state inDegrees; the angles look like degrees" in unit_doubt(
        table, rotational_ranges(planar)
    )


def test_state_paths_and_a_heading_that_counts_turns(planar):
    ranges, table = rotational_ranges(planar), motion(planar, False)
    values = table.values.copy()
    values[:, table.names.index("pelvis_tilt")] = 40.0  # rad: six turns to one side
    paths = tuple(f"/jointset/some/{name}/value" for name in table.names)
    assert likely_unit(dataclasses.replace(table, names=paths, values=values), ranges) == "radians"


def test_a_motion_at_rest_or_of_another_model_says_nothing(planar):
    ranges, table = rotational_ranges(planar), motion(planar, True)
    still = dataclasses.replace(table, values=0 * table.values)
    assert likely_unit(still, ranges) is None and likely_unit(table, {"elbow": (0.0, 2.0)}) is None
    # Quiet standing in degrees is between the two: no false alarm.
    assert unit_doubt(motion(planar, True, share=0.05), ranges) == ""


def test_no_false_alarm_in_the_motions_of_laboratories_and_every_false_flag_caught(laboratories):
    files = sorted({path for place in laboratories for pattern in MOTIONS for path in place.rglob(pattern)})
    known, alarms, missed = {}, [], []
    for path in files[::3]:
        model = min(path.parent.glob("*.osim"))
        if model not in known:
            known[model] = rotational_ranges(read_model(model))
        table = read_storage(path)
        # Files that do not say are in radians: their README says so.
        true = dataclasses.replace(table, in_degrees=bool(table.in_degrees))
        alarms += [path] if unit_doubt(true, known[model]) else []
        false = dataclasses.replace(true, in_degrees=not true.in_degrees)
        missed += [] if unit_doubt(false, known[model]) else [path]
    assert len(files) == 78 and not alarms and not missed
