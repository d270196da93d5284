"""Loss terms: their scales, units and weights. What each is, `losses` computes.

The table needs no PyTorch: a study that names a term which is not there is refused in a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from casadi_dynamics.errors import InputError, nearest


@dataclass(frozen=True)
class Term:
    """A loss term: a quantity, the scale at which it starts to matter, and when it counts.

    Attributes
    ----------
    scale : tuple of float
        In the order of the arguments of its function in `losses`.
    unit : tuple of str
        Unit of each scale, with what it is a scale of where that is not plain.
    weight : float
        Default weight in the total.
    needs_force : bool
        Whether it speaks of contact forces and so waits until they are where the motion needs them.
    leads_force : bool
        Whether it leads the contact forces there, and fades as the terms that wait for them set in.
    """

    scale: tuple[float, ...]
    unit: tuple[str, ...]
    weight: float
    needs_force: bool = False
    leads_force: bool = False

    def share(self, ramp: float) -> float:
        """Return by which share the term counts; `ramp` is that of terms that need forces."""
        if self.leads_force:
            return 1 - ramp
        return ramp if self.needs_force else 1.0


_BW, _BWBH = "body weight", "body weight times height"
TERMS: Mapping[str, Term] = MappingProxyType(
    {
        # Soft tissue moves a sensor more than it turns it.
        "acceleration": Term((2.0,), ("m/s², and the deviation of the mean stride",), 1.0),
        # Against cameras gyroscopes on thighs, shanks and feet are off by 0.5 to 1.0 rad/s (kuopio2024_walk,
        # gaittoolbox_walk), nearly all of it about axes other than the one that points to the right.
        "angular_rate": Term(
            (0.1, 0.5),
            (
                "rad/s, and the deviation of the mean stride",
                "rad/s about other axes of legs than the one to the right: tissue, and turns that "
                "models lack",
            ),
            1.0,
        ),
        "trunk_rise": Term((1.0,), ("m/s², a tenth of gravity",), 1.0),
        "trunk_drive": Term((1.0,), ("m/s², a tenth of gravity",), 1.0),
        "inclination": Term((0.05,), ("rad",), 1.0),
        "root_residual": Term((0.1,), (f"{_BW} (times height)",), 1.0, needs_force=True),
        # So much is tipped by body weight 3.5 cm beside its place: less than half of a shoe's width.
        "sideways_balance": Term((0.02,), (_BWBH,), 1.0, needs_force=True),
        "contact_height": Term(
            (0.02, 0.04),
            ("m above it", "m below it, as soles and heel pads give way"),
            1.0,
            needs_force=True,
        ),
        # A foot of the model is rigid, a real one rolls over heel and toes: its contact may be elsewhere.
        "contact_speed": Term(
            (0.2, 0.1), ("m/s", "m times the turning speed of the foot"), 1.0, needs_force=True
        ),
        "penetration": Term((0.03,), ("m",), 1.0),
        "friction": Term((0.02,), (_BW,), 1.0, needs_force=True),
        "force_change": Term(
            (0.1,), (f"{_BW} in 10 ms, the loading rate of a gentle step",), 0.1, needs_force=True
        ),
        "load_transfer": Term(
            (0.1,), ("of it in 10 ms, a step of a tenth of a second",), 0.5, needs_force=True
        ),
        "rolling": Term((0.02,), ("m",), 0.5, needs_force=True),
        "torque": Term((0.03,), (_BWBH,), 0.2, needs_force=True),
        "joint_limits": Term((0.05,), ("rad",), 1.0),
        "unfelt_joints": Term((1.0,), ("rad",), 1.0),
        "trunk": Term((0.05,), ("rad",), 1.0),
        "facing": Term((0.1,), ("rad",), 1.0),
        "even_legs": Term((0.2,), ("rad",), 1.0),
        "mean_speed": Term((0.15, 0.15), ("of the speed", "m/s, what planar legs lack"), 1.0),
        # Belts under people who stand before and after a walk (capsense_walk) carry 41 to 59 % each.
        "foot_speed": Term((0.2,), ("m/s",), 1.0),
        # Standing feet (18 in the static trials of Schreiber and Moissenet 2019) lean by 2.3 +- 2.2 degrees
        # along the axes of their scaled models.
        "level_sole": Term((0.05,), ("rad",), 1.0),
        "standing_load": Term((0.1,), (_BW,), 1.0, needs_force=True),
        "standing_speed": Term((0.05,), ("m/s",), 1.0),
        "vertical_consistency": Term((0.1,), ("m/s",), 1.0),
        "mounting": Term((0.15, 0.03), ("rad", "m"), 3.0),
        "torque_output": Term((0.02,), (_BWBH,), 0.05, needs_force=True),
        "led_force": Term(
            (0.1, 0.02), (_BW, "m of height, by which the points share it"), 1.0, leads_force=True
        ),
    }
)


#: Terms that compare the motion with the sensors, sample by sample: without both, priors say it all.
_OF_SENSORS = ("acceleration", "angular_rate")


def weights(overrides: Mapping[str, float]) -> dict[str, float]:
    """Return the weight of every term; an unknown term, or none left of the sensors, raises `InputError`."""
    for name in overrides:
        if name not in TERMS:
            raise InputError(
                f"There is no loss term '{name}'.",
                where="[training.weights] of the study",
                expected=", ".join(TERMS),
                found=name,
                fix=nearest(name, TERMS) or "name one of these",
            )
    chosen = {name: overrides.get(name, term.weight) for name, term in TERMS.items()}
    if not any(weight for name, weight in chosen.items() if not TERMS[name].leads_force):
        raise InputError(
            "Every loss term has the weight 0: there is nothing to learn from.",
            where="[training.weights] of the study",
            fix="leave out the weights, or give at least one term a weight above 0",
        )
    if not any(chosen[name] for name in _OF_SENSORS):
        raise InputError(
            "No loss term compares the motion with the sensors: it would be anyone's.",
            where="[training.weights] of the study",
            expected=f"a weight above 0 of {' or '.join(_OF_SENSORS)}",
            found=", ".join(f"{name} = 0" for name in _OF_SENSORS),
            fix="leave one of them out",
        )
    return chosen


def lasting_weights(overrides: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of the terms that a training ends with, without those that are off.

    What leads forces at the start is no part of the loss that is left at the end, nor of the history.
    """
    return {name: own for name, own in weights(overrides).items() if own > 0 and not TERMS[name].leads_force}


def to_switch_off(asked: Sequence[str] | None, active: Mapping[str, float]) -> tuple[str, ...]:
    """Return the terms to train without, one at a time: those asked for, by default all that are active."""
    chosen = tuple(active if asked is None else dict.fromkeys(asked))
    for name in chosen:
        if name not in active:
            known = name in TERMS
            raise InputError(
                f"The loss term '{name}' has no weight in this study: it is off already."
                if known
                else f"There is no loss term '{name}'.",
                where="--terms",
                expected="some of " + ", ".join(active),
                fix="" if known else nearest(name, active),
            )
    if len(active) < 2:
        raise InputError(
            "The study has a single loss term; without it nothing is left to learn from.",
            where="[training.weights] of the study",
            found=", ".join(active),
        )
    return chosen
