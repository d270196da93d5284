"""The consistency step against OpenSim's inverse dynamics, scipy's optimizer and splines, and differences."""

import dataclasses
import shutil
import weakref

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

import osim_models
from casadi_dynamics.cores import usable_cores
from casadi_dynamics.model import Linear, TransformAxis
from casadi_dynamics.model.constraints import CoordinateCouplerConstraint
from sspinn_opensim.dynamics.trial import natural_quintic
from sspinn_opensim.estimation.consistency import consistent as step
from sspinn_opensim.estimation.consistency import correction_problem, knots, quadratic
from sspinn_opensim.estimation.consistency.balance import RATE_RAD_S, Balance, Values
from sspinn_opensim.estimation.consistency.correction import correction_of
from sspinn_opensim.estimation.consistency.correction_problem import BALANCED, cone_of_friction, told_of_feet
from sspinn_opensim.estimation.consistency.gyroscopes import Gyroscopes
from sspinn_opensim.estimation.consistency.hessians import Hessians
from sspinn_opensim.estimation.consistency.quadratic import Curvature, QuadraticProgram
from sspinn_opensim.estimation.inference.ground import LEAST_LOAD, GroundForces
from sspinn_opensim.estimation.inference.offline import Estimate, at_times
from sspinn_opensim.estimation.uncertainty import deviations_of
from sspinn_opensim.estimation.write import write_estimate
from sspinn_opensim.opensim_io.tables.external_loads import write_external_loads
from sspinn_opensim.opensim_io.tools import inverse_dynamics as tool
from sspinn_opensim.results.folder import ResultsFolder
from sspinn_opensim.training.losses import FRICTION
from sspinn_opensim.training.mounting import Mounting
from sspinn_opensim.training.subject import make_subject

RATE_HZ, SECONDS = 100.0, 2.4


def unbalanced(subject, seconds=SECONDS):
    """Return someone who steps on the spot while forces that hardly belong to it act on the feet.

    The right foot is in the air for a third of the time; a blink of load there is none.
    """
    time_s, names = np.arange(round(seconds * RATE_HZ)) / RATE_HZ, subject.model.coordinate_names
    wave = np.sin(2 * np.pi * time_s / 1.2)
    lift = np.maximum(-wave - 0.2, 0.0) ** 3
    posture = {"pelvis_ty": 0.93 + 0.01 * wave, "pelvis_tx": 0.02 * wave, "pelvis_tilt": 0.03 * wave}
    for side, raised in (("r", lift), ("l", 0 * lift)):
        posture |= {f"hip_flexion_{side}": 0.2 + raised, f"knee_angle_{side}": -0.4 - 2 * raised}
        posture[f"ankle_angle_{side}"] = 0.15 + 0.3 * raised
    q = np.column_stack([posture.get(name, 0 * time_s) for name in names])
    weight = subject.body_weight
    share = np.clip(0.5 + wave, 0.0, 1.0)
    share[round(0.9 * RATE_HZ) : round(0.9 * RATE_HZ) + 3] = 0.1
    force = np.zeros((len(time_s), 2, 3))
    force[:, 0, 1], force[:, 1, 1] = weight * share, weight * (1 - share)
    force[:, :, 0] = 0.02 * force[:, :, 1]
    point = np.zeros_like(force)
    point[:, :, 0] = 0.05
    actuated = tuple(names[i] for i in subject.roles.actuated)
    moments = np.zeros((len(time_s), len(actuated)))
    ground = GroundForces(("foot_r", "foot_l"), force, point, 0 * force)
    return Estimate(time_s, names, q, actuated, moments, ground, 0 * time_s)


@pytest.fixture(scope="module")
def corrected(walker):
    """Return subject, estimate, its deviations, and the corrected estimate."""
    before = unbalanced(walker.subject)
    deviations = deviations_of([before], walker.subject)
    return walker.subject, before, deviations, step.consistent(before, walker.subject, deviations)


@pytest.fixture(scope="module")
def by_opensim(corrected, tmp_path_factory):
    """Return what OpenSim's own inverse dynamics finds in the files of the corrected estimate, unfiltered."""
    subject, _, _, after = corrected
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copy(osim_models.path("planar_gait.osim"), folder / "subject.osim")
    write_estimate(after, subject.model, ResultsFolder(folder).estimate, "corrected")
    write_external_loads(ResultsFolder(folder).external_loads, after.ground.feet, ResultsFolder.grf.name)
    return tool.run(folder, tool.prepare(folder, lowpass_hz=0.0))


def test_opensim_finds_nothing_at_the_pelvis(corrected, by_opensim):
    """A millionth of body weight (times height) is what the rounds leave."""
    subject, before, deviations, after = corrected
    for i in subject.roles.root:
        name = subject.model.coordinate_names[i]
        scale = subject.moment_scale if name == "pelvis_tilt" else subject.body_weight
        assert np.abs(by_opensim.tau(name)).max() < 2 * BALANCED * scale, name
    told = correction_of(before, after, deviations, subject)
    assert max(r.before_percent for r in told.residuals.values()) > 5
    assert max(r.after_percent for r in told.residuals.values()) < 1e-3


def test_moments_are_those_of_opensim(corrected, by_opensim):
    """OpenSim prints eight decimals, and reads angles printed in degrees."""
    _, _, _, after = corrected
    frames = np.searchsorted(after.time_s, by_opensim.moments.time_s - 1e-6)
    for k, name in enumerate(after.actuated):
        np.testing.assert_allclose(after.moments[frames, k], by_opensim.tau(name), atol=1e-4)


def test_forces_push_within_friction_and_sole_and_only_where_there_is_load(corrected):
    subject, before, _, after = corrected
    force, ground = after.ground.force, after.ground
    loaded = step.loaded_feet(before.ground.force[..., 1], subject.body_weight, 1 / RATE_HZ)
    assert not loaded[round(0.9 * RATE_HZ) + 1, 0] and 0.2 < np.mean(~loaded[:, 0]) < 0.5
    assert (force[~loaded] == 0).all() and (force[..., 1] >= 0).all()
    # Many are on the cone: to rounding.
    assert (np.abs(force[..., 0]) <= FRICTION * force[..., 1] + 1e-12 * subject.body_weight).all()
    balance = Balance(subject)
    motion = knots.at_knots(
        knots.coefficients(after.q[:, list(balance.free)]), knots.derivative_weights(1 / RATE_HZ)
    )
    place = balance.values(motion, np.zeros((len(motion), 4, 3))).position[..., 0].reshape(-1, 2, 2)
    pressed = force[..., 1] > 0.05 * subject.body_weight
    # The point is told at the floor; forces act at the height of the points, so friction shifts it.
    shift = FRICTION * 0.05
    low, high = place.min(axis=-1) - shift, place.max(axis=-1) + shift
    assert ((ground.point[..., 0] >= low) & (ground.point[..., 0] <= high))[pressed].all()


def test_rounds_end_at_the_answer_they_lead_to(corrected, monkeypatch):
    """Where hundreds of times less is let go, the motion stays within what ends the rounds."""
    subject, before, deviations, after = corrected
    monkeypatch.setattr(correction_problem, "BALANCED", 1e-9)
    monkeypatch.setattr(correction_problem, "_SETTLED", 1e-8)
    monkeypatch.setattr(correction_problem, "_NEARBY", 0.0)  # every Hessian is made anew
    monkeypatch.setattr(correction_problem, "_ROUNDS", 40)
    exact = step.consistent(before, subject, deviations)
    # Half of the last move that ends the rounds, and what such moves do to forces here.
    assert np.abs(after.q - exact.q).max() < 1e-5
    assert np.abs(after.ground.force - exact.ground.force).max() < 1e-5 * subject.body_weight


def test_what_agrees_stays(corrected):
    """A second correction has nothing to balance: what is left is the price of shaking, paid once more."""
    subject, before, deviations, after = corrected
    moved = np.abs(after.q - before.q) / deviations.q
    again = step.consistent(after, subject, dataclasses.replace(deviations))
    assert moved.max() > 0.05
    assert (np.abs(again.q - after.q) / deviations.q).max() < 0.1 * moved.max()
    once, twice = (
        np.abs(b.ground.force - a.ground.force)[..., :2] / deviations.force[..., :2]
        for a, b in ((before, after), (after, again))
    )
    assert twice.max() < 0.1 * once.max()


def test_pieces_are_cut_where_it_does_not_show(walker, corrected, monkeypatch):
    """A correction is forgotten within the overlap: pieces give the whole, balanced across their seams."""
    subject, _, deviations, _ = corrected
    longer = unbalanced(subject, 9.6)
    deviations = deviations_of([longer], subject)
    whole = step.consistent(longer, subject, deviations)
    monkeypatch.setattr(step, "_PIECE", 320)
    parts = step.consistent(longer, subject, deviations)
    assert (np.abs(parts.q - whole.q) / deviations.q).max() < 1e-3
    told = correction_of(longer, parts, deviations, subject)
    assert max(r.after_percent for r in told.residuals.values()) < 0.1


def test_what_shakes_is_left_out_and_feet_strike_when_they_did(walker):
    """At 25 Hz a filter of the second order and 8 Hz, run both ways, leaves a fortieth."""
    subject, still = walker.subject, unbalanced(walker.subject)
    loaded = still.ground.force[..., 1] > LEAST_LOAD * subject.body_weight
    wave = np.sin(2 * np.pi * 25 * still.time_s)[:, None]
    up = np.zeros_like(still.ground.force)
    up[..., 1] = np.where(loaded, 50 * wave, 0.0)
    ground = dataclasses.replace(still.ground, force=still.ground.force + up)
    shaking = dataclasses.replace(still, moments=still.moments + 10 * wave, ground=ground)
    before, after = (step.without_shaking(each, subject) for each in (still, shaking))
    assert 0.2 < np.mean(~loaded[:, 0]) < 0.5
    np.testing.assert_array_equal(after.ground.force[~loaded], still.ground.force[~loaded])
    inner = slice(10, -10)
    assert np.std((after.moments - before.moments)[inner]) < 0.05 * np.std(10 * wave)
    stands = np.convolve(loaded[:, 1], np.ones(21), "same") > 20  # 0.1 s from a strike, which is no wave
    left = (after.ground.force - before.ground.force)[stands, 1, 1]
    assert np.std(left) < 0.05 * np.std(up[stands, 1, 1])
    slow = (before.ground.force - still.ground.force)[loaded]
    assert np.sqrt(np.mean(slow**2)) < 0.02 * subject.body_weight
    short = dataclasses.replace(still, time_s=still.time_s[:1])
    assert step.without_shaking(short, subject) is short


def test_held_coordinates_stay(walker):
    subject = dataclasses.replace(walker.subject, fixed={"lumbar_extension": 0.1})
    before = unbalanced(subject)
    place = before.coordinates.index("lumbar_extension")
    q = before.q.copy()
    q[:, place] = 0.1
    before = dataclasses.replace(before, q=q)
    deviations = deviations_of([before], subject)
    after = step.consistent(before, subject, deviations)
    assert (after.q[:, place] == 0.1).all()
    told = correction_of(before, after, deviations, subject)
    assert max(r.after_percent for r in told.residuals.values()) < 1e-3


def test_a_network_that_has_learnt_nothing_is_balanced_too(walker, estimator):
    """Its numbers are loud and wild; the step ends, and says what is left."""
    from sspinn_opensim.estimation import estimate

    before = estimate(estimator, walker.subject, walker.signals, walker.recording.time_s)
    deviations = deviations_of([before], walker.subject)
    after = step.consistent(before, walker.subject, deviations)
    told = correction_of(before, after, deviations, walker.subject)
    assert np.isfinite(after.q).all()
    left = max(r.after_percent for r in told.residuals.values())
    assert left < 1 or any("could not be made to agree" in note for note in told.notes)


def test_what_rounding_makes_indefinite_is_left_alone(walker, monkeypatch):
    def indefinite(*_, **__):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(knots, "factor", indefinite)
    before = unbalanced(walker.subject, 0.5)
    deviations = deviations_of([before], walker.subject)
    assert step.consistent(before, walker.subject, deviations) is before
    told = correction_of(before, before, deviations, walker.subject)
    assert str(told).startswith("motion and ground forces could not be made to agree") and told.notes


def test_too_few_frames_are_left_alone(walker):
    before = unbalanced(walker.subject, 0.05)
    assert step.consistent(before, walker.subject, deviations_of([before], walker.subject)) is before


@pytest.fixture(scope="module")
def coupled(spatial_model, walker):
    """Return a subject that goes and turns everywhere, whose trunk follows its right thigh."""
    follows = CoordinateCouplerConstraint(
        "upright", "lumbar_extension", ("hip_flexion_r",), Linear(-0.5, 0.1)
    )
    model = dataclasses.replace(spatial_model, constraints=(follows,))
    return make_subject(model, walker.recording, {}, height_m=1.8)


def differences(balance, motion, force):
    """Return derivatives of all values of an instant by motion and forces, by central differences."""
    parts, found = ("root", "moment", "reading", "position"), {}
    given, h = np.concatenate([motion.ravel(), force.ravel()]), 1e-5
    sides = np.stack(
        [
            given + sign * step * np.eye(len(given))
            for sign in (1, -1)
            for step in (np.where(np.arange(len(given)) < motion.size, h, 1.0)[:, None],)
        ]
    )
    near = [
        balance.values(each[:, : motion.size], each[:, motion.size :].reshape(-1, *force.shape[1:]))
        for each in sides
    ]
    width = np.where(np.arange(len(given)) < motion.size, 2 * h, 2.0)
    for name in parts:
        plus, minus = (getattr(each, name).reshape(len(given), -1) for each in near)
        found[name] = ((plus - minus) / width[:, None]).T
    return found


@pytest.mark.parametrize("which", ["in the plane", "in space, coupled"])
def test_slopes_are_those_of_differences(walker, coupled, which):
    """Central differences of a hundredth of a thousandth: to the square of it, and rounding."""
    subject = walker.subject if which == "in the plane" else coupled
    balance, random = Balance(subject), np.random.default_rng(4)
    motion = random.normal(0, 0.3, (1, 3 * len(balance.free)))
    force = random.normal(0, 200, (1, 4, 3))
    here = balance.values(motion, force)
    parts = ("root", "moment", "reading", "position")
    pull = Values(**{name: random.normal(size=getattr(here, name).shape) for name in parts})
    found = np.concatenate([x.ravel() for x in balance.slopes(motion, force, pull)])
    slopes = differences(balance, motion, force)
    exact = sum(getattr(pull, name).ravel() @ slopes[name] for name in parts)
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())


@pytest.mark.parametrize("which", ["in the plane", "in space, coupled"])
def test_hessians_are_products_of_differences(walker, coupled, which):
    """Gauss and Newton by the book: weighted products of all derivatives, each by differences."""
    subject = walker.subject if which == "in the plane" else coupled
    balance, random = Balance(subject), np.random.default_rng(5)
    planar, directions = subject.planar, cone_of_friction(subject)
    axes, turns = told_of_feet(subject)
    motion = random.normal(0, 0.3, (1, 3 * len(balance.free)))
    count, ways, on = len(balance.free), directions.shape[1], np.array([[True, True, False, True]])
    amount = random.uniform(0, 0.3, (1, 4 * ways))
    cone = np.zeros((12, 4 * ways))
    for k in np.flatnonzero(on[0]):
        cone[3 * k : 3 * k + 3, ways * k : ways * (k + 1)] = directions
    force = (cone @ amount[0]).reshape(1, 4, 3)
    point = random.normal(0, 0.1, (1, 2, 3))
    rates = int(subject.modelled.angular_rate.sum())
    sizes = [count, amount.size, len(subject.roles.actuated), 2 * len(axes), 2 * len(turns)]
    precision = [random.uniform(0.5, 2.0, size) for size in sizes]
    turn = np.zeros((rates, rates))
    own = subject.modelled.angular_rate.sum(axis=1)
    for first, size in zip(np.cumsum([0, *own[:-1]]), own, strict=True):
        turn[first : first + size, first : first + size] = random.normal(size=(size, size))
    gyroscopes = Gyroscopes(np.zeros((1, rates)), np.array([True]), turn, random.uniform(0.3, 2.0, rates))
    found = Hessians(balance, directions, 100.0, axes, turns).at(
        motion, amount, on, point, np.concatenate(precision)[None], gyroscopes
    )
    slopes, here = differences(balance, motion, force), balance.values(motion, force)
    in_cone = np.block(
        [[np.eye(3 * count), np.zeros((3 * count, amount.size))], [np.zeros((12, 3 * count)), cone]]
    )
    place = slopes["position"].reshape(4, 3, -1)
    by_force, rows = np.zeros((4, 3, 3 * count + 12)), []
    for p in range(4):
        by_force[p][:, 3 * count + 3 * p : 3 * count + 3 * p + 3] = np.eye(3)
    feet = [[i for i, foot in enumerate(subject.feet) if foot == own] for own in ("foot_r", "foot_l")]
    rows += [sum(by_force[p][axes] for p in on_foot) for on_foot in feet]
    for k, on_foot in enumerate(feet):
        lever = here.position[0] - point[0, k]
        arm = [np.cross(lever[p], by_force[p], axisb=0, axisc=0) for p in on_foot]
        arm += [np.cross(place[p], force[0, p], axisa=0, axisc=0) for p in on_foot]
        rows.append(sum(arm)[turns])
    reading = slopes["reading"]
    followed = RATE_RAD_S * turn.T @ reading[-rates:] / gyroscopes.deviation[:, None]
    of_feet = np.concatenate(rows) * np.sqrt(np.concatenate(precision[3:]))[:, None]
    moment = slopes["moment"] * np.sqrt(precision[2])[:, None]
    whole = np.concatenate([10.0 * slopes["root"], moment, reading, of_feet, followed]) @ in_cone
    exact = whole.T @ whole
    exact += np.diag(np.concatenate([precision[0], np.zeros(2 * count), precision[1]]))
    at, scale = 3 * count, np.abs(exact).max()
    assert planar == (which == "in the plane")
    np.testing.assert_allclose(found["motion"][0], exact[:at, :at], atol=1e-7 * scale)
    np.testing.assert_allclose(found["mixed"][0], exact[at:, :at], atol=1e-7 * scale)
    np.testing.assert_allclose(found["amount"][0], exact[at:, at:], atol=1e-7 * scale)


def at_rate(before, subject, rate_hz):
    """Return an estimate by splines at another rate, as those of a recording at that rate are."""
    time_s = np.arange(round(before.time_s[-1] * rate_hz) + 1) / rate_hz
    return at_times(before, subject, time_s)


@pytest.mark.parametrize("rate_hz", [250.0, 1000.0])
def test_corrections_do_not_depend_on_the_sampling_rate(walker, corrected, rate_hz):
    """The same estimate at a finer rate: the same motion and forces, and the body is carried between too.

    At 1000 Hz every tenth sample is one of the other's, and so is the answer; 125 samples a second instead of
    100 move it by less than its deviations by far.
    """
    subject, before, _, coarse = corrected
    fine = at_rate(before, subject, rate_hz)
    deviations = deviations_of([fine], subject)
    after = step.consistent(fine, subject, deviations)
    assert after is not fine and (after.time_s == fine.time_s).all()
    inside = (after.time_s > 0.1) & (after.time_s < before.time_s[-1] - 0.1)
    same = at_times(coarse, subject, after.time_s)
    off = np.abs(after.q - same.q)[inside] / deviations.q[inside]
    assert np.sqrt(np.mean(off**2)) < 0.05 and off.max() < 0.3
    off = np.abs(after.ground.force - same.ground.force)[inside] / subject.body_weight
    assert np.sqrt(np.mean(off**2)) < 0.01
    told = correction_of(fine, after, deviations, subject)
    assert max(r.before_percent for r in told.residuals.values()) > 5
    assert max(r.after_percent for r in told.residuals.values()) < 1
    force = after.ground.force
    assert (force[..., 1] >= 0).all()
    assert (np.abs(force[..., 0]) <= FRICTION * force[..., 1] + 1e-9 * subject.body_weight).all()


def test_in_space_nothing_holds_the_root_and_couplers_hold(coupled):
    """The trunk follows; forces sideways stay within friction; what is left is what the rounds leave."""
    before = unbalanced(coupled)
    names = list(before.coordinates)
    q = before.q.copy()
    wave = np.sin(2 * np.pi * before.time_s / 1.2)
    q[:, names.index("pelvis_list")], q[:, names.index("pelvis_rotation")] = 0.03 * wave, 0.05 * wave
    before = dataclasses.replace(before, q=coupled.completed(q))
    deviations = deviations_of([before], coupled)
    after = step.consistent(before, coupled, deviations)
    assert len(coupled.roles.root) == 6 and after is not before
    back, thigh = names.index("lumbar_extension"), names.index("hip_flexion_r")
    np.testing.assert_allclose(after.q[:, back], 0.1 - 0.5 * after.q[:, thigh], atol=1e-12)
    # By the splines and the recursion of `dynamics.inverse_dynamics`, which the step does not use.
    told = correction_of(before, after, deviations, coupled)
    assert max(r.before_percent for r in told.residuals.values()) > 5
    assert max(r.after_percent for r in told.residuals.values()) < 1e-3
    force = after.ground.force
    assert (np.hypot(force[..., 0], force[..., 2]) <= FRICTION * force[..., 1] + 1e-9).all()


@pytest.fixture(scope="module")
def bending(spatial_model, walker):
    """Return a function: how a trunk that also bends sideways is held, to a subject in space."""
    known = {c.name: c for c in spatial_model.coordinates}
    back = spatial_model.joint(known["lumbar_extension"].joint)
    turns = (("lumbar_extension", (0.0, 0.0, 1.0)), ("lumbar_bending", (1.0, 0.0, 0.0)))
    rotations = tuple(TransformAxis(axis, name, Linear(1.0, 0.0)) for name, axis in turns)
    free = dataclasses.replace(back, kind="CustomJoint", rotations=rotations, translations=())
    model = dataclasses.replace(
        spatial_model,
        joints=tuple(free if joint is back else joint for joint in spatial_model.joints),
        coordinates=(
            *spatial_model.coordinates,
            dataclasses.replace(known["lumbar_extension"], name="lumbar_bending", default=0.0),
        ),
    )

    def held(**at):
        return make_subject(model, walker.recording, {"lumbar_extension": 0.0} | at, height_m=1.8)

    return held


def test_a_trunk_that_nobody_feels_moves_instead_of_the_pelvis(bending):
    """Of a motion that agrees, the trunk's bending is forgotten: it is found again where the trunk is free.

    Held on the pelvis, pelvis and ground forces pay for it. At another angle than the default it stays held.
    """
    subject, stiff = bending(lumbar_bending=0.0), bending(lumbar_bending=1e-9)
    names = subject.model.coordinate_names
    assert subject.fixed == {} and set(stiff.fixed) == {"lumbar_bending"}
    before, bend = unbalanced(subject), names.index("lumbar_bending")
    q = before.q.copy()
    q[:, bend] = 0.15 * np.sin(2 * np.pi * before.time_s / 1.2)
    before = dataclasses.replace(before, q=q)
    truth = step.consistent(before, subject, deviations_of([before], subject))
    q = truth.q.copy()
    q[:, bend] = 0.0
    forgotten, off = dataclasses.replace(truth, q=q), {}
    for name, who in (("free", subject), ("stiff", stiff)):
        kept = [forgotten.actuated.index(names[i]) for i in who.roles.actuated]
        given = dataclasses.replace(
            forgotten, actuated=tuple(forgotten.actuated[k] for k in kept), moments=forgotten.moments[:, kept]
        )
        deviations = deviations_of([given], who)
        after = step.consistent(given, who, deviations)
        told = correction_of(given, after, deviations, who)
        assert max(r.after_percent for r in told.residuals.values()) < 1e-3, name
        off[name] = {
            "bend": np.std(after.q[:, bend] - truth.q[:, bend]) / np.std(truth.q[:, bend]),
            "list": np.std((after.q - truth.q)[:, names.index("pelvis_list")]),
            "force": np.std(after.ground.force - truth.ground.force),
        }
    # A part of it: the deviation of a joint that nobody measured pulls it back to where it was.
    assert off["stiff"]["bend"] == pytest.approx(1) and off["free"]["bend"] < 0.9
    assert off["free"]["list"] < 0.75 * off["stiff"]["list"]
    assert off["free"]["force"] < 0.8 * off["stiff"]["force"]


def test_splines_are_those_of_scipy():
    """The same spline by another way: to rounding, which second differences at 100 Hz magnify."""
    values = np.random.default_rng(0).normal(size=(40, 3)).cumsum(axis=0)
    time_s = 3.0 + np.arange(40) / 100
    found = knots.at_knots(knots.coefficients(values), knots.derivative_weights(0.01)).reshape(40, 3, 3)
    spline = natural_quintic(time_s, values)
    for order in range(3):
        exact = spline(time_s, order)
        np.testing.assert_allclose(found[:, order], exact, atol=1e-9 * np.abs(exact).max())


def test_programs_have_the_answer_of_scipy(monkeypatch):
    """A program small enough for a dense solver: `lsq_linear` finds the same least squares within bounds."""
    random, (n, c, a) = np.random.default_rng(1), (9, 2, 3)
    weights = knots.derivative_weights(1.0)
    by_motion, by_amount = random.normal(size=(n, 12, 3 * c)), random.normal(size=(n, 12, a))
    value, start, stiffness = random.normal(size=(n, 12)), random.normal(size=(n + knots.MORE, c)), 0.3
    monkeypatch.setattr(quadratic, "_END_WEIGHT", 1e8)  # what a dense solver can hold beside the rest
    curvature = Curvature(n, c, a, weights, stiffness)
    for part in (slice(0, 4), slice(4, n)):
        motion, amount = by_motion[part], by_amount[part]
        back = amount.swapaxes(1, 2)
        free = np.zeros((len(motion), a), bool)
        curvature.put(part.start, motion.swapaxes(1, 2) @ motion, back @ amount, back @ motion, free)
    program = QuadraticProgram(
        curvature,
        np.einsum("nij,ni->nj", by_motion, value),
        np.einsum("nij,ni->nj", by_amount, value),
        stiffness * knots.bending(start),
    )
    found, amount, multiplier = program.solve(np.ones((n, a)), np.ones((n, a)), 1e-12)
    by_guesses = program.solve_by_guesses(np.zeros((n, a), bool))
    size = (n + knots.MORE) * c
    unit = np.eye(size).reshape(size, n + knots.MORE, c)
    at = np.stack([knots.at_knots(x, weights) for x in unit], axis=-1)
    bent = np.stack([sum(knots.AT_KNOT[4][j] * x[j : j + n] for j in range(5)).ravel() for x in unit], -1)
    ends = [w @ x[k : k + 5] for x in unit for w in knots.AT_KNOT[3:] for k in (0, n - 1)]
    rows = np.zeros((n * 12, size + n * a))
    for k in range(n):
        rows[12 * k : 12 * k + 12, :size] = by_motion[k] @ at[k]
        rows[12 * k : 12 * k + 12, size + a * k : size + a * k + a] = by_amount[k]
    spline = np.concatenate([bent * stiffness**0.5, 1e4 * np.array(ends).reshape(size, -1).T])
    spline = np.pad(spline, ((0, 0), (0, n * a)))
    right = [-value.ravel(), -(stiffness**0.5) * bent @ start.ravel(), np.zeros(4 * c)]
    low = np.r_[np.full(size, -np.inf), np.zeros(n * a)]
    exact = lsq_linear(np.vstack([rows, spline]), np.concatenate(right), (low, np.inf), tol=1e-14)
    np.testing.assert_allclose(found.ravel(), exact.x[:size], atol=1e-5)
    np.testing.assert_allclose(amount.ravel(), exact.x[size:], atol=1e-5)
    assert (amount < 1e-6).any() and (amount > 0.1).any() and (multiplier >= 0).all()
    for one, other in zip(by_guesses, (exact.x[:size], exact.x[size:]), strict=False):
        np.testing.assert_allclose(one.ravel(), other, atol=1e-5)
    np.testing.assert_array_equal(by_guesses[2], multiplier > 1e-6)
    # From the answer, by the systems that are kept, it is the answer at once; from another guess too.
    for guess in (by_guesses[2], np.ones((n, a), bool)):
        again = program.solve_by_guesses(guess)
        np.testing.assert_allclose(again[0], by_guesses[0], atol=1e-7)  # the ends weigh 1e8
    # Where a few may be wrong, they are told apart.
    _, rough, mended = program.solve_by_guesses(np.zeros((n, a), bool), few=1.0)
    np.testing.assert_array_equal(mended, rough < 0)
    assert mended.any()


@pytest.mark.parametrize("seed", range(3))
def test_guesses_end_where_many_directions_make_few_forces(monkeypatch, seed):
    """Six directions of a cone, of which any three make a force: mended at once, guesses go in circles."""
    random, (n, c, points) = np.random.default_rng(seed), (40, 2, 3)
    angle = np.pi / 3 * np.arange(6)
    cone = np.stack([np.cos(angle) / 2, np.ones(6), np.sin(angle) / 2])
    of_points = random.normal(size=(n, 12, 3 * points))
    of_points[:, 6:] = 0.0  # force and moment of the feet cost something, the rest the motion alone
    by_amount = np.concatenate([of_points[:, :, 3 * k : 3 * k + 3] @ cone for k in range(points)], axis=2)
    by_motion, value = random.normal(size=(n, 12, 3 * c)), 3 * random.normal(size=(n, 12))
    back = by_amount.swapaxes(1, 2)
    amount = back @ by_amount + 0.01 * np.eye(6 * points)
    weights = knots.derivative_weights(1.0)
    monkeypatch.setattr(quadratic, "_END_WEIGHT", 1e8)
    curvature = Curvature(n, c, 6 * points, weights, 0.3)
    free = np.zeros((n, 6 * points), bool)
    curvature.put(0, by_motion.swapaxes(1, 2) @ by_motion, amount, back @ by_motion, free)
    program = QuadraticProgram(
        curvature,
        np.einsum("nij,ni->nj", by_motion, value),
        np.einsum("nij,ni->nj", by_amount, value),
        np.zeros((n + knots.MORE, c)),
    )
    found = program.solve_by_guesses(free)
    step, amounts, _ = program.solve(np.ones(free.shape), np.ones(free.shape), 1e-13)
    made, exact = (np.einsum("nij,nj->ni", by_amount, own) for own in (found[1], amounts))
    np.testing.assert_allclose(found[0], step, atol=1e-5)
    np.testing.assert_allclose(made, exact, atol=1e-5)
    monkeypatch.setattr(quadratic, "_last", lambda wrong: wrong)
    assert program.solve_by_guesses(free) is None


def test_the_motion_follows_gyroscopes_where_they_measured(walker):
    """A hip that swings less than its gyroscope says swings more after it; a gap tells nothing."""
    subject, before = walker.subject, unbalanced(walker.subject)
    swing = 0.1 * np.sin(2 * np.pi * before.time_s)
    truth = before.q.copy()
    truth[:, before.coordinates.index("hip_flexion_r")] += swing
    measured = before.time_s < 1.6
    deviations = deviations_of([before], subject)

    def followed(measured):
        rate = _rates(subject, truth)
        gyroscopes = Gyroscopes(rate, measured, np.eye(rate.shape[1]), np.full(rate.shape[1], 0.3))
        return step.consistent(before, subject, deviations, gyroscopes)

    alone, after = step.consistent(before, subject, deviations), followed(measured)
    apart = [np.abs(_rates(subject, one.q) - _rates(subject, truth)) for one in (alone, after)]
    inside = (before.time_s > 0.4) & (before.time_s < 1.3)
    assert apart[1][inside].max() < 0.6 * apart[0][inside].max()
    # Corrections are forgotten within half a second of the gap.
    late = before.time_s > 2.1
    assert (np.abs(after.q - alone.q) / deviations.q)[late].max() < 0.05
    assert np.allclose(followed(0 * measured > 0).q, alone.q, atol=1e-6)
    told = correction_of(before, after, deviations, subject)
    assert max(r.after_percent for r in told.residuals.values()) < 1e-3


def _rates(subject, q):
    """Return what the gyroscopes of a motion read, by its spline, rad/s."""
    balance = Balance(subject)
    motion = knots.at_knots(
        knots.coefficients(q[:, list(balance.free)]), knots.derivative_weights(1 / RATE_HZ)
    )
    found = balance.values(motion, np.zeros((len(q), len(subject.functions.contact_points), 3)))
    return RATE_RAD_S * found.reading[:, -int(subject.modelled.angular_rate.sum()) :]


def test_readings_are_turned_as_the_sensors_sit(walker):
    """The same turn as scipy's: a reading is the rate along the axes of the turned sensor."""
    sensors = len(walker.recording.sensors)
    turns = np.random.default_rng(2).normal(0, 0.4, (sensors, 3))
    mounting = Mounting(sensors)
    with torch.no_grad():
        mounting.rotation.copy_(torch.as_tensor(turns))
    found = Gyroscopes.of(walker.recording, walker.subject, mounting)
    upright = Rotation.from_rotvec(turns).as_matrix()[:, 2, 2]  # the plane has rates about z alone
    assert np.allclose(found.turn, np.diag(upright), atol=1e-6)  # mountings are in single precision
    assert np.array_equal(found.angular_rate, walker.recording.angular_rate[..., 2])
    assert found.measured.all()
    assert (found.deviation == 0.5).all()


def test_in_a_gap_gyroscopes_go_on_and_are_not_measured(walker):
    """Zeros there would leak into what is measured, where a fast recording is filtered."""
    usable = np.arange(len(walker.recording.time_s)) // 20 != 3
    recording = dataclasses.replace(walker.recording, usable=usable)
    found = Gyroscopes.of(recording, walker.subject, Mounting(len(recording.sensors)))
    assert np.array_equal(found.angular_rate, recording.angular_rate[..., 2])
    assert np.array_equal(found.measured, usable)


def test_a_piece_is_not_held_once_it_was_given():
    """What one piece leaves in memory would grow with the recording."""

    class Found:
        pass

    given = []
    for found in step._in_order(lambda _: Found(), [slice(k, k + 1) for k in range(50)]):
        given.append(weakref.ref(found))
        del found
        # A thread may not have let go of its last one yet.
        assert sum(one() is not None for one in given) <= 2 * usable_cores() + 1
