"""Forces without muscles against a live OpenSim, on a small model that has every one of them."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from casadi_dynamics.opensim_process.jobs import run_job
from casadi_dynamics.opensim_process.worker.answers import model_answers
from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build
from casadi_dynamics.verify import compare, states_left_out

SPLINE = "<SimmSpline><x>-3 -1 0 0.5 3</x><y>-40 -10 0 8 90</y></SimmSpline>"
MATERIAL = (
    "<static_friction>{0}</static_friction><dynamic_friction>{1}</dynamic_friction>"
    "<viscous_friction>{2}</viscous_friction>"
)
CONTACT = """
<ContactGeometrySet><objects>
<ContactSphere name="ball"><socket_frame>/bodyset/a</socket_frame><location>0.1 0.2 -0.1</location>
<radius>0.9</radius></ContactSphere>
<ContactSphere name="knob"><socket_frame>/bodyset/a</socket_frame><location>-0.3 0 0.2</location>
<radius>0.6</radius></ContactSphere>
<ContactSphere name="bowl"><socket_frame>/bodyset/b</socket_frame><location>0 0.1 0.3</location>
<radius>1.3</radius></ContactSphere>
<ContactHalfSpace name="slope"><socket_frame>/ground</socket_frame><location>0.1 -0.4 0.2</location>
<orientation>0.3 -0.2 -1.2</orientation></ContactHalfSpace>
<ContactHalfSpace name="tray"><socket_frame>/bodyset/b/tilted</socket_frame><location>0.1 0 0</location>
<orientation>0 0.4 -2</orientation></ContactHalfSpace>
</objects></ContactGeometrySet>
"""
PATH = """<GeometryPath name="path"><PathPointSet><objects>
<PathPoint name="start"><socket_parent_frame>/ground</socket_parent_frame><location>0.2 0.5 0</location>
</PathPoint>
<ConditionalPathPoint name="via"><socket_parent_frame>/bodyset/a</socket_parent_frame>
<location>0.1 0 0.4</location><socket_coordinate>/jointset/hinge/swing</socket_coordinate>
<range>-1 0.5</range>
</ConditionalPathPoint>
<PathPoint name="end"><socket_parent_frame>/bodyset/b/tilted</socket_parent_frame>
<location>0 0.2 0.1</location></PathPoint></objects></PathPointSet></GeometryPath>"""
WEST = """<objects><Constant><value>30</value></Constant>
<LinearFunction><coefficients>0 -20</coefficients></LinearFunction>
<MultiplierFunction><function><Constant><value>5</value></Constant></function><scale>2</scale>
</MultiplierFunction></objects>"""
SPOT = (
    "<objects>" + "".join(f"<Constant><value>{x}</value></Constant>" for x in (0.3, 2, -0.4)) + "</objects>"
)
#: Name -> element. Values are chosen so that every term of each law is felt at the random states.
FORCES = {
    "limit": """<CoordinateLimitForce name="limit"><coordinate>swing</coordinate>
        <upper_stiffness>20</upper_stiffness><upper_limit>10</upper_limit><lower_stiffness>7</lower_stiffness>
        <lower_limit>-15</lower_limit><damping>0.4</damping><transition>25</transition>
        </CoordinateLimitForce>""",
    "stop": """<CoordinateLimitForce name="stop"><coordinate>slide</coordinate>
        <upper_stiffness>200</upper_stiffness><upper_limit>0.1</upper_limit>
        <lower_stiffness>300</lower_stiffness><lower_limit>-0.2</lower_limit><damping>4</damping>
        <transition>0.5</transition></CoordinateLimitForce>""",
    "spring": """<SpringGeneralizedForce name="spring"><coordinate>swing</coordinate>
        <stiffness>12</stiffness><rest_length>0.3</rest_length><viscosity>1.5</viscosity>
        </SpringGeneralizedForce>""",
    "bushing": """<BushingForce name="bushing"><socket_frame1>one</socket_frame1>
        <socket_frame2>/bodyset/b/tilted</socket_frame2><frames>{one}</frames>
        <rotational_stiffness>50 40 30</rotational_stiffness>
        <translational_stiffness>100 200 300</translational_stiffness>
        <rotational_damping>1 2 3</rotational_damping>
        <translational_damping>4 5 6</translational_damping></BushingForce>""",
    "rubber": """<FunctionBasedBushingForce name="rubber"><socket_frame1>/ground</socket_frame1>
        <socket_frame2>/bodyset/a</socket_frame2>
        <m_y_theta_y_function>{spline}</m_y_theta_y_function>
        <f_x_delta_x_function>{spline}</f_x_delta_x_function>
        <f_z_delta_z_function><LinearFunction><coefficients>70 1</coefficients></LinearFunction>
        </f_z_delta_z_function><rotational_damping>1 0 2</rotational_damping>
        <translational_damping>0 3 1</translational_damping></FunctionBasedBushingForce>""",
    "formula": """<ExpressionBasedCoordinateForce name="formula"><coordinate>swing</coordinate>
        <expression>-2.4*exp(1.5*(q-0.8))+3*exp(-1.1*(q+0.4))-0.1*qdot^3</expression>
        </ExpressionBasedCoordinateForce>""",
    "gum": """<ExpressionBasedBushingForce name="gum"><socket_frame1>one</socket_frame1>
        <socket_frame2>/bodyset/b/tilted</socket_frame2><frames>{one}</frames>
        <Mx_expression>30*theta_x^3-delta_y</Mx_expression><Mz_expression>4*theta_z*theta_y</Mz_expression>
        <Fx_expression>70*delta_x</Fx_expression><Fy_expression>sin(delta_z)*9</Fy_expression>
        <rotational_damping>1 2 3</rotational_damping>
        <translational_damping>4 5 6</translational_damping></ExpressionBasedBushingForce>""",
    "cord": """<PointToPointSpring name="cord"><socket_body1>/bodyset/a</socket_body1>
        <socket_body2>/bodyset/b</socket_body2><point1>0.1 0.2 0.3</point1><point2>-0.2 0 0.1</point2>
        <stiffness>500</stiffness><rest_length>0.4</rest_length></PointToPointSpring>""",
    "tether": """<PointToPointSpring name="tether"><socket_body1>/ground</socket_body1>
        <socket_body2>/bodyset/b/tilted</socket_body2><point1>0.1 2 0.3</point1><point2>-0.2 0 0.1</point2>
        <stiffness>500</stiffness><rest_length>0.4</rest_length></PointToPointSpring>""",
    "reach": """<ExpressionBasedPointToPointForce name="reach"><body1>a</body1><body2>b</body2>
        <point1>0.15 0.1 0.3</point1><point2>-0.2 0 0.1</point2>
        <expression>20*exp(d-1)-3*ddot^2+5*d*ddot</expression></ExpressionBasedPointToPointForce>""",
    "wire": """<ExpressionBasedPointToPointForce name="wire"><body1>/ground</body1>
        <body2>/bodyset/b/tilted</body2><point1>0.2 0.1 0.3</point1><point2>-0.2 0 0.1</point2>
        <expression>12*d</expression></ExpressionBasedPointToPointForce>""",
    "wind": """<PrescribedForce name="wind"><socket_frame>/bodyset/b/tilted</socket_frame>
        <FunctionSet name="forceFunctions">{west}</FunctionSet>
        <FunctionSet name="pointFunctions">{spot}</FunctionSet></PrescribedForce>""",
    "jet": """<PrescribedForce name="jet"><socket_frame>/bodyset/b/tilted</socket_frame>
        <forceIsGlobal>false</forceIsGlobal><pointIsGlobal>true</pointIsGlobal>
        <forceFunctions><FunctionSet>{west}</FunctionSet></forceFunctions>
        <pointFunctions><FunctionSet>{spot}</FunctionSet></pointFunctions>
        <torqueFunctions><FunctionSet>{spot}</FunctionSet></torqueFunctions></PrescribedForce>""",
    "motor": """<PrescribedForce name="motor"><socket_frame>/bodyset/a</socket_frame>
        <FunctionSet name="torqueFunctions">{west}</FunctionSet></PrescribedForce>""",
    "weight": """<PrescribedForce name="weight"><socket_frame>/bodyset/b/tilted</socket_frame>
        <FunctionSet name="forceFunctions">{west}</FunctionSet></PrescribedForce>""",
    "smooth": """<SmoothSphereHalfSpaceForce name="smooth">
        <socket_sphere>/contactgeometryset/ball</socket_sphere>
        <socket_half_space>/contactgeometryset/slope</socket_half_space><stiffness>1e5</stiffness>
        <dissipation>0.2</dissipation><static_friction>0.8</static_friction>
        <dynamic_friction>0.5</dynamic_friction><viscous_friction>0.3</viscous_friction>
        <transition_velocity>2</transition_velocity></SmoothSphereHalfSpaceForce>""",
    "carried": """<SmoothSphereHalfSpaceForce name="carried">
        <socket_sphere>/contactgeometryset/ball</socket_sphere>
        <socket_half_space>/contactgeometryset/tray</socket_half_space><stiffness>1e5</stiffness>
        <dissipation>0</dissipation><static_friction>0.8</static_friction>
        <dynamic_friction>0.5</dynamic_friction><viscous_friction>0.3</viscous_friction>
        <transition_velocity>0.1</transition_velocity></SmoothSphereHalfSpaceForce>""",
    "pile": """<HuntCrossleyForce name="pile">
        <HuntCrossleyForce::ContactParametersSet name="contact_parameters"><objects>
        <HuntCrossleyForce::ContactParameters><geometry>ball knob</geometry><stiffness>1e5</stiffness>
        <dissipation>0.3</dissipation>{rough}</HuntCrossleyForce::ContactParameters>
        <HuntCrossleyForce::ContactParameters><geometry>tray slope bowl</geometry><stiffness>4e4</stiffness>
        <dissipation>0.1</dissipation>{smooth}</HuntCrossleyForce::ContactParameters>
        </objects></HuntCrossleyForce::ContactParametersSet>
        <transition_velocity>0.5</transition_velocity></HuntCrossleyForce>""",
    "dent": """<HuntCrossleyForce name="dent">
        <HuntCrossleyForce::ContactParametersSet name="contact_parameters"><objects>
        <HuntCrossleyForce::ContactParameters><geometry>knob tray</geometry><stiffness>1e4</stiffness>
        <dissipation>1.5</dissipation>{rough}</HuntCrossleyForce::ContactParameters>
        </objects></HuntCrossleyForce::ContactParametersSet></HuntCrossleyForce>""",
    "band": """<PathSpring name="band">{path}<resting_length>0.9</resting_length><stiffness>700</stiffness>
        <dissipation>0.4</dissipation></PathSpring>""",
    "tape": """<Ligament name="tape">{path}<resting_length>1.2</resting_length><pcsa_force>90</pcsa_force>
        <SimmSpline name="force_length_curve"><x>-5 0.998 0.999 1 1.1 1.2 1.3 1.4 1.5 1.6 1.601 1.602 5</x>
        <y>0 0 0 0 0.035 0.12 0.26 0.55 1.17 2 2 2 2</y></SimmSpline></Ligament>""",
    "cruciate": """<Blankevoort1991Ligament name="cruciate">{path}<linear_stiffness>400</linear_stiffness>
        <transition_strain>0.5</transition_strain><damping_coefficient>30</damping_coefficient>
        <slack_length>1.1</slack_length></Blankevoort1991Ligament>""",
}


@pytest.fixture(scope="module")
def text(osim):
    """Give a model of two bodies, one on a slider on a pin, one free, with the given forces."""

    def write(*names):
        frame = osim.frame("tilted", "..", "0.05 -0.1 0.2", "0.5 -0.6 0.7")
        bodies = osim.body("a") + osim.body("c", mass="1")
        bodies += osim.body("b", more=f"<components>{frame}</components>")
        joints = osim.joint("PinJoint", "hinge", child="/bodyset/c", names=("swing",))
        joints += osim.joint("SliderJoint", "rail", "/bodyset/c", "/bodyset/a", ("slide",))
        six = ("rx", "ry", "rz", "tx", "ty", "tz")
        joints += osim.joint("FreeJoint", "loose", child="/bodyset/b", names=six)
        parts = {
            "one": osim.frame("one", "/bodyset/a", "0.1 0 -0.2", "0.2 0.1 -0.3"),
            "spline": SPLINE,
            "path": PATH,
            "west": WEST,
            "spot": SPOT,
            "rough": MATERIAL.format(0.9, 0.6, 0.2),
            "smooth": MATERIAL.format(0.4, 0.3, 0),
        }
        forces = "".join(FORCES[name].format(**parts) for name in names)
        return osim.document(bodies, joints, f"{CONTACT}<ForceSet><objects>{forces}</objects></ForceSet>")

    return write


@pytest.fixture(scope="module")
def every_force(text, tmp_path_factory):
    """Return the model with every force, its functions and OpenSim's answers."""
    path = tmp_path_factory.mktemp("forces") / "forces.osim"
    path.write_text(text(*FORCES))
    saved = path.with_suffix(".npz")
    arguments = {"model": str(path), "samples": 40, "seed": 5, "output": str(saved)}
    run_job(model_answers, arguments, timeout_s=120, outputs=[saved])
    model = read_model(path)
    with np.load(saved) as answers:
        return model, build(model), dict(answers)


def test_every_force_agrees_with_opensim(every_force):
    model, functions, answers = every_force
    assert set(answers["force_names"]) == set(FORCES) == set(functions.forces)
    errors = compare(model, functions, answers)
    felt = np.abs(answers["force_tau"]).max(axis=(0, 2))
    assert felt.min() > 1
    # Both sides do the same sums in another order.
    assert max(errors[f"force {name}"] for name in FORCES) < 1e-13, errors


def evaluated(function, answers, parameters):
    """Return the outputs at the states of the answers, each (N, size)."""
    samples = len(answers["f_q"])
    repeated = np.tile(parameters[:, None], (1, samples))
    outputs = function.map(samples)(q=answers["f_q"].T, u=answers["f_qd"].T, parameters=repeated)
    return {name: np.array(value).T for name, value in outputs.items()}


def test_the_total_is_the_sum_of_all(every_force):
    _, functions, answers = every_force
    found = evaluated(functions.passive_forces, answers, functions.parameters)
    each = found["each"].reshape(len(answers["f_q"]), len(functions.forces), -1)
    np.testing.assert_allclose(found["total"], each.sum(axis=1), rtol=1e-12, atol=1e-8)


def test_contact_acts_equally_and_oppositely(every_force):
    _, functions, answers = every_force
    names = [label for label in functions.contact_forces if label.startswith("pile.")]
    assert set(names) == {"pile.a", "pile.ground", "pile.b"}
    found = evaluated(functions.contact, answers, functions.parameters)
    force = found["force"].reshape(len(answers["f_q"]), -1, 3)
    total = force[:, [functions.contact_forces.index(name) for name in names]].sum(axis=1)
    np.testing.assert_allclose(total, 0, atol=1e-12 * np.abs(force).max())


def test_surfaces_that_part_do_not_silence_the_others(every_force):
    """Every pair of surfaces acts by itself, also where Simbody drops some."""
    model, functions, answers = every_force
    pile = next(force for force in model.forces if force.name == "pile")
    pairs = [
        replace(pile, name=f"pair{i}", surfaces=pair) for i, pair in enumerate(combinations(pile.surfaces, 2))
    ]
    apart = build(replace(model, forces=tuple(pairs), contact_forces=()))
    alone = evaluated(apart.passive_forces, answers, apart.parameters)["total"]
    place = functions.forces.index("pile") * alone.shape[1]
    together = evaluated(functions.passive_forces, answers, functions.parameters)["each"][
        :, place : place + alone.shape[1]
    ]
    np.testing.assert_allclose(together, alone, atol=1e-12 * np.abs(alone).max())
    pull = evaluated(functions.parting, answers, functions.parameters)["pull"][
        :, functions.forces.index("pile")
    ]
    forgotten = (
        np.abs(together - answers["force_tau"][:, answers["force_names"] == "pile"][:, 0]).max(axis=1) > 1
    )
    assert (pull[forgotten] > 0).all() and 0 < forgotten.sum() < (pull > 0).sum() < len(pull) / 2
    assert states_left_out(functions, answers)["pile"] == (pull > 0).sum()


def test_where_a_force_acts_and_how_stiff_it_is_are_parameters(every_force, text, read):
    model, functions, answers = every_force
    moved = read(
        text(*FORCES)
        .replace("<point1>0.1 0.2 0.3</point1>", "<point1>0.15 0.2 0.3</point1>")
        .replace("<stiffness>12</stiffness>", "<stiffness>13</stiffness>")
    )
    assert moved != model
    numbers = dict(zip(functions.parameter_names, functions.parameters, strict=True))
    numbers |= {"cord.point1[0]": 0.15, "spring.stiffness": 13.0}
    changed = np.array([numbers[name] for name in functions.parameter_names])
    ours = evaluated(functions.passive_forces, answers, changed)["each"]
    theirs = build(moved)
    np.testing.assert_allclose(
        ours, evaluated(theirs.passive_forces, answers, theirs.parameters)["each"], rtol=1e-12, atol=1e-9
    )


def test_gradients_are_finite_and_right(every_force):
    _, functions, answers = every_force
    passive, n = functions.passive_forces, len(functions.coordinates)
    jacobian = passive.jacobian()
    step = 1e-6
    for q, u in list(zip(answers["f_q"], answers["f_qd"], strict=True))[:6]:
        found = jacobian(q=q, u=u, parameters=functions.parameters)
        slope = np.array(found["jac_total_q"])
        ends = [
            np.array(
                passive(q=q[:, None] + sign * step * np.eye(n), u=u, parameters=functions.parameters)["total"]
            )
            for sign in (1, -1)
        ]
        assert all(np.isfinite(np.array(block)).all() for block in found.values())
        # Central differences of forces of 1e6 N m: rounding 1e-10 / step.
        close = {"rtol": 1e-4, "atol": 1e-3 * np.abs(slope).max()}
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), **close)


def test_the_compiled_forces_are_the_same(every_force):
    import torch

    from casadi_dynamics.compiled import compile_torch

    _, functions, answers = every_force
    compiled = compile_torch(functions.passive_forces)
    found = compiled(
        q=torch.tensor(answers["f_q"]),
        u=torch.tensor(answers["f_qd"]),
        parameters=torch.tensor(functions.parameters),
    )
    wanted = evaluated(functions.passive_forces, answers, functions.parameters)
    np.testing.assert_allclose(found["each"].numpy(), wanted["each"], rtol=1e-11, atol=1e-8)


@pytest.mark.parametrize(
    ("force", "given", "wrong", "part"),
    [
        (
            "limit",
            "<lower_stiffness>7<",
            "<lower_stiffness>0<",
            "<lower_stiffness> of CoordinateLimitForce 'limit'",
        ),
        ("limit", "<transition>25<", "<transition>0<", "number above 0"),
        ("limit", "<coordinate>swing<", "<coordinate>swung<", "'swung'"),
        ("limit", "<damping>0.4<", "<damping>much<", "finite number"),
        ("bushing", "<socket_frame1>one<", "<socket_frame1>two<", "attached to 'two'"),
        ("pile", "ball knob", "ball nob", "'nob'"),
        ("pile", "ball knob", "ball bowl", "twice"),
        ("pile", "<stiffness>1e5<", "<stiffness>0<", "<stiffness>"),
        ("pile", "<transition_velocity>0.5<", "<transition_velocity>0<", "<transition_velocity>"),
        ("smooth", "/slope", "/knob", "between a ContactSphere and a ContactHalfSpace"),
        ("band", "<stiffness>700</stiffness>", "", "<stiffness>"),
        ("tape", "<resting_length>1.2<", "<resting_length>0<", "<resting_length>"),
        ("cruciate", "<slack_length>1.1<", "<slack_length>0<", "<slack_length>"),
        ("cord", "<point1>0.1 0.2 0.3<", "<point1>0.1 0.2<", "3 finite numbers"),
        (
            "cord",
            "PointToPointSpring",
            "ExternalForce",
            "give it as an external load",
        ),
        ("spring", "SpringGeneralizedForce", "ElasticFoundationForce", "HuntCrossleyForce"),
    ],
)
def test_refuses_what_has_no_meaning(text, read, force, given, wrong, part):
    written = text(force)
    assert given in written
    with pytest.raises(InputError) as caught:
        read(written.replace(given, wrong))
    assert part in str(caught.value) and "line" in str(caught.value)


def test_a_force_that_is_switched_off_is_ignored_with_the_reason(text, read):
    off = "<appliesForce>false</appliesForce><stiffness>12"
    model = read(text("spring", "limit").replace("<stiffness>12", off))
    assert [force.name for force in model.forces] == ["limit"]
    assert any("'spring'" in reason and "switched off" in reason for reason in model.ignored)


def test_the_height_of_a_slope_is_refused(text, read):
    slope = read(text("smooth")).geometry("slope")
    with pytest.raises(InputError, match="not a level floor"):
        _ = slope.height


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ("<Constant/><Constant/>", "no vector"),
        ("<Constant/><Constant/><LinearFunction/>", "change with time"),
        ("<Constant/><Constant/><Sine/>", "change with time"),
        (
            "<Constant/><Constant/><MultiplierFunction><function><LinearFunction/></function>"
            "</MultiplierFunction>",
            "change with time",
        ),
    ],
)
def test_a_force_that_changes_with_time_is_refused(osim, read, functions, reason):
    force = (
        '<PrescribedForce name="gust"><socket_frame>/bodyset/rod</socket_frame><FunctionSet '
        f'name="forceFunctions"><objects>{functions}</objects></FunctionSet></PrescribedForce>'
    )
    with pytest.raises(InputError, match=reason) as refused:
        read(osim.document(more=f"<ForceSet><objects>{force}</objects></ForceSet>"))
    assert "PrescribedForce 'gust'" in refused.value.where


@pytest.mark.parametrize("name", ["c", "/bodyset/c", "/bodyset/b/tilted", "ground"])
def test_ends_are_found_where_opensim_finds_them(text, read, name):
    model = read(text("reach").replace("<body1>a</body1>", f"<body1>{name}</body1>"))
    assert model.forces[0].body1 == {"/bodyset/b/tilted": "b"}.get(name, name.rsplit("/", 1)[-1])


@pytest.mark.parametrize("name", ["tilted", "nobody", "/c"])
def test_ends_that_opensim_does_not_find_are_refused(text, read, name):
    with pytest.raises(InputError, match="is attached to"):
        read(text("reach").replace("<body1>a</body1>", f"<body1>{name}</body1>"))
