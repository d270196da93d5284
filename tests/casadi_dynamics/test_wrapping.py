"""Paths around surfaces of every kind against a live OpenSim, at random postures of small models."""

import casadi as ca
import numpy as np
import pytest

from casadi_dynamics.compiled.numpy_function import compile_numpy
from casadi_dynamics.errors import InputError
from casadi_dynamics.model.muscles import PathWrap, WrapObject
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.opensim_process.worker.paths import muscle_paths
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.symbolic.wrapping.loops import repeat
from casadi_dynamics.verify import compare

#: Rounding: a spiral is slid up to 100 times, each time by half again of a difference.
CLOSE_M = 1e-9
COORDINATES = ("rx", "ry", "rz", "tx", "ty", "tz")
DIMENSIONS = {
    "WrapCylinder": "<radius>0.04</radius><length>0.15</length>",
    "WrapSphere": "<radius>0.045</radius>",
    "WrapEllipsoid": "<dimensions>0.03 0.05 0.04</dimensions>",
    "WrapTorus": "<inner_radius>0.02</inner_radius><outer_radius>0.06</outer_radius>",
}
START, END = ("/ground", (-0.13, 0.02, 0.01)), ("/bodyset/b", (0.02, 0.01, 0.0))
VIA, VIA_ON_BODY = ("/ground", (-0.05, 0.07, 0.02)), ("/bodyset/b", (-0.03, 0.03, 0.01))


def surface(kind, name, quadrant="all", turned=(0, 0, 0), place=(0, 0, 0), size=1.0, active="true"):
    """Return a wrap object as text."""
    dimensions = DIMENSIONS[kind]
    for number in sorted(
        {word for word in dimensions.replace(">", " ").replace("<", " ").split() if word[0] == "0"}
    ):
        dimensions = dimensions.replace(number, f"{float(number) * size:.6f}")
    return (
        f'<{kind} name="{name}"><active>{active}</active>'
        f"<xyz_body_rotation>{_words(turned)}</xyz_body_rotation><translation>{_words(place)}</translation>"
        f"<quadrant>{quadrant}</quadrant>{dimensions}</{kind}>"
    )


def _words(numbers):
    return " ".join(f"{x:.4f}" for x in numbers)


def path(name, points, wraps):
    """Return a GeometryPath; `wraps` are (surface, method, range)."""
    listed = "".join(
        f'<PathPoint name="{name}-P{i}"><socket_parent_frame>{frame}</socket_parent_frame>'
        f"<location>{_words(place)}</location></PathPoint>"
        for i, (frame, place) in enumerate(points)
    )
    around = "".join(
        f'<PathWrap name="{name}-W{i}"><wrap_object>{wrapped}</wrap_object><method>{method}</method>'
        f"<range>{span}</range></PathWrap>"
        for i, (wrapped, method, span) in enumerate(wraps)
    )
    return (
        f'<GeometryPath name="path"><PathPointSet><objects>{listed}</objects></PathPointSet>'
        f"<PathWrapSet><objects>{around}</objects></PathWrapSet></GeometryPath>"
    )


def muscle(name, points, wraps):
    return (
        f'<Thelen2003Muscle name="{name}">{path(name, points, wraps)}'
        "<max_isometric_force>100</max_isometric_force><optimal_fiber_length>0.1</optimal_fiber_length>"
        "<tendon_slack_length>0.1</tendon_slack_length></Thelen2003Muscle>"
    )


def document(forces, on_ground="", on_body=""):
    """Return a model: a body on a free joint 13 cm beside ground's origin, free to go 12 cm either way."""
    ranges = {"tx": (0.01, 0.25), "ty": (-0.12, 0.12), "tz": (-0.12, 0.12)}
    coordinates = "".join(
        f'<Coordinate name="{name}"><default_value>{0.13 if name == "tx" else 0}</default_value>'
        f"<range>{_words(ranges.get(name, (-0.6, 0.6)))}</range></Coordinate>"
        for name in COORDINATES
    )
    sets = "<WrapObjectSet><objects>{}</objects></WrapObjectSet>"
    return (
        '<?xml version="1.0"?><OpenSimDocument Version="40000"><Model name="wraps">'
        f'<gravity>0 -9.81 0</gravity><Ground name="ground">{sets.format(on_ground)}</Ground>'
        '<BodySet><objects><Body name="b"><mass>1</mass><mass_center>0 0 0</mass_center>'
        f"<inertia>1 1 1 0 0 0</inertia>{sets.format(on_body)}</Body></objects></BodySet>"
        '<JointSet><objects><FreeJoint name="j"><socket_parent_frame>/ground</socket_parent_frame>'
        "<socket_child_frame>/bodyset/b</socket_child_frame>"
        f"<coordinates>{coordinates}</coordinates></FreeJoint></objects></JointSet>"
        f"<ForceSet><objects>{forces}</objects></ForceSet></Model></OpenSimDocument>"
    )


@pytest.fixture
def ask(tmp_path):
    """Return a function from a model's text to the model and both answers at random postures."""

    def both(text: str, samples: int = 80):
        names = ("wraps.osim", "q.npy", "u.npy", "paths.npz")
        file, postures, speeds, output = (tmp_path / name for name in names)
        file.write_text(text)
        model = read_model(file)
        box = np.array([model.coordinate(name).range for name in COORDINATES])
        rng = np.random.default_rng(7)
        q, u = rng.uniform(box[:, 0], box[:, 1], (samples, 6)), rng.normal(size=(samples, 6))
        np.save(postures, q)
        np.save(speeds, u)
        muscles = {each.name: list(COORDINATES) for each in model.muscles}
        request = {"model": file, "muscles": muscles, "coordinates": list(COORDINATES), "postures": postures}
        request |= {"speeds": speeds, "output": output}
        run_job(muscle_paths, request, timeout_s=120.0, outputs=[output])
        with np.load(output) as stored:
            theirs = dict(stored)
        functions = build(model)
        assert functions.coordinates == COORDINATES
        ours = functions.at(functions.muscles(), q=q, u=u)
        ours["moment_arm"] = ours["moment_arm"].reshape(theirs["moment_arm"].shape)
        return model, ours, theirs

    return both


def straight(model, q):
    """Return the lengths the paths would have without their surfaces."""
    bare = [each.path.points for each in model.muscles]
    assert all(len(points) == 2 for points in bare)
    functions = build(model)
    kinematics = functions.at(functions.kinematics, q=q, u=np.zeros_like(q), udot=np.zeros_like(q))
    rotation = kinematics["rotation"].reshape(len(q), 3, 3)
    end = kinematics["position"].reshape(len(q), 3) + rotation @ np.array(END[1])
    return np.linalg.norm(end - np.array(START[1]), axis=1)[:, None]


def assert_same(ours, theirs, noisy=()):
    """Compare; `noisy` muscles are those where OpenSim's search starts by the sign of a rounding error."""
    found = np.isfinite(theirs["length"]) & np.isfinite(theirs["moment_arm"]).all(axis=2)
    assert found.mean() > 0.99
    exact = found & ~np.isin(np.arange(found.shape[1]), noisy)
    np.testing.assert_allclose(ours["speed"][exact], theirs["speed"][exact], rtol=0, atol=10 * CLOSE_M)
    noisy = np.isin(np.arange(found.shape[1]), noisy) & np.ones(len(found), bool)[:, None]
    for rows, length, arm in ((found & ~noisy, CLOSE_M, CLOSE_M), (found & noisy, 1e-7, 1e-4)):
        np.testing.assert_allclose(ours["length"][rows], theirs["length"][rows], rtol=0, atol=length)
        np.testing.assert_allclose(ours["moment_arm"][rows], theirs["moment_arm"][rows], rtol=0, atol=arm)


@pytest.mark.parametrize("kind", DIMENSIONS)
def test_every_side_and_method_is_opensims(kind, ask):
    """A wrap that is missed, on the wrong side or the long way round included."""
    rng = np.random.default_rng(3)
    sides = ("all", "x", "-x", "+y", "-y", "z", "-z")
    surfaces, muscles = "", ""
    for side in sides:
        for method in ("hybrid", "midpoint", "axial") if kind == "WrapEllipsoid" else ("hybrid",):
            name = f"m{side}{method}".replace("+", "p").replace("-", "m")
            turned, place = rng.uniform(-1.5, 1.5, 3), rng.uniform(-0.02, 0.02, 3)
            surfaces += surface(kind, f"{name}_s", side, turned, place)
            muscles += muscle(name, [START, END], [(f"{name}_s", method, "-1 -1")])
    model, ours, theirs = ask(document(muscles, surfaces))
    noisy = [i for i, each in enumerate(model.muscles) if "axial" in each.name and "all" not in each.name]
    assert_same(ours, theirs, noisy)
    rng = np.random.default_rng(7)
    box = np.array([model.coordinate(name).range for name in COORDINATES])
    q = rng.uniform(box[:, 0], box[:, 1], (80, 6))
    bent = np.abs(ours["length"] - straight(model, q)) > 1e-6
    assert bent.any(axis=0).all() and not bent.all()


def test_several_surfaces_points_and_ranges(ask):
    """The order in which surfaces are tried, ranges of points, a surface that is switched off."""
    rng = np.random.default_rng(3)
    kinds = [("WrapCylinder", "all"), ("WrapSphere", "all"), ("WrapCylinder", "y"), ("WrapEllipsoid", "all")]
    kinds += [("WrapCylinder", "-x"), ("WrapEllipsoid", "z"), ("WrapTorus", "all")]
    texts, names = {"g": "", "b": ""}, []
    for i, (kind, side) in enumerate(kinds):
        for carrier, middle in (("g", -0.03), ("b", -0.07)):
            name = f"s{i}{carrier}"
            place = rng.uniform(-0.03, 0.03, 3) + np.array([middle, 0, 0])
            active = "false" if name == "s2b" else "true"
            texts[carrier] += surface(kind, name, side, rng.uniform(-1.5, 1.5, 3), place, 0.6, active)
            names.append(name)
    muscles = ""
    for k, points in enumerate([[START, END], [START, VIA, END], [START, VIA, VIA_ON_BODY, END]] * 6):
        chosen = rng.choice(names, rng.integers(1, 4), replace=False)
        wraps = [(name, "hybrid", rng.choice(["-1 -1", "1 2", "2 -1"])) for name in chosen]
        if len(points) > 2:  # a torus that is missed by one of several lines repeats OpenSim's last posture
            wraps = [wrap for wrap in wraps if not wrap[0].startswith("s6")] or [("s0g", "hybrid", "-1 -1")]
        muscles += muscle(f"m{k}", points, wraps)
    _, ours, theirs = ask(document(muscles, texts["g"], texts["b"]), 60)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", ["Rajagopal2016", "RajagopalLaiUhlrich2023", "arm26", "gait2d"])
def test_public_models_with_wraps(public_models, with_answers, name):
    model, functions, answers = with_answers(public_models, f"{name}.osim", f"{name}.npz")
    assert any(each.path.wraps for each in model.muscles)
    errors = compare(model, functions, answers)
    assert errors["muscle length"] < 1e-12 and errors["moment arm"] < 1e-11


def test_springs_and_ligaments_wrap_as_muscles_do(tmp_path):
    wraps = [("roll", "hybrid", "-1 -1"), ("egg", "hybrid", "-1 -1")]
    spring = (
        f'<PathSpring name="spring">{path("spring", [START, END], wraps)}'
        "<resting_length>0.05</resting_length><stiffness>100</stiffness><dissipation>0.3</dissipation></PathSpring>"
    )
    ligament = (
        f'<Blankevoort1991Ligament name="ligament">{path("ligament", [START, VIA, END], wraps[:1])}'
        "<linear_stiffness>100</linear_stiffness><slack_length>0.05</slack_length>"
        "</Blankevoort1991Ligament>"
    )
    rolls = surface("WrapCylinder", "roll") + surface("WrapEllipsoid", "egg", place=(0.05, 0, 0), size=0.5)
    file, output = tmp_path / "wraps.osim", tmp_path / "answers.npz"
    file.write_text(document(spring + ligament, rolls))
    run_job(
        model_answers,
        {"model": file, "samples": 20, "seed": 2, "output": output},
        timeout_s=120,
        outputs=[output],
    )
    with np.load(output) as stored:
        answers = dict(stored)
    model = read_model(file)
    errors = compare(model, build(model), answers)
    assert {"force spring", "force ligament"} <= set(errors)
    assert max(errors.values()) < 1e-9, errors


def test_dimensions_and_places_are_parameters(read):
    wraps = [("roll", "hybrid", "-1 -1")]
    small = read(
        document(muscle("m", [START, END], wraps), surface("WrapCylinder", "roll", place=(0, 0.01, 0)))
    )
    large = surface("WrapCylinder", "roll", place=(0, 0.02, 0), size=1.2)
    large = read(document(muscle("m", [START, END], wraps), large))
    functions, others = build(small), build(large)
    assert functions.parameter_names == others.parameter_names
    assert "roll.dimensions[0]" in functions.parameter_names and "roll.frame[1]" in functions.parameter_names
    given = {"q": [0.1, 0, 0.1, 0.13, 0, 0], "u": [0] * 6, "parameters": others.parameters}
    length = float(functions.muscles()(**given)["length"])
    assert length == float(others.muscles()(**given)["length"])
    assert length > 1e-3 + float(
        functions.muscles()(**{**given, "parameters": functions.parameters})["length"]
    )


def test_one_cylinder_or_sphere_is_compiled_and_several_are_run_by_casadi(read):
    spans = [("roll", "hybrid", "-1 -1"), ("ball", "hybrid", "-1 -1")]
    rolls = surface("WrapCylinder", "roll") + surface("WrapSphere", "ball", place=(0.05, 0, 0))
    forces = "".join(muscle(f"m{k}", [START, VIA, END], spans[:k] or spans[1:]) for k in range(3))
    functions = build(read(document(forces, rolls)))
    q = np.random.default_rng(0).normal([0, 0, 0, 0.13, 0, 0], 0.05, (30, 6))
    for names, calls in ((["m0", "m1"], False), (["m0", "m1", "m2"], True)):
        whole = functions.muscles(names)
        ids = [whole.instruction_id(k) for k in range(whole.n_instructions())]
        assert (ca.OP_CALL in ids) == calls
        symbols = [ca.SX.sym(name, whole.numel_in(name)) for name in whole.name_in()]
        outputs = [ca.vec(value) for value in whole.call(symbols)]
        flat = ca.Function("flat", symbols, outputs, whole.name_in(), whole.name_out())
        run = compile_numpy(flat)
        found = run(q=q, u=0.1 * q, parameters=functions.parameters)
        wanted = functions.at(flat, q=q, u=0.1 * q)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-14)
    with pytest.raises(InputError, match="do not fit"):
        run(q=q, u=q[:, :5], parameters=functions.parameters)


def test_speed_is_that_of_the_shortest_path(read):
    """Straight across a cylinder OpenSim finds the shortest way, whose rate is a slope."""
    roll = surface("WrapCylinder", "roll", place=(0, -0.01, 0), turned=(0, 0, 0))
    functions = build(read(document(muscle("m", [START, END], [("roll", "hybrid", "-1 -1")]), roll)))
    whole, h = functions.muscles(), 1e-6
    q, u = np.array([0, 0, 0.1, 0.13, 0.0, 0.01]), np.array([0, 0, 0.3, 0.1, -0.2, 0])
    lengths = [
        float(whole(q=q + sign * h * u, u=u, parameters=functions.parameters)["length"]) for sign in (1, -1)
    ]
    found = whole(q=q, u=u, parameters=functions.parameters)
    assert float(found["length"]) > 0.15 + 1e-4
    assert float(found["speed"]) == pytest.approx((lengths[0] - lengths[1]) / (2 * h), abs=1e-8)
    assert float(found["speed"]) == pytest.approx(
        -float(np.array(found["moment_arm"]).ravel() @ u), abs=1e-14
    )


def test_wraps_are_read_with_their_words(read):
    text = document(
        muscle("m", [START, VIA, END], [("roll", "Midpoint", "2 3")]), surface("WrapSphere", "roll", "-Y")
    )
    (wrap,) = read(text).muscles[0].path.wraps
    assert wrap.method == "midpoint" and wrap.range == (2, 3) and wrap.body == "ground"
    assert isinstance(wrap, PathWrap) and isinstance(wrap.surface, WrapObject)
    assert wrap.surface.quadrant == "-y" and wrap.surface.dimensions == (0.045,) and wrap.surface.active


@pytest.mark.parametrize(
    ("given", "wrong", "part"),
    [
        ("<method>hybrid", "<method>shortest", "<method>"),
        ("<range>-1 -1", "<range>all", "<range>"),
        ("<quadrant>all", "<quadrant>left", "<quadrant>"),
        ("<radius>0.045", "<radius>-0.045", "<radius>"),
    ],
)
def test_words_that_opensim_does_not_know_are_refused(read, given, wrong, part):
    text = document(muscle("m", [START, END], [("roll", "hybrid", "-1 -1")]), surface("WrapSphere", "roll"))
    wrong = wrong.replace("0.045", "0.045000")
    given = given.replace("0.045", "0.045000")
    assert given in text
    with pytest.raises(InputError) as caught:
        read(text.replace(given, wrong))
    assert part in str(caught.value) and "line" in str(caught.value)


def test_loops_stop_early_and_at_their_greatest_count():
    state, constants = ca.SX.sym("state", 2), ca.SX.sym("constants", 1)
    count = state[0] + 1
    after = ca.vertcat(count, count < constants)
    step = ca.Function("step", [state, constants], [ca.if_else(state[1], after, state)])
    counted = repeat(step, 20, 5)
    assert [int(counted([0, 1], limit)[0]) for limit in (1, 7, 20, 99)] == [1, 7, 20, 20]
    assert int(counted([3, 0], 9)[0]) == 3


@pytest.mark.parametrize("kind", ["WrapCylinder", "WrapSphere"])
def test_slopes_of_the_length_are_its_differences(read, kind):
    """Alone, and beside another surface, where the ends of an arc are slid step by step."""
    turned, wraps = (0.3, -0.2, 0.5), [("roll", "hybrid", "-1 -1"), ("ball", "hybrid", "-1 -1")]
    rolls = surface(kind, "roll", turned=turned) + surface("WrapSphere", "ball", place=(0.07, 0, 0), size=0.5)
    forces = "".join(muscle(f"m{k}", [START, END], wraps[:k]) for k in (1, 2))
    functions = build(read(document(forces, rolls)))
    whole = functions.muscles()
    assert sum(whole.instruction_id(k) == ca.OP_CALL for k in range(whole.n_instructions())) <= 2
    symbols = [ca.SX.sym(name, whole.numel_in(name)) for name in whole.name_in()]
    slope = ca.Function("slope", symbols, [ca.jacobian(whole(*symbols)[0], symbols[0])])
    h, compared = 1e-6, 0
    for q in np.random.default_rng(4).normal([0, 0, 0, 0.14, 0, 0], 0.03, (12, 6)):
        lengths = [
            np.array(whole(q=q + step, u=0, parameters=functions.parameters)["length"])
            for step in (*(h * np.eye(6)), *(-h * np.eye(6)))
        ]
        differences = (np.hstack(lengths[:6]) - np.hstack(lengths[6:])) / (2 * h)
        smooth = np.abs(differences) < 10  # a chord more or less is a jump
        compared += smooth.sum()
        found = np.array(slope(q, 0 * q, functions.parameters))
        np.testing.assert_allclose(found[smooth], differences[smooth], rtol=0, atol=1e-5)
    assert compared > 140
