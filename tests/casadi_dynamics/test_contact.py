"""The contact law where it can be written down by hand; test_verify compares with OpenSim's answers."""

import numpy as np
import pytest

from casadi_dynamics.osim import read_model
from casadi_dynamics.symbolic import build

RADIUS, STATIC, DYNAMIC, VISCOUS, TRANSITION = 0.05, 0.9, 0.6, 0.3, 0.2
STIFFNESS, DISSIPATION = 1e6, 1.5

CONTACT = f"""
<ContactGeometrySet><objects>
<ContactSphere name="ball"><socket_frame>/bodyset/rod</socket_frame><radius>{RADIUS}</radius></ContactSphere>
<ContactHalfSpace name="floor"><socket_frame>/ground</socket_frame>
<orientation>0 0 -1.5707963267948966</orientation></ContactHalfSpace>
</objects></ContactGeometrySet>
<ForceSet><objects><SmoothSphereHalfSpaceForce name="touch">
<socket_sphere>/contactgeometryset/ball</socket_sphere>
<socket_half_space>/contactgeometryset/floor</socket_half_space>
<stiffness>{STIFFNESS}</stiffness><dissipation>{DISSIPATION}</dissipation>
<static_friction>{STATIC}</static_friction><dynamic_friction>{DYNAMIC}</dynamic_friction>
<viscous_friction>{VISCOUS}</viscous_friction><transition_velocity>{TRANSITION}</transition_velocity>
</SmoothSphereHalfSpaceForce></objects></ForceSet>
"""


@pytest.fixture(scope="module")
def ball(osim, tmp_path_factory):
    """Give the contact force on a ball that slides without turning, as a function of depth and velocity."""
    linear = "<LinearFunction/>"
    transform = osim.spatial_transform(
        translation1=("x", "1 0 0", linear),
        translation2=("y", "0 1 0", linear),
        translation3=("z", "0 0 1", linear),
    )
    joint = (
        '<CustomJoint name="root"><socket_parent_frame>/ground</socket_parent_frame>'
        "<socket_child_frame>/bodyset/rod</socket_child_frame>"
        f"{osim.coordinates('x', 'y', 'z')}{transform}</CustomJoint>"
    )
    path = tmp_path_factory.mktemp("ball") / "ball.osim"
    path.write_text(osim.document(joints=joint, more=CONTACT))
    functions = build(read_model(path))

    def force(depth, velocity):
        q = (0.0, RADIUS - depth, 0.0)
        outputs = functions.contact(q=q, u=velocity, parameters=functions.parameters)
        return np.array(outputs["force"]).ravel(), np.array(outputs["moment"]).ravel()

    return force


def test_a_ball_at_rest_feels_hertz(ball):
    force, moment = ball(0.02, (0, 0, 0))
    modulus = 0.5 * STIFFNESS ** (2 / 3)
    np.testing.assert_allclose(
        force, (0, 4 / 3 * modulus * np.sqrt(RADIUS * modulus) * 0.02**1.5, 0), rtol=0.02
    )
    np.testing.assert_allclose(moment, 0, atol=1e-12)


def test_sinking_adds_hunt_and_crossleys_damping_and_parting_takes_it_away(ball):
    rest = ball(0.02, (0, 0, 0))[0][1]
    assert ball(0.02, (0, -0.3, 0))[0][1] == pytest.approx(rest * (1 + 1.5 * DISSIPATION * 0.3), rel=1e-6)
    assert ball(0.02, (0, 0.3, 0))[0][1] == pytest.approx(rest * (1 - 1.5 * DISSIPATION * 0.3), rel=1e-4)


def test_nothing_pulls_in_the_air(ball):
    assert 0 <= ball(-0.05, (1.0, 0, 0))[0][1] < 1e-6


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 0, -1), (0.6, 0, 0.8)])
def test_friction_has_its_peak_at_the_transition_velocity_and_then_falls(ball, direction):
    direction = np.array(direction, float)

    def coefficient(speed):
        force, _ = ball(0.02, speed * direction)
        np.testing.assert_allclose(
            np.cross(force * (1, 0, 1), direction), 0, atol=1e-9
        )  # against the sliding
        return -force @ direction / force[1]

    # The smoothing adds 1e-5 m^2/s^2 to the squared speed.
    assert coefficient(TRANSITION) == pytest.approx(STATIC + VISCOUS * TRANSITION, rel=1e-3)
    fast = 100 * TRANSITION
    assert coefficient(fast) == pytest.approx(DYNAMIC + VISCOUS * fast, rel=1e-3)
    assert coefficient(TRANSITION / 2) < coefficient(TRANSITION)
    assert coefficient(0) == 0


def test_friction_turns_the_ball_about_its_centre(ball):
    force, moment = ball(0.02, (0.5, 0, 0))
    # It acts half of the depth above the lowest point of the ball.
    np.testing.assert_allclose(moment, np.cross((0, -RADIUS + 0.01, 0), force), rtol=1e-12, atol=1e-12)
