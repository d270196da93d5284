"""The strength of muscles against OpenSim's `calcInextensibleTendonActiveFiberForce`."""

import dataclasses

import numpy as np
import pytest

import osim_models
from casadi_dynamics.errors import InputError
from sspinn_opensim.muscles.capacity import Capacity
from sspinn_opensim.muscles.curves import force_curves
from sspinn_opensim.opensim_io.model.muscle_laws import (
    DeGrooteFreglyCurves,
    MillardCurves,
    ThelenCurves,
    read_actuators,
    read_muscle_laws,
)

#: Muscles of every class, plain and with other curves, each along a slide of its own length.
SCRIPT = """
import json, os, sys
import opensim
opensim.Logger.setLevelString("Off")
model = opensim.Model()
ball = opensim.Body("ball", 1, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
model.addBody(ball)
slide = opensim.SliderJoint("slide", model.getGround(), ball)
slide.updCoordinate().setName("x")
model.addJoint(slide)
def add(kind, name, **properties):
    muscle = getattr(opensim, kind)()
    muscle.setName(name)
    muscle.set_max_isometric_force(800)
    muscle.set_optimal_fiber_length(0.1)
    muscle.set_tendon_slack_length(0.2)
    muscle.set_pennation_angle_at_optimal(properties.pop("oblique", 0.0))
    for key, value in properties.items():
        owner = muscle
        for part in key.split("__")[:-1]:
            owner = getattr(owner, f"upd_{part}")()
        getattr(owner, f"set_{key.split('__')[-1]}")(value)
    muscle.addNewPathPoint("a", model.getGround(), opensim.Vec3(0))
    muscle.addNewPathPoint("b", ball, opensim.Vec3(0))
    model.addForce(muscle)
add("Thelen2003Muscle", "thelen")
add("Thelen2003Muscle", "thelen_other", oblique=0.6, KshapeActive=0.6, Af=0.3, Flen=1.8,
    fv_linear_extrap_threshold=0.9, max_contraction_velocity=6.0, maximum_pennation_angle=1.2)
add("Millard2012EquilibriumMuscle", "millard")
add("Millard2012EquilibriumMuscle", "millard_other", oblique=0.6,
    ActiveForceLengthCurve__min_norm_active_fiber_length=0.3,
    ActiveForceLengthCurve__transition_norm_fiber_length=0.77,
    ActiveForceLengthCurve__max_norm_active_fiber_length=1.9,
    ActiveForceLengthCurve__shallow_ascending_slope=0.7, ActiveForceLengthCurve__minimum_value=0.0,
    ForceVelocityCurve__concentric_slope_near_vmax=0.2, ForceVelocityCurve__concentric_slope_at_vmax=0.1,
    ForceVelocityCurve__isometric_slope=4.0, ForceVelocityCurve__eccentric_slope_at_vmax=0.05,
    ForceVelocityCurve__max_eccentric_velocity_force_multiplier=1.6,
    ForceVelocityCurve__concentric_curviness=0.4, ForceVelocityCurve__eccentric_curviness=0.7)
add("DeGrooteFregly2016Muscle", "de_groote")
add("DeGrooteFregly2016Muscle", "de_groote_other", oblique=0.6, active_force_width_scale=1.3)
model.finalizeConnections()
model.printToXML(sys.argv[1])
state = model.initSystem()
coordinate, muscles = model.getCoordinateSet().get(0), model.getMuscles()
length = [0.19 + 0.004 * k for k in range(70)]
speed = [-1.5 + 0.11 * k for k in range(28)]
found = []
for x in length:
    for v in speed:
        coordinate.setValue(state, x)
        coordinate.setSpeedValue(state, v)
        model.realizeVelocity(state)
        found.append([muscles.get(i).calcInextensibleTendonActiveFiberForce(state, 1.0) for i in range(6)])
print(json.dumps({"length": length, "speed": speed, "force": found}))
sys.stdout.flush()
os._exit(0)
"""


def test_every_class_is_as_strong_as_in_opensim(in_opensim, tmp_path):
    found = in_opensim(SCRIPT, tmp_path / "muscles.osim")
    laws = read_muscle_laws(tmp_path / "muscles.osim")
    length, speed = np.meshgrid(found["length"], found["speed"], indexing="ij")
    ours = Capacity(laws)(*(np.repeat(x.reshape(-1, 1), len(laws), axis=1) for x in (length, speed)))
    expected = np.array(found["force"])
    assert [law.name for law in laws][::2] == ["thelen", "millard", "de_groote"]
    # both ends of the range are covered: fibres of no length, lengthening and shortening fast
    assert (expected == 0).any(axis=0)[:4].all() and (expected > 0.9 * 800).any(axis=0).all()
    # Millard's curves are tables here; OpenSim inverts Thelen's force-velocity relation to 1e-6.
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6 * 800)


def test_without_physiology_a_muscle_gives_its_maximal_isometric_force():
    laws = read_muscle_laws(osim_models.path("planar_gait"))
    strong = Capacity(laws, physiology=False)(np.full((3, 18), 0.3), np.full((3, 18), -9.0))
    np.testing.assert_array_equal(strong, np.tile([law.max_isometric_force for law in laws], (3, 1)))


def test_a_class_without_known_curves_is_refused_by_name():
    law = dataclasses.replace(read_muscle_laws(osim_models.path("planar_gait"))[0], curves=None)
    with pytest.raises(InputError, match="hamstrings_r") as refused:
        Capacity([law])
    assert "physiology = false" in refused.value.fix
    assert Capacity([law], physiology=False)(np.zeros((1, 1)), np.zeros((1, 1)))[0, 0] > 0


@pytest.mark.parametrize("law", [ThelenCurves(), MillardCurves(), DeGrooteFreglyCurves()])
def test_curves_have_the_shape_of_muscle(law):
    over_length, over_velocity = force_curves(law)
    at = np.linspace(0.3, 1.9, 1601)
    strongest = at[np.argmax(over_length(at))]
    # De Groote's sum of bells is highest a little beyond the optimal length and off 1 there by 0.2 %.
    assert abs(strongest - 1) < 0.04 and over_length(at).max() == pytest.approx(1, abs=3e-3)
    v = np.linspace(-1, 1, 401)
    assert (np.diff(over_velocity(v)) >= 0).all()
    assert over_velocity(np.array([0.0, -1.0])) == pytest.approx([1, 0], abs=0.02)


def test_muscles_that_do_not_act_are_left_out(tmp_path):
    text = osim_models.path("planar_gait").read_text()
    mark = '<Millard2012EquilibriumMuscle name="soleus_r">'
    (tmp_path / "model.osim").write_text(text.replace(mark, mark + "<appliesForce>false</appliesForce>"))
    names = [law.name for law in read_muscle_laws(tmp_path / "model.osim")]
    assert len(names) == 17 and "soleus_r" not in names and "soleus_l" in names


def test_defaults_of_the_model_file_count(tmp_path):
    text = osim_models.path("planar_gait").read_text()
    wider = (
        "<defaults><Millard2012EquilibriumMuscle name='default'><max_control>0.7</max_control>"
        "<min_control>0.2</min_control></Millard2012EquilibriumMuscle></defaults>"
    )
    start = text.index(">", text.index("<Model ")) + 1
    (tmp_path / "model.osim").write_text(text[:start] + wider + text[start:])
    law = read_muscle_laws(tmp_path / "model.osim")[0]
    assert (law.min_control, law.max_control) == (0.2, 0.7)


def test_a_value_that_is_no_number_is_one_error(tmp_path):
    text = osim_models.path("planar_gait").read_text()
    broken = text.replace("<max_isometric_force>", "<max_isometric_force>strong ", 1)
    (tmp_path / "model.osim").write_text(broken)
    with pytest.raises(InputError, match="max_isometric_force"):
        read_muscle_laws(tmp_path / "model.osim")


def test_actuators_are_those_of_the_model_and_of_the_added_files(tmp_path):
    added = tmp_path / "added.xml"
    entry = "<{0} name='{1}'><coordinate>knee_angle_r</coordinate><optimal_force>7</optimal_force></{0}>"
    wrapper = "<OpenSimDocument Version='40600'><ForceSet><objects>{}</objects></ForceSet></OpenSimDocument>"
    added.write_text(wrapper.format(entry.format("CoordinateActuator", "extra")))
    found = {a.name: a for a in read_actuators(osim_models.path("planar_gait"), [added])}
    assert found["extra"].optimal_force == 7 and found["extra"].max_control == np.inf
    assert found["lumbar_extension_torque"].coordinate == "lumbar_extension"
    added.write_text(wrapper.format(entry.format("TorqueActuator", "twist")))
    with pytest.raises(InputError, match="twist"):
        read_actuators(osim_models.path("planar_gait"), [added])
