"""A CasADi function or a gradient of it, whose tape is recorded when it is needed."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from threading import RLock

import casadi as ca

from casadi_dynamics.compiled.tape import Tape, check_columns, record, vector_jacobian

_CASADI = RLock()  # expressions must not be touched by two threads at once


class Source:
    """A CasADi function, or a vector-Jacobian product of one, from which a program is made.

    Attributes
    ----------
    key : str
        Of two sources with one key the tapes are equal.

    Raises
    ------
    InputError
        If the function is not of scalar expressions in dense columns.
    """

    def __init__(self, function: ca.Function) -> None:
        check_columns(function)
        self.input_sizes = tuple(function.numel_in(i) for i in range(function.n_in()))
        self.output_sizes = tuple(function.numel_out(i) for i in range(function.n_out()))
        self.key = hashlib.sha256(function.serialize().encode()).hexdigest()
        self._function = function

    def gradient(self, wrt: tuple[int, ...]) -> Source:
        """Return the vector-Jacobian product: inputs and a cotangent per output, to gradients to `wrt`."""
        return _Gradient(self, wrt)

    def tape(self) -> Tape:
        """Write the function down."""
        with _CASADI:
            return record(self._expression)

    @property
    def _expression(self) -> ca.Function:
        return self._function


class _Gradient(Source):
    def __init__(self, parent: Source, wrt: tuple[int, ...]) -> None:
        self.input_sizes = (*parent.input_sizes, *parent.output_sizes)
        self.output_sizes = tuple(parent.input_sizes[i] for i in wrt)
        self.key = json.dumps([parent.key, wrt])
        self._parent, self._wrt = parent, wrt

    @cached_property
    def _expression(self) -> ca.Function:
        return vector_jacobian(self._parent._expression, self._wrt)
