"""A coordinate that moves muscles only through couplers is one that muscles move."""

import numpy as np
import pytest

from casadi_dynamics.errors import InputError
from sspinn_opensim.opensim_io.model.model_file import coordinate_facts, read_model_tree
from sspinn_opensim.opensim_io.static_optimization.preparation import role
from sspinn_opensim.opensim_io.tables.storage import Table, read_storage, write_storage
from sspinn_opensim.verbs.laboratory_muscles import LaboratoryTrials, TrialFiles, analyse_trials

SEGMENT_M, TIME_S = 0.2, np.arange(0.0, 1.5, 0.01)
FLEXION = 0.6 - 0.4 * np.cos(2 * np.pi * TIME_S)


def body(name: str, mass: str, inertia: str = "1e-3 1e-2 1e-2") -> str:
    return (
        f'<Body name="{name}"><mass>{mass}</mass><mass_center>0.1 0 0</mass_center>'
        f"<inertia>{inertia} 0 0 0</inertia></Body>"
    )


def hinge(name: str, parent: str, child: str, x: float, coordinate: str) -> str:
    return (
        f'<PinJoint name="{name}"><socket_parent_frame>in_parent</socket_parent_frame>'
        f"<socket_child_frame>/bodyset/{child}</socket_child_frame><coordinates>"
        f'<Coordinate name="{coordinate}"><range>-2 2</range></Coordinate></coordinates><frames>'
        f'<PhysicalOffsetFrame name="in_parent"><socket_parent>{parent}</socket_parent>'
        f"<translation>{x} 0 0</translation></PhysicalOffsetFrame></frames></PinJoint>"
    )


def coupler(dependent: str, driver: str, slope: float, more: str = "") -> str:
    return (
        f'<CoordinateCouplerConstraint name="{dependent}_follows">{more}<coupled_coordinates_function>'
        f"<LinearFunction><coefficients>{slope} 0</coefficients></LinearFunction>"
        f"</coupled_coordinates_function><independent_coordinate_names>{driver}"
        f"</independent_coordinate_names><dependent_coordinate_name>{dependent}"
        "</dependent_coordinate_name></CoordinateCouplerConstraint>"
    )


def muscle(name: str, y: float) -> str:
    points = "".join(
        f'<PathPoint name="{name}-P{i}"><socket_parent_frame>{frame}</socket_parent_frame>'
        f"<location>{x} {y} 0</location></PathPoint>"
        for i, (frame, x) in enumerate([("/ground", -0.05), ("/bodyset/near", 0.19), ("/bodyset/far", 0.15)])
    )
    return (
        f'<Thelen2003Muscle name="{name}"><GeometryPath name="path"><PathPointSet><objects>{points}</objects>'
        "</PathPointSet></GeometryPath><max_isometric_force>800</max_isometric_force>"
        "<optimal_fiber_length>0.2</optimal_fiber_length><tendon_slack_length>0.22</tendon_slack_length>"
        "</Thelen2003Muscle>"
    )


def model(bodies: str, joints: str, couplers: str) -> str:
    muscles = muscle("upper", 0.05) + muscle("lower", -0.05)
    return (
        '<OpenSimDocument Version="40600"><Model name="finger"><gravity>0 -9.80665 0</gravity>'
        f"<BodySet><objects>{body('near', '1')}{body('far', '1')}{bodies}</objects></BodySet>"
        f"<JointSet><objects>{hinge('j1', '/ground', 'near', 0, 'a')}"
        f"{hinge('j2', '/bodyset/near', 'far', SEGMENT_M, 'b')}{joints}</objects></JointSet>"
        f"<ConstraintSet><objects>{couplers}</objects></ConstraintSet>"
        f"<ForceSet><objects>{muscles}</objects></ForceSet></Model></OpenSimDocument>"
    )


GHOST = body("ghost", "1e-9", "1e-9 1e-9 1e-9"), hinge("g", "/ground", "ghost", 0, "bend")
BY_A_JOINT = model("", "", coupler("b", "a", 1.0))
BY_A_GHOST = model(*GHOST, coupler("a", "bend", 0.5) + coupler("b", "a", 1.0))


def forces(folder, text: str, columns: dict[str, np.ndarray], *, fast: bool = True) -> np.ndarray:
    """Return the muscles' forces of a model in a motion, through the laboratory's verb."""
    folder.mkdir()
    (folder / "model.osim").write_text(text)
    table = Table(tuple(columns), TIME_S, np.column_stack(list(columns.values())), False, "motion")
    write_storage(folder / "motion.mot", table)
    trials = (TrialFiles("motion", folder / "motion.mot", None, 0.5, 1.0),)
    analyse_trials(LaboratoryTrials(folder / "model.osim", trials), folder / "out", fast=fast)
    return read_storage(folder / "out" / "muscle_forces.sto").values


def test_muscles_do_the_work_whatever_moves_them(tmp_path):
    """The same movement, described by a joint's angle and by a ghost's, takes the same forces."""
    plain = forces(tmp_path / "joint", BY_A_JOINT, {"a": FLEXION, "b": FLEXION})
    ghost = forces(tmp_path / "ghost", BY_A_GHOST, {"bend": 2 * FLEXION, "a": FLEXION, "b": FLEXION})
    assert plain.max() > 40.0
    # Reserves differ: 1 N m along the ghost's angle is 0.5 N m along the joint's.
    np.testing.assert_allclose(ghost, plain, atol=0.02 * plain.max())


def test_a_driver_is_spanned_where_any_that_follows_is(tmp_path):
    (tmp_path / "m.osim").write_text(BY_A_GHOST)
    facts = {fact.name: fact for fact in coordinate_facts(read_model_tree(tmp_path / "m.osim"))}
    assert {name: fact.is_free for name, fact in facts.items()} == {"a": False, "b": False, "bend": True}
    assert facts["bend"].spanned_by_muscle and role(facts["bend"]) == "reserve"


def test_a_coupler_that_is_not_enforced_moves_nothing(tmp_path):
    off = "<isEnforced>false</isEnforced>"
    (tmp_path / "m.osim").write_text(model(*GHOST, coupler("a", "bend", 0.5, off)))
    facts = {fact.name: fact for fact in coordinate_facts(read_model_tree(tmp_path / "m.osim"))}
    assert facts["a"].is_free and not facts["bend"].spanned_by_muscle


@pytest.mark.parametrize("fast", [True, False])
def test_a_model_without_mass_is_said_to_be_so(tmp_path, fast):
    text = BY_A_JOINT.replace("<mass>1</mass>", "<mass>0</mass>")
    with pytest.raises(InputError, match="the model has no mass"):
        forces(tmp_path / "light", text, {"a": FLEXION, "b": FLEXION}, fast=fast)
