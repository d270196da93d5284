"""The way of a walk: a model's root may have to leave the range that its file states."""

from __future__ import annotations

from pathlib import Path

from sspinn_opensim.opensim_io.documents import child_text
from sspinn_opensim.opensim_io.model.model_file import coordinate_facts, read_model_tree, write_model_tree


def free_the_way(subject: Path) -> list[str]:
    """Unclamp the coordinates of the joint with ground, and return those that were clamped.

    Gait models often end at 5 m. OpenSim keeps a clamped coordinate inside its range where it assembles the
    model, in its GUI and in models with couplers, so a longer walk would stand still there. The range stays
    in the file.

    Parameters
    ----------
    subject : Path
        Scaled model, rewritten whole if anything changes.
    """
    tree = read_model_tree(subject)
    root = {fact.name for fact in coordinate_facts(tree) if fact.is_root}
    clamped = [
        coordinate
        for coordinate in tree.iter("Coordinate")
        if coordinate.get("name") in root and child_text(coordinate, "clamped") == "true"
    ]
    for coordinate in clamped:
        coordinate.find("clamped").text = "false"
    if clamped:
        write_model_tree(subject, tree)
    return [coordinate.get("name", "") for coordinate in clamped]
