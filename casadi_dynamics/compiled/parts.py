"""A long tape in parts that each fit the processor's cache of instructions.

A program runs once through its whole text per block of samples. A text longer than that cache would be
fetched anew for every block; in parts, each part runs over a group of blocks before the next begins. What a
later part needs passes through memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from casadi_dynamics.compiled.tape import Instruction, Tape


@dataclass(frozen=True)
class Part:
    """Some consecutive instructions of a tape, numbered among themselves.

    Attributes
    ----------
    instructions : tuple of Instruction
        An 'input' whose number is one beyond the tape's inputs is a value that an earlier part kept.
    kept : mapping of int to tuple of int
        Place -> where its value goes: output entries, counted over all outputs, and, counted on from there,
        places of the values that later parts need.
    """

    instructions: tuple[Instruction, ...]
    kept: Mapping[int, tuple[int, ...]]


def cut(tape: Tape, longest: int) -> tuple[tuple[Part, ...], int]:
    """Cut a tape into parts of equal length.

    Parameters
    ----------
    longest : int
        Instructions of a part, without constants and inputs, which every part reads for itself.

    Returns
    -------
    tuple of tuple of Part and int
        The parts, and how many values at once wait for later parts.
    """
    owner = _owners(tape, longest)
    last_use = _last_uses(tape, owner)
    slots, width = _slots(owner, last_use)
    entries = [place for output in tape.outputs for place in output]
    destinations: dict[int, list[int]] = {}
    for entry, place in enumerate(entries):
        destinations.setdefault(place, []).append(entry)
    for place, slot in slots.items():
        destinations.setdefault(place, []).append(len(entries) + slot)
    parts = tuple(
        _part(tape, owner, slots, destinations, k) for k in range(max(owner.values(), default=0) + 1)
    )
    return parts, width


def _owners(tape: Tape, longest: int) -> dict[int, int]:
    """Return, per place of an instruction that computes, the number of its part."""
    computing = [k for k, i in enumerate(tape.instructions) if i.op not in ("input", "constant")]
    count = max(1, -(-len(computing) // longest))
    length = max(1, -(-len(computing) // count))
    return {place: k // length for k, place in enumerate(computing)}


def _last_uses(tape: Tape, owner: Mapping[int, int]) -> dict[int, int]:
    last: dict[int, int] = {}
    for place, part in owner.items():
        for argument in tape.instructions[place].arguments:
            last[argument] = part
    return last


def _slots(owner: Mapping[int, int], last_use: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """Give every value that crosses parts a slot; a slot is free again after the last part that reads it."""
    slots: dict[int, int] = {}
    free: list[int] = []
    ends: dict[int, list[int]] = {}
    width, current = 0, 0
    for place, part in owner.items():
        while current < part:
            free += ends.pop(current, ())
            current += 1
        if last_use.get(place, part) > part:
            if not free:
                free.append(width)
                width += 1
            slots[place] = free.pop()
            ends.setdefault(last_use[place], []).append(slots[place])
    return slots, width


def _part(tape: Tape, owner, slots, destinations, number: int) -> Part:
    instructions: list[Instruction] = []
    here: dict[int, int] = {}
    kept: dict[int, tuple[int, ...]] = {}

    def bring(place: int) -> int:
        if place not in here:
            instruction = tape.instructions[place]
            if place in owner:  # computed by an earlier part
                instruction = Instruction("input", source=(len(tape.input_sizes), slots[place]))
            here[place] = len(instructions)
            instructions.append(instruction)
        return here[place]

    for place, part in owner.items():
        if part != number:
            continue
        instruction = tape.instructions[place]
        arguments = tuple(bring(a) for a in instruction.arguments)
        here[place] = len(instructions)
        instructions.append(Instruction(instruction.op, arguments))
        if place in destinations:
            kept[here[place]] = tuple(destinations[place])
    if number == 0:  # outputs that are an input or a constant
        for place in destinations.keys() - owner.keys():
            kept[bring(place)] = tuple(destinations[place])
    return Part(tuple(instructions), kept)
