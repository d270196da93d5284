"""Segments and sides in names of many makers."""

import pytest

from sspinn_opensim.anatomy import joint_of_leg, other_side, segment_of, side_of, without_side


@pytest.mark.parametrize(
    ("name", "side", "base", "other"),
    [
        ("calcn_r", "r", "calcn", "calcn_l"),
        ("soleus_L", "l", "soleus", "soleus_R"),
        ("R_soleus", "r", "soleus", "L_soleus"),
        ("R_hip_ext", "r", "hip_ext", "L_hip_ext"),
        ("RightFoot", "r", "RightFoot", "LeftFoot"),
        ("foot_left", "l", "foot_left", "foot_right"),
        ("ground.l.vx", "l", "ground.l.vx", "ground.r.vx"),
        ("LEFT_THIGH", "l", "LEFT_THIGH", "RIGHT_THIGH"),
        ("pelvis", "", "pelvis", "pelvis"),
        ("rectus_femoris", "", "rectus_femoris", "rectus_femoris"),
        ("foot_r_left", "", "foot_r_left", "foot_l_right"),
    ],
)
def test_sides_are_read_from_names(name, side, base, other):
    assert side_of(name) == side
    assert without_side(name) == (base, side if base != name else "")
    assert other_side(name) == other and other_side(other) == name


def test_bones_beside_belong_to_their_segment_only_where_asked():
    assert segment_of("patella_r") is None and segment_of("fibula_l") is None
    assert segment_of("patella_r", beside=True) == ("thigh", "right")
    assert segment_of("fibula_l", beside=True) == ("shank", "left")


@pytest.mark.parametrize(
    ("child", "parent", "joint"),
    [
        ("femur_r", "pelvis", "hip_r"),
        ("LeftShank", "LeftThigh", "knee_l"),
        ("talus_r", "tibia_r", "ankle_r"),
        ("calcn_r", "talus_r", ""),
        ("patella_r", "femur_r", ""),
        ("torso", "pelvis", ""),
        ("foot", "shank", "ankle"),
        ("imu7", "pelvis", ""),
    ],
)
def test_joints_of_the_leg_lie_between_segments(child, parent, joint):
    assert joint_of_leg(child, parent) == joint
