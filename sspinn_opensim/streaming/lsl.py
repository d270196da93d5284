"""Lab Streaming Layer: loaded so that it stays on this machine, unless it was told to reach further.

liblsl reads its configuration once, when it is loaded, from the file that ``LSLAPICFG`` names. By default
that is `THIS_MACHINE`: streams are announced to, and looked for at, this machine alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from casadi_dynamics.errors import InputError

THIS_MACHINE = Path(__file__).with_name("lsl_this_machine.cfg")
_CONFIGURATION = "LSLAPICFG"


def lsl(scope: str = "machine") -> Any:
    """Return the module `pylsl`, which reaches as far as a scope says.

    Parameters
    ----------
    scope : {'machine', 'network'}
        ``network``: liblsl's own configuration holds, and by its default streams are announced to the local
        network.

    Raises
    ------
    InputError
        It is not installed, or this process has loaded it with another scope.
    """
    loaded = "pylsl" in sys.modules
    if scope == "machine" and not loaded:
        os.environ[_CONFIGURATION] = str(THIS_MACHINE)
    if (os.environ.get(_CONFIGURATION) == str(THIS_MACHINE)) != (scope == "machine"):
        raise InputError(
            "Lab Streaming Layer is loaded already, and reaches otherwise.",
            expected=f"{_CONFIGURATION}={THIS_MACHINE} from the start"
            if scope == "machine"
            else f"no {_CONFIGURATION}, or another file",
            found=os.environ.get(_CONFIGURATION, "not set"),
            fix="begin a new process, and import pylsl only through sspinn_opensim.streaming.lsl",
        )
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:  # the wheel may lack the library of the system
        raise InputError(
            "Lab Streaming Layer is not installed.",
            expected="the package pylsl",
            found=str(error).splitlines()[0],
            fix="pip install pylsl",
        ) from error
    return pylsl


def stream_info(
    module: Any,
    name: str,
    kind: str,
    labels: Sequence[str],
    units: Sequence[str],
    rate_hz: float,
    *,
    text: bool = False,
) -> Any:
    """Return the description of a stream whose channels have names and units.

    Parameters
    ----------
    rate_hz : float
        0: whenever something happens.
    """
    form = module.cf_string if text else module.cf_double64
    info = module.StreamInfo(name, kind, len(labels), rate_hz, form, f"{name}-{os.getpid()}")
    channels = info.desc().append_child("channels")
    for label, unit in zip(labels, units, strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    return info


def channels_of(info: Any) -> list[tuple[str, str]]:
    """Return label and unit of every channel that a stream describes."""
    found, channel = [], info.desc().child("channels").child("channel")
    while not channel.empty():
        found.append((channel.child_value("label"), channel.child_value("unit")))
        channel = channel.next_sibling("channel")
    return found
