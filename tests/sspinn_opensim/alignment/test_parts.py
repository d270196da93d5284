"""Parts of the alignment against what is known: combined evidence, strides, the file."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from casadi_dynamics.errors import InputError
from sspinn_opensim.alignment.align import align
from sspinn_opensim.alignment.combine import Evidence, combine
from sspinn_opensim.alignment.files import check_sensors, read_alignment, write_alignment
from sspinn_opensim.alignment.strides import find_strides
from sspinn_opensim.alignment.usual import Lean, mirrored, usual_gaits
from sspinn_opensim.recording.movement.phases import phases

from .conftest import BODIES, STRIDE_S, any_turns, degrees_between, recording_of, walker

OPEN = float("inf")
X, Y, Z = np.eye(3)


def upright(direction, sd_deg, target=Y):
    return Evidence("up", direction, target, (sd_deg, OPEN, sd_deg))


def sideways(direction, sd_deg):
    return Evidence("right", direction, Z, (OPEN, sd_deg, OPEN))


def test_two_directions_give_the_rotation_that_brings_them_there():
    for turn in any_turns(20):
        found = combine([upright(turn.T @ Y, 3.0), sideways(turn.T @ Z, 8.0)])
        assert degrees_between(found.rotation, turn) < 1e-6
        assert found.sd_deg == pytest.approx([3.0, 8.0, 3.0])


def test_equal_evidence_is_averaged_and_surer_evidence_counts_more():
    def leaning(deg):
        return Rotation.from_euler("z", deg, degrees=True).as_matrix().T @ Y

    equal = combine([upright(leaning(0), 2.0), upright(leaning(6), 2.0), sideways(Z, 5.0)])
    assert degrees_between(equal.rotation, np.eye(3)) == pytest.approx(3.0, abs=0.05)
    surer = combine([upright(leaning(0), 1.0), upright(leaning(6), 2.0), sideways(Z, 5.0)])
    assert degrees_between(surer.rotation, np.eye(3)) == pytest.approx(6 / 5, abs=0.05)


def test_deviations_are_those_of_many_draws():
    """A mean over draws: 4000 draws give a deviation within 2 %, and twice that for linearization."""
    rng, sd = np.random.default_rng(0), np.array([3.0, 8.0, 4.0])
    target = Lean(16.0, 3.0, 0.0, 0.0).up("right")
    turns = []
    for _ in range(4000):
        x, y, z = np.radians(sd * rng.standard_normal(3))
        up = Rotation.from_rotvec([x, 0, z]).as_matrix().T @ target
        right = Rotation.from_rotvec([0, y, 0]).as_matrix().T @ Z
        evidence = [Evidence("up", up, target, (sd[0], OPEN, sd[2])), sideways(right, sd[1])]
        turns.append(Rotation.from_matrix(combine(evidence).rotation).as_rotvec(degrees=True))
    assert np.std(turns, axis=0) == pytest.approx(combine(evidence).sd_deg, rel=0.06)


def test_evidence_that_leaves_a_direction_open_is_no_rotation():
    with pytest.raises(ValueError, match="open"):
        combine([upright(Y, 3.0), upright(Y, 2.0)])


def test_disagreement_makes_deviations_larger():
    tilted = Rotation.from_euler("z", 30, degrees=True).as_matrix() @ Y
    calm, torn = (
        combine([upright(Y, 3.0), upright(second, 3.0), sideways(Z, 8.0)]) for second in (Y, tilted)
    )
    assert calm.misfit < 1e-6 and torn.misfit > 2
    assert torn.sd_deg[2] == pytest.approx(calm.sd_deg[2] * torn.misfit)


def test_strides_turn_with_the_sensors_and_give_the_curves_back(signals):
    recording = recording_of(*signals)
    doing = phases(recording)
    turn = any_turns(1)[0]
    plain = find_strides(recording.time_s, recording.acceleration, recording.angular_rate, doing)
    turned = find_strides(
        recording.time_s, recording.acceleration @ turn, recording.angular_rate @ turn, doing
    )
    assert np.allclose(turned.up, plain.up @ turn, atol=1e-9)
    assert np.allclose(turned.flat, plain.flat @ turn, atol=1e-9)
    assert np.allclose(np.abs(np.sum(turned.turning * (plain.turning @ turn), axis=1)), 1.0, atol=1e-9)
    assert turned.count == plain.count
    assert doing[-1].stride_s == pytest.approx(STRIDE_S, rel=0.01)
    shank = usual_gaits()[0].segments["shank"].signal("rate", "right")
    own = plain.rate[BODIES.index("tibia_r")]
    # Within the departures of this person, 15 %, and what the filter at 8 Hz takes from the harmonics.
    assert np.linalg.norm(own[0]) == pytest.approx(np.linalg.norm(shank[0]), rel=0.3)


def test_strides_are_not_taken_where_samples_are_not_usable(signals):
    recording = recording_of(*signals)
    usable = np.ones(len(recording.time_s), bool)
    usable[500:] = False
    given = recording.time_s, recording.acceleration, recording.angular_rate, phases(recording)
    few, all_of = find_strides(*given, usable), find_strides(*given)
    assert few is not None and few.count < all_of.count


def test_a_mirror_twice_is_nothing():
    for kind in ("rate", "force"):
        curve = getattr(usual_gaits()[0].segments["thigh"], kind)
        assert np.allclose(mirrored(mirrored(curve, kind), kind), curve)


def test_running_is_told_from_walking():
    found = align(recording_of(*walker(gait=1, strides=10), any_turns()))
    assert any("running" in source for source in found.sensors[3].evidence)


def test_a_file_gives_the_same_rotations(tmp_path, recording):
    found = align(recording)
    file = write_alignment(found, tmp_path / "alignment.toml")
    again = read_alignment(file)
    assert again.source == found.source and again.findings == found.findings
    for a, b in zip(found.sensors, again.sensors, strict=True):
        assert np.array_equal(a.rotation, b.rotation)
        assert (a.name, a.body, a.sd_deg, a.evidence, a.found) == (
            b.name,
            b.body,
            b.sd_deg,
            b.evidence,
            b.found,
        )
    file.write_text(file.read_text())
    check_sensors(again, recording, file)


def test_a_file_of_other_sensors_is_refused(tmp_path, recording, without):
    file = write_alignment(align(without(recording, (0, 3, 4))), tmp_path / "alignment.toml")
    with pytest.raises(InputError, match="no sensor 'sensor_b'"):
        check_sensors(read_alignment(file), recording, file)
    other = recording_of(recording.acceleration, recording.angular_rate, bodies=BODIES[::-1])
    whole = write_alignment(align(recording), tmp_path / "whole.toml")
    with pytest.raises(InputError, match="another place"):
        check_sensors(read_alignment(whole), other, whole)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (("orientation_deg = [", "orientation_deg = [nan, "), "."),
        (("sd_deg = [", "deviation = ["), "Unknown key"),
        (("[sensors.sensor_a]", "[sensors.sensor_a"), "not valid TOML"),
        (('kind = "no_standing"', 'kind = "nothing"'), "'nothing'"),
        (('severity = "note"', 'severity = "grave"'), "'grave'"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, signals, damage, what):
    force, rate = (array[200:] for array in signals)
    file = write_alignment(align(recording_of(force, rate)), tmp_path / "alignment.toml")
    text = file.read_text()
    assert damage[0] in text
    file.write_text(text.replace(*damage, 1))
    with pytest.raises(InputError, match=what):
        read_alignment(file)


def test_legs_of_runners_lean_more_in_larger_movement():
    walking, running = (gait.segments["shank"] for gait in usual_gaits())
    assert running.lean_at(1.3).forward > running.lean_at(0.75).forward + 5
    assert walking.lean_at(1.3) == walking.lean and running.lean_at(1.0) == running.lean
