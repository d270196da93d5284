"""The numbers behind the planar gait model, each with the source it was taken from.

Every row carries a `source`, a key of `SOURCES`. Lengths are in metres, masses in kg, angles in rad,
forces in N. Rows in the frames of a source model keep that model's values; `osim_models.geometry` maps
them to the frames of our bodies, so nothing here was re-based by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Height of the person the generic model stands for, m.
GENERIC_HEIGHT_M = 1.80
#: Mass of the person the generic model stands for, kg.
GENERIC_MASS_KG = 75.0

SOURCES = {
    "winter": (
        "Winter DA (2009) Biomechanics and Motor Control of Human Movement, 4th ed., Wiley, table 4.1 "
        "and figure 4.1: segment masses, mass centres, radii of gyration and lengths in proportion to "
        "body mass and height."
    ),
    "delp1990": (
        "Delp SL, Loan JP, Hoy MG, Zajac FE, Topp EL, Rosen JM (1990) An interactive graphics-based "
        "model of the lower extremity to study orthopaedic surgical procedures. IEEE Trans Biomed Eng "
        "37:757-767; values of its OpenSim form gait2392, an unscaled subject of about 1.80 m and 75.16 "
        "kg."
    ),
    "rajagopal2016": (
        "Rajagopal A, Dembia CL, DeMers MS, Delp DD, Hicks JL, Delp SL (2016) Full-body musculoskeletal "
        "model for muscle-driven simulation of human gait. IEEE Trans Biomed Eng 63:2068-2079; a subject"
        " of 1.70 m and 75 kg, fibre lengths after Arnold et al. (2010), forces after Handsfield et al. "
        "(2014)."
    ),
    "lai2017": (
        "Lai AKM, Arnold AS, Wakeling JM (2017) Why are antagonist muscles co-activated in my "
        "simulation? Ann Biomed Eng 45:2762-2774, and Uhlrich SD, Jackson RW, Seth A, Kolesar JA, Delp "
        "SL (2022) Sci Rep 12:9842: muscle parameters of the Rajagopal model revised for deep knee "
        "flexion. Normalized fibre lengths: that model upright with all joint angles zero, tendon at its"
        " slack length, OpenSim 4.6."
    ),
    "millard2013": (
        "Millard M, Uchida T, Seth A, Delp SL (2013) Flexing computational muscle: modeling and "
        "simulation of musculotendon dynamics. J Biomech Eng 135:021005; defaults of OpenSim's "
        "Millard2012EquilibriumMuscle."
    ),
    "moco": (
        "Dembia CL, Bianco NA, Falisse A, Hicks JL, Delp SL (2020) OpenSim Moco: musculoskeletal optimal"
        " control. PLoS Comput Biol 16:e1008493; contact settings of its planar walking example, which "
        "follow Falisse A et al. (2019) J R Soc Interface 16:20190402 and Serrancoli G et al. (2019) "
        "IEEE Trans Neural Syst Rehabil Eng 27:1655-1662."
    ),
    "sphere": (
        "Choice of this project: one radius for heel and ball, about that of the spheres of Falisse et "
        "al. (2019)."
    ),
    "dorschky2019": (
        "Dorschky E, Nitschke M, Seifer AK, van den Bogert AJ, Eskofier BM (2019) Estimation of gait "
        "kinematics and kinetics from inertial sensor data using optimal control of musculoskeletal "
        "models. J Biomech 95:109278; measured sensor places of participant P01, 1.73 m tall."
    ),
    "gait2d": (
        "van den Bogert AJ, Hupperets M, Schlarb H, Krabbe B (2012) Predictive musculoskeletal "
        "simulation using optimal control. Proc IMechE P 226:123-133; the foot of its planar model, "
        "whose heel lies 0.06 m behind and whose sole lies 0.07 m below the ankle."
    ),
    "foot": (
        "Choice of this project: the mass centre half-way between ankle and sole; the front contact "
        "point under the ball of the foot, where the load rolls off, as a rigid foot has no toes."
    ),
    "push_off": (
        "Choice of this project. The published models have 10 optimal fibre lengths a second. Static "
        "optimization takes tendons as inextensible, so the recoil of the Achilles tendon falls to the "
        "fibres; at 10 they have almost no force left at the push-off of running at 3.5 m/s."
    ),
    "gait": (
        "Choice of this project: ranges that hold the mean curves of walking and running up to 5 m/s "
        "with a margin; not clamped, so they bind nobody."
    ),
    "drawing": "Choice of this project for the figure on the screen; without mechanical effect.",
    "actuator": "Choice of this project: unit of the control of the only actuator that is not a muscle.",
}


@dataclass(frozen=True)
class SegmentProportions:
    """Proportions of a segment (`mass` of body mass, `length` of height, the rest of segment length)."""

    name: str
    mass: float
    length: float
    mass_center: float
    gyration: float
    source: str


#: Head, arms and trunk measured upwards from the hips, the others from the proximal joint downwards
#: (the foot forwards; its mass centre has a row of its own).
SEGMENTS = {
    "hat": SegmentProportions("hat", 0.678, 0.28, 0.626, 0.496, "winter"),
    "thigh": SegmentProportions("thigh", 0.1, 0.245, 0.433, 0.323, "winter"),
    "shank": SegmentProportions("shank", 0.0465, 0.246, 0.433, 0.302, "winter"),
    "foot": SegmentProportions("foot", 0.0145, 0.152, 0.5, 0.475, "winter"),
}


@dataclass(frozen=True)
class Number:
    """One number and where it comes from."""

    value: float
    source: str


#: Share of the pelvis in body mass; the rest of the head, arms and trunk is the torso.
PELVIS_MASS = Number(0.142, "winter")


@dataclass(frozen=True)
class SourceBody:
    """Mass properties of a body of a source model; `inertia` about its mass centre, axes x, y, z, kg m^2."""

    name: str
    mass: float
    inertia: tuple[float, float, float]
    source: str


#: Shapes of bodies: the pelvis takes its radii of gyration from here; the others only the ratios of the
#: moments about x and y to the one about z, which comes from `SEGMENTS`.
SHAPES = {
    "pelvis": SourceBody("pelvis", 11.777, (0.1028, 0.0871, 0.0579), "delp1990"),
    "torso": SourceBody("torso", 34.2366, (1.4745, 0.7555, 1.4314), "delp1990"),
    "thigh": SourceBody("femur", 9.3014, (0.1339, 0.0351, 0.1412), "delp1990"),
    "shank": SourceBody("tibia", 3.7075, (0.0504, 0.0051, 0.0511), "delp1990"),
    "foot": SourceBody("calcn", 1.25, (0.0014, 0.0039, 0.0041), "delp1990"),
}


@dataclass(frozen=True)
class SourcePoint:
    """A point (m) in the frame of `body` of a person of height `height_m`."""

    name: str
    body: str
    position: tuple[float, float, float]
    height_m: float
    source: str


#: The hips lie this far to each side of the origin of our pelvis (rounded; plane motion does not feel it).
HIP_HALF_DISTANCE = Number(0.08, "delp1990")

#: Points of gait2392 in its own frames. The hip joint is the origin of our pelvis.
DELP_HEIGHT_M = 1.80
DELP_PLACES = {
    place.name: place
    for place in (
        SourcePoint("hip", "pelvis", (-0.0707, -0.0661, 0.0835), DELP_HEIGHT_M, "delp1990"),
        SourcePoint("lumbar", "pelvis", (-0.1007, 0.0815, 0.0), DELP_HEIGHT_M, "delp1990"),
        SourcePoint("pelvis_mass_center", "pelvis", (-0.0707, 0.0, 0.0), DELP_HEIGHT_M, "delp1990"),
        SourcePoint("ankle", "tibia", (0.0, -0.43, 0.0), DELP_HEIGHT_M, "delp1990"),
        SourcePoint("calcn", "talus", (-0.04877, -0.04195, 0.00792), DELP_HEIGHT_M, "delp1990"),
    )
}

#: Knee of gait2392: knee angle (rad, flexion negative), place of the tibia's origin in the femur (x, y, m).
DELP_KNEE = (
    (0.0, -0.00450, -0.39582),
    (-0.25, -0.00222, -0.39699),
    (-0.5, 0.00055, -0.39878),
    (-0.75, 0.00249, -0.40144),
    (-1.0, 0.00393, -0.40480),
    (-1.25, 0.00438, -0.40865),
    (-1.5, 0.00368, -0.41280),
    (-1.75, 0.00174, -0.41702),
    (-2.0, -0.00157, -0.42112),
)
DELP_KNEE_SOURCE = "delp1990"

#: Height of the person of the Rajagopal and Lai models, m.
RAJAGOPAL_HEIGHT_M = 1.70
RAJAGOPAL_PLACES = {
    place.name: place
    for place in (
        SourcePoint("knee", "tibia", (-0.0080895, -0.0035348, 0.0), RAJAGOPAL_HEIGHT_M, "rajagopal2016"),
        SourcePoint("ankle", "tibia", (-0.01, -0.40, 0.0), RAJAGOPAL_HEIGHT_M, "rajagopal2016"),
        SourcePoint(
            "patellar_ligament", "tibia", (0.03257, -0.0632, 0.00043), RAJAGOPAL_HEIGHT_M, "rajagopal2016"
        ),
    )
}

#: The foot at the generic height: its length runs from the heel, behind the ankle, to the tip.
FOOT_MASS_CENTER_BELOW_ANKLE = Number(0.035, "foot")
HEEL_BEHIND_ANKLE = Number(0.06, "gait2d")
SOLE_BELOW_ANKLE = Number(0.07, "gait2d")
#: The front contact point lies at this share of the foot's length from the heel: the ball, not the toe tip.
BALL_OF_FOOT = Number(0.85, "foot")


@dataclass(frozen=True)
class MuscleMember:
    """A published muscle, one of those lumped into one of ours.

    `arm_ratio` is its moment arm upright in proportion to that of the member whose path ours follows. It is
    given where the arms differ by more than a tenth and the two cross the same single joint.
    """

    name: str
    max_isometric_force: float
    optimal_fiber_length: float
    pennation_angle_at_optimal: float
    normalized_fiber_length_upright: float
    height_m: float
    source: str
    arm_ratio: float = 1.0


def _lai(
    name: str, force: float, fiber: float, pennation: float, normalized: float, arm_ratio: float = 1.0
) -> MuscleMember:
    return MuscleMember(name, force, fiber, pennation, normalized, RAJAGOPAL_HEIGHT_M, "lai2017", arm_ratio)


MUSCLES = {
    "hamstrings": (
        _lai("semimem", 2201.0, 0.0860, 0.2546, 0.943),
        _lai("semiten", 591.3, 0.1930, 0.2413, 1.107),
        _lai("bflh", 1313.2, 0.0976, 0.1759, 0.929),
    ),
    "bifemsh": (_lai("bfsh", 557.1, 0.1103, 0.2642, 1.155),),
    "glut_max": (
        _lai("glmax1", 983.8, 0.1470, 0.3540, 0.789),
        _lai("glmax2", 1406.0, 0.1570, 0.3674, 0.784),
        _lai("glmax3", 947.8, 0.1670, 0.3824, 0.788),
    ),
    "iliopsoas": (
        _lai("psoas", 1426.8, 0.1169, 0.2155, 1.126),
        _lai("iliacus", 1021.1, 0.1066, 0.2799, 1.083),
        # adductors that flex the hip; ratio to the mean arm of the two above
        _lai("addlong", 916.8, 0.1082, 0.1378, 1.046, arm_ratio=1.670),
        _lai("addbrev", 625.8, 0.1031, 0.1148, 1.023, arm_ratio=1.123),
    ),
    # The long fibres of the older model: the revised ones leave the active range in early swing.
    "rect_fem": (MuscleMember("rect_fem", 1169.0, 0.1140, 0.08726646, 0.884, DELP_HEIGHT_M, "delp1990"),),
    "vasti": (
        _lai("vasint", 1697.4, 0.1170, 0.0631, 0.667),
        _lai("vaslat", 5148.8, 0.1170, 0.2529, 0.690),
        _lai("vasmed", 2747.8, 0.1100, 0.4222, 0.703),
    ),
    "gastroc": (
        _lai("gasmed", 3115.5, 0.0590, 0.1657, 1.114),
        _lai("gaslat", 1575.1, 0.0690, 0.2102, 1.083),
    ),
    "soleus": (
        _lai("soleus", 6194.8, 0.0440, 0.3814, 1.014),
        _lai("tibpost", 1730.2, 0.0378, 0.2265, 1.057, arm_ratio=0.215),
        _lai("fdl", 423.2, 0.0446, 0.2248, 1.038, arm_ratio=0.186),
        _lai("fhl", 907.8, 0.0527, 0.2580, 0.990, arm_ratio=0.331),
        _lai("perbrev", 521.2, 0.0454, 0.2052, 1.080, arm_ratio=0.145),
        _lai("perlong", 1115.4, 0.0508, 0.2480, 1.086, arm_ratio=0.217),
    ),
    "tib_ant": (
        _lai("tibant", 1227.5, 0.0683, 0.1952, 0.977),
        _lai("edl", 603.5, 0.0693, 0.2183, 1.011, arm_ratio=0.847),
        _lai("ehl", 285.9, 0.0748, 0.1973, 1.057),
    ),
}

#: Properties that all muscles share (optimal fibre lengths/s, s, s, unitless).
MUSCLE_DYNAMICS = {
    "max_contraction_velocity": Number(15.0, "push_off"),
    "activation_time_constant": Number(0.01, "millard2013"),
    "deactivation_time_constant": Number(0.04, "millard2013"),
    "minimum_activation": Number(0.01, "millard2013"),
    "fiber_damping": Number(0.1, "millard2013"),
}


@dataclass(frozen=True)
class SourcePathPoint:
    """A point of a muscle's path in a source model's frame, or, if `fitted`, one that `ARMS` decides."""

    body: str
    position: tuple[float, float, float]
    source: str
    fitted: str = ""


def _delp(body: str, x: float, y: float, z: float) -> SourcePathPoint:
    return SourcePathPoint(body, (x, y, z), "delp1990")


#: The bony pulley of the knee extensors and the ligament's end, one row for rectus femoris and the vasti.
_PATELLA = SourcePathPoint("femur", (0.0, 0.0, 0.0), "delp1990", fitted="patella")
_LIGAMENT = SourcePathPoint("tibia", RAJAGOPAL_PLACES["patellar_ligament"].position, "rajagopal2016")

#: Paths from origin to insertion. A lumped muscle takes the line of its middle member: long head of
#: biceps femoris, middle gluteus maximus, psoas, vastus intermedius, medial gastrocnemius, tibialis anterior.
PATHS = {
    "hamstrings": (
        _delp("pelvis", -0.12596, -0.10257, 0.06944),
        SourcePathPoint("tibia", (0.0, 0.0, 0.0343), "delp1990", fitted="hamstring_insertion"),
    ),
    "bifemsh": (
        _delp("femur", 0.0050, -0.2111, 0.0234),
        _delp("tibia", -0.0301, -0.0360, 0.02943),
        _delp("tibia", -0.0234, -0.0563, 0.0343),
    ),
    "glut_max": (
        _delp("pelvis", -0.1349, 0.0176, 0.0563),
        _delp("pelvis", -0.1376, -0.0520, 0.0914),
        _delp("femur", -0.0426, -0.0530, 0.0293),
        _delp("femur", -0.0156, -0.1016, 0.0419),
    ),
    "iliopsoas": (
        _delp("pelvis", -0.0647, 0.0887, 0.0289),
        SourcePathPoint("pelvis", (0.0, 0.0, 0.0759), "delp1990", fitted="pelvic_brim"),
        _delp("femur", -0.0188, -0.0597, 0.0104),
    ),
    "rect_fem": (_delp("pelvis", -0.0295, -0.0311, 0.0968), _PATELLA, _LIGAMENT),
    "vasti": (
        _delp("femur", 0.0290, -0.1924, 0.0310),
        _delp("femur", 0.0335, -0.2084, 0.0285),
        _PATELLA,
        _LIGAMENT,
    ),
    "gastroc": (
        SourcePathPoint("femur", (0.0, 0.0, -0.0235), "delp1990", fitted="femoral_condyle"),
        _delp("calcn", 0.0, 0.0310, -0.0053),
    ),
    "soleus": (_delp("tibia", -0.0024, -0.1533, 0.0071), _delp("calcn", 0.0, 0.0310, -0.0053)),
    "tib_ant": (
        _delp("tibia", 0.0179, -0.1624, 0.0115),
        _delp("tibia", 0.0329, -0.3951, -0.0177),
        _delp("calcn", 0.1166, 0.0178, -0.0305),
    ),
}


@dataclass(frozen=True)
class MomentArms:
    """Published moment arms (m, positive along the coordinate) that place a fitted path point of `muscle`."""

    point: str
    muscle: str
    coordinate: str
    angles: tuple[float, ...]
    arms: tuple[float, ...]
    height_m: float
    source: str


#: Moment arms of the source models with all other angles zero, evaluated by OpenSim 4.6. They place the
#: points that stand for bone which wrapping surfaces, moving or conditional points describe there: fixed
#: points keep muscle lengths smooth and OpenSim exact. Vasti: vastus intermedius; gastroc, hamstrings and
#: iliopsoas: means of the members weighted by force.
ARMS = (
    MomentArms(
        "patella",
        "vasti",
        "knee_angle",
        (0.0, -0.2, -0.4, -0.6, -0.8, -1.0, -1.2, -1.4, -1.6, -1.8, -2.0),
        (0.0487, 0.0451, 0.0455, 0.0437, 0.0413, 0.0382, 0.0345, 0.0299, 0.0274, 0.0246, 0.0217),
        DELP_HEIGHT_M,
        "delp1990",
    ),
    MomentArms(
        "femoral_condyle",
        "gastroc",
        "knee_angle",
        (0.0, -0.2, -0.4, -0.6, -0.8, -1.0, -1.2, -1.4, -1.6, -1.8, -2.0),
        (-0.0194, -0.0199, -0.0209, -0.0235, -0.0260, -0.0280, -0.0292, -0.0294, -0.0282, -0.0255, -0.0208),
        RAJAGOPAL_HEIGHT_M,
        "rajagopal2016",
    ),
    MomentArms(
        "hamstring_insertion",
        "hamstrings",
        "knee_angle",
        (0.0, -0.2, -0.4, -0.6, -0.8, -1.0, -1.2, -1.4, -1.6, -1.8, -2.0),
        (-0.0318, -0.0351, -0.0385, -0.0419, -0.0439, -0.0445, -0.0435, -0.0407, -0.0362, -0.03, -0.0224),
        RAJAGOPAL_HEIGHT_M,
        "rajagopal2016",
    ),
    MomentArms(
        "pelvic_brim",
        "iliopsoas",
        "hip_flexion",
        (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6),
        (0.0295, 0.0285, 0.0281, 0.0285, 0.0295, 0.0308, 0.0326, 0.0349, 0.0370, 0.0383, 0.0384, 0.0366),
        RAJAGOPAL_HEIGHT_M,
        "rajagopal2016",
    ),
)


@dataclass(frozen=True)
class Range:
    """Range of a coordinate, rad or m."""

    low: float
    high: float
    source: str


RANGES = {
    "pelvis_tilt": Range(-0.8, 0.8, "gait"),
    "pelvis_tx": Range(-50.0, 50.0, "gait"),
    "pelvis_ty": Range(0.0, 2.0, "gait"),
    "hip_flexion": Range(-0.6, 1.6, "gait"),
    "knee_angle": Range(-2.4, 0.05, "gait"),
    "ankle_angle": Range(-0.9, 0.6, "gait"),
    "lumbar_extension": Range(-0.6, 0.6, "gait"),
}

#: Unit of the control of the lumbar actuator (N m) and the bounds of that control.
LUMBAR_OPTIMAL_FORCE = Number(100.0, "actuator")
LUMBAR_CONTROL_BOUND = Number(10.0, "actuator")

#: Settings of each SmoothSphereHalfSpaceForce, SI; the two smoothing values are OpenSim's defaults.
CONTACT = {
    "stiffness": Number(3067776.0, "moco"),
    "dissipation": Number(2.0, "moco"),
    "static_friction": Number(0.8, "moco"),
    "dynamic_friction": Number(0.8, "moco"),
    "viscous_friction": Number(0.5, "moco"),
    "transition_velocity": Number(0.2, "moco"),
    "constant_contact_force": Number(1e-5, "moco"),
    "hertz_smoothing": Number(300.0, "moco"),
    "hunt_crossley_smoothing": Number(50.0, "moco"),
}
CONTACT_RADIUS = Number(0.03, "sphere")

#: Sensor places in our body frames; z is lateral for the right side and mirrored for the left.
SENSORS = (
    SourcePoint("pelvis_imu", "pelvis", (-0.10, 0.05, 0.0), 1.73, "dorschky2019"),
    SourcePoint("femur_imu", "femur", (0.0, -0.21, 0.07), 1.73, "dorschky2019"),
    SourcePoint("tibia_imu", "tibia", (0.0, -0.20, 0.055), 1.73, "dorschky2019"),
    SourcePoint("foot_imu", "foot", (0.12, 0.0, 0.0), 1.73, "dorschky2019"),
)


@dataclass(frozen=True)
class Drawing:
    """An ellipsoid (m at the generic height): centre and radii in the frame of `body`."""

    body: str
    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    color: tuple[float, float, float]
    source: str


_BONE, _SKIN = (0.93, 0.90, 0.82), (0.55, 0.68, 0.80)
DRAWINGS = {
    "pelvis": Drawing("pelvis", (0.0, 0.06, 0.0), (0.08, 0.09, 0.13), _SKIN, "drawing"),
    "chest": Drawing("torso", (0.0, 0.22, 0.0), (0.10, 0.24, 0.16), _SKIN, "drawing"),
    "head": Drawing("torso", (0.02, 0.58, 0.0), (0.09, 0.12, 0.08), _BONE, "drawing"),
    "thigh": Drawing("femur", (0.0, -0.22, 0.0), (0.07, 0.23, 0.07), _BONE, "drawing"),
    "shank": Drawing("tibia", (0.0, -0.22, 0.0), (0.05, 0.23, 0.05), _SKIN, "drawing"),
    "foot": Drawing("foot", (0.07, -0.045, 0.0), (0.14, 0.03, 0.045), _BONE, "drawing"),
}
