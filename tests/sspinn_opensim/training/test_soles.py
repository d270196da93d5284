"""Contact points under a foot."""

from sspinn_opensim.training.soles import farthest_on_foot


def test_the_farthest_point_is_on_the_same_foot():
    feet = ("r", "r", "r", "l", "l", "one")
    along = (-0.05, 0.10, 0.16, 0.16, -0.05, 9.0)
    side = (0.1, 0.1, 0.1, -0.1, -0.1, 0.0)
    places = [(x, 0.0, z) for x, z in zip(along, side, strict=True)]
    assert farthest_on_foot(feet, places) == (2, 0, 0, 4, 3, 5)
