import numpy as np
import pytest
import torch

from sspinn_opensim.training.motion import Decoder, RawMotion, differentiate, standing_height
from sspinn_opensim.training.subject import make_subject


@pytest.fixture(scope="module")
def decoder(walker):
    return Decoder(walker.subject, walker.signals.speed_m_s)


def raw_of(subject, q, u) -> RawMotion:
    """Return what a network would have to say for a motion (frames, n), in double precision."""
    roles = subject.roles

    def pick(values, columns):
        return torch.tensor(values[None][..., list(columns)])

    zeros = torch.zeros(1, len(q), 1)
    told = (pick(q, roles.posture), pick(u, roles.steps), pick(q, [roles.vertical]))
    return RawMotion(*told, zeros[..., :0], zeros, zeros)


def test_differentiate_follows_an_analytic_motion(walker, make_motion):
    """Central differences of a sine at w are exact but for (w h)^2 / 6 and / 12 of the amplitude."""
    step_s = 1e-3
    q, u, udot = make_motion(walker.model, np.arange(200) * step_s)
    motion = differentiate(raw_of(walker.subject, q, u), walker.subject, step_s)
    forward = walker.subject.roles.forward
    assert (motion.q[..., forward] == 0).all()
    q[:, forward] = 0
    error = (2 * np.pi * step_s) ** 2 / 6
    for found, true in zip((motion.q, motion.u, motion.udot), (q, u, udot), strict=True):
        bound = 1.01 * error * np.abs(true).max(0) + 1e-9
        assert (np.abs(found.numpy()[0] - true[1:-1]) <= bound).all()


def test_the_error_of_the_differences_is_of_second_order(walker, make_motion):
    def error(step_s):
        q, u, udot = make_motion(walker.model, np.arange(round(0.5 / step_s)) * step_s)
        found = differentiate(raw_of(walker.subject, q, u), walker.subject, step_s).udot.numpy()[0]
        return np.abs(found - udot[1:-1]).max()

    assert error(0.01) / error(0.005) == pytest.approx(4.0, rel=0.02)


def test_fixed_coordinates_keep_their_value(walker):
    subject = make_subject(walker.model, walker.recording, {"lumbar_extension": 0.2}, height_m=1.8)
    decoder = Decoder(subject, None)
    motion = differentiate(decoder(torch.randn(2, 9, decoder.size)), subject, 0.01)
    index = walker.model.coordinate_names.index("lumbar_extension")
    assert (motion.q[..., index] == torch.tensor(0.2)).all()
    assert (motion.u[..., index] == 0).all() and (motion.udot[..., index] == 0).all()


def test_shapes_of_the_decoder(decoder):
    raw = decoder(torch.randn(2, 5, decoder.size))
    assert (
        raw.posture.shape == (2, 5, 8) and raw.velocity.shape == (2, 5, 2) and raw.height.shape == (2, 5, 1)
    )
    assert raw.yaw_rate.shape == (2, 5, 0), "in the plane nothing turns"
    assert raw.force.shape == (2, 5, 4, 3) and raw.torque.shape == (2, 5, 7)
    assert decoder.size == 8 + 2 + 1 + 8 + 7


def test_the_floor_only_pushes_and_only_in_the_plane(decoder):
    raw = decoder(20 * torch.randn(400, decoder.size))
    assert (raw.force[..., 1] >= 0).all() and (raw.force[..., 1] > 0).any()
    assert (raw.force[..., 0] < 0).any() and (raw.force[..., 0] > 0).any()
    assert (raw.force[..., 2] == 0).all()


def test_an_output_of_zero_stands_on_the_floor(walker, decoder):
    subject, raw = walker.subject, decoder(torch.zeros(1, decoder.size))
    defaults = [walker.model.coordinates[i].default for i in subject.roles.posture]
    np.testing.assert_allclose(raw.posture[0], defaults)
    np.testing.assert_allclose(raw.height[0], [standing_height(subject)], rtol=1e-6)
    np.testing.assert_allclose(raw.velocity[0], [walker.signals.speed_m_s, 0.0])
    np.testing.assert_allclose(raw.force[0, :, 1] / subject.body_weight, 0.1, atol=0.001)
    assert (raw.force[0, :, 0] == 0).all() and (raw.torque == 0).all()


def test_each_output_moves_one_segment(walker, decoder):
    """An output turns its own segment and leaves the others: the joints above and below take it up."""
    one = torch.zeros(8, decoder.size)
    one[:, :8] = torch.eye(8)
    turned = (decoder(one).posture - decoder(torch.zeros(1, decoder.size)).posture).numpy()
    from_map = Decoder.ANGLE_RAD * walker.subject.segment_map().T
    np.testing.assert_allclose(turned, from_map, atol=1e-6)


def test_outputs_are_given_another_posture(walker, decoder):
    generator = torch.Generator().manual_seed(3)
    raw = torch.randn(4, decoder.size, generator=generator)
    posture = torch.randn(4, len(walker.subject.roles.posture), generator=generator)
    before, after = decoder(raw), decoder(decoder.with_posture(raw, posture))
    torch.testing.assert_close(after.posture, posture)
    for name in ("velocity", "height", "force", "torque"):
        assert torch.equal(getattr(after, name), getattr(before, name)), name
