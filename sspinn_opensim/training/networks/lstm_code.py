"""Machine code of an LSTM layer: all frames in one call, forward and backward.

A library's layer comes back from the processor's fast loops after every frame, to add, to squash and to
multiply small matrices that it has to lay out anew. Here the products of signals, memory and weights stay
in registers until the gates have been worked out. Every function computes a range, and the same bits for
any division into ranges, so threads can share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from casadi_dynamics.compiled.llvm.vectors import VectorText

#: Gates in the order of torch: input, forget, cell, output.
GATES = 4
#: Lanes and rows of a block by what the processor has: as many sums as leave registers for the factors.
_WIDE, _MANY_REGISTERS, _NARROW = (16, 6), (4, 6), (8, 2)
#: Rows of two matrices that are multiplied by columns while they are in the second cache.
_CHUNK = 256
#: Beyond this the logistic function is 0 or 1 in single precision.
_SATURATED = 87.0


def block_of(has_feature: Callable[[str], bool]) -> tuple[int, int]:
    """Return how many numbers a vector holds, and how many rows of a batch are worked on together.

    Parameters
    ----------
    has_feature : callable
        Whether the processor has a feature, by LLVM's name for it.
    """
    if has_feature("avx512f"):
        return _WIDE
    return _NARROW if has_feature("sse2") else _MANY_REGISTERS


def module_text(width: int, lanes: int, rows: int) -> str:
    """Return an LLVM module with the functions of a layer.

    All arrays are of single precision and contiguous, time first; ranges go from `first` to ``last - 1``.

    ``forward(signals, hidden, cell, gates, squashed, weights, bias, inputs, frames, batch, first, last)``
    runs rows of the batch through all frames. `signals` are (frames, batch, inputs); `hidden` and `cell`
    (frames + 1, batch, width) begin with the state before the first frame and are filled, with them
    `gates` (frames, batch, 4 width) and `squashed`, the hyperbolic tangent of the cells, (frames, batch,
    width). `weights` are those of `forward_weights`, `bias` (4 width).

    ``backward(found, gates, cell, squashed, to_cell, to_gates, weights, frames, batch, first, last)``
    takes the gradient of the hidden states `found` (frames, batch, width). `to_cell` (batch, width) is
    the gradient of the last cells and becomes that of the first. `to_gates` (frames + 1, batch, 4 width)
    becomes the gradient of the sums that gates are made of; its last frame must be zero. `weights` are
    those of `backward_weights`.

    ``backward_through(found, gates, cell, squashed, to_cell, to_gates, to_signals, weights, signal_weights,
    frames, batch, first, last)`` also writes the gradient of signals that are as wide as the memory,
    `to_signals` (frames, batch, width): that of the hidden states of the layer below.

    ``outer(left, right, out, columns, count, first, last)`` writes rows of the transpose of left (n, 4
    width) times right (n, columns) to `out` (4 width, columns), from `count` rows n. `columns` is a
    multiple of `lanes`.

    Parameters
    ----------
    width : int
        Numbers that a layer remembers; a multiple of `lanes`.
    """
    parts = [part(width, lanes, rows) for part in (_forward, _backward, _backward_through, _outer)]
    declarations = set().union(*(needed for _, needed in parts))
    return "\n".join([*sorted(declarations), *(text for text, _ in parts)])


def vectors_together(width: int, lanes: int, rows: int) -> int:
    """Return how many vectors of a row `backward` sums at once."""
    at_most = 3 if rows > 2 else 4
    return max(count for count in range(1, at_most + 1) if width // lanes % count == 0)


def _forward(width: int, lanes: int, rows: int) -> tuple[str, set[str]]:
    write = _Loops(lanes)

    def block(frame: dict[str, str], unit: str, count: int, row: str) -> None:
        start = write.whole_sum(write.product(row, width), unit)
        gate_start = write.whole_sum(write.product(row, GATES * width), unit)
        signals = write.at(frame["signals"], write.whole_product(row, "%inputs"))
        memory = write.at(frame["hidden"], write.product(row, width))
        of_unit = write.whole_product(unit, write.product(write.assign(f"add i64 %inputs, {width}"), GATES))
        weights = write.at("%weights", of_unit)
        of_memory = write.at(weights, write.product("%inputs", GATES * lanes))
        bias = write.at("%bias", unit)
        first = [write.load(write.at(bias, g * width)) for g in range(GATES)]
        sums = write.times_matrix(signals, ["%inputs"] * count, weights, "%inputs", first * count, GATES)
        sums = write.times_matrix(memory, [width] * count, of_memory, str(width), sums, GATES)
        for r in range(count):
            i, f, g, o = sums[r * GATES : (r + 1) * GATES]
            i, f, o = (write.logistic(x) for x in (i, f, o))
            g = write.tanh(g)
            before = write.load(write.at(frame["cell"], start, r * width))
            cell = write.fma(f, before, write.times(i, g))
            squashed = write.tanh(cell)
            for place, value in enumerate((i, f, g, o)):
                write.store(value, write.at(frame["gates"], gate_start, (r * GATES + place) * width))
            write.store(cell, write.at(frame["next_cell"], start, r * width))
            write.store(squashed, write.at(frame["squashed"], start, r * width))
            write.store(write.times(o, squashed), write.at(frame["next_hidden"], start, r * width))

    def each_frame(t: str) -> None:
        size = write.product("%batch", width)
        start = write.whole_product(t, size)
        after = write.whole_sum(start, size)
        frame = {
            "signals": write.at("%signals", write.whole_product(write.whole_product(t, "%batch"), "%inputs")),
            "gates": write.at("%gates", write.product(start, GATES)),
            "hidden": write.at("%hidden", start),
            "next_hidden": write.at("%hidden", after),
            "cell": write.at("%cell", start),
            "next_cell": write.at("%cell", after),
            "squashed": write.at("%squashed", start),
        }
        write.each(
            "0", str(width), lanes, lambda unit: write.rows(rows, lambda n, row: block(frame, unit, n, row))
        )

    write.each("0", "%frames", 1, each_frame)
    arrays = ("signals", "hidden", "cell", "gates", "squashed", "weights", "bias")
    return write.function("forward", arrays, ("inputs", "frames", "batch")), write.declarations


def _backward_through(width: int, lanes: int, rows: int) -> tuple[str, set[str]]:
    return _backward(width, lanes, rows, through=True)


def _backward(width: int, lanes: int, rows: int, *, through: bool = False) -> tuple[str, set[str]]:
    vectors = vectors_together(width, lanes, rows)
    write = _Loops(lanes)

    def block(frame: dict[str, str], unit: str, count: int, row: str) -> None:
        row_start, row_gates = write.product(row, width), write.product(row, GATES * width)
        later = write.at(frame["later"], row_gates)
        weights = write.at("%weights", write.product(unit, GATES * width))

        start, gate_start = write.whole_sum(row_start, unit), write.whole_sum(row_gates, unit)
        places = [(r * width + v * lanes, r, v) for r in range(count) for v in range(vectors)]
        from_output = [write.load(write.at(frame["found"], start, place)) for place, _, _ in places]
        steps = [GATES * width] * count
        to_hidden = write.times_matrix(later, steps, weights, str(GATES * width), from_output, vectors)
        one = write.splat(1.0)
        for (place, r, v), dh in zip(places, to_hidden, strict=True):
            at_gate = [r * GATES * width + v * lanes + g * width for g in range(GATES)]
            i, f, g, o = (write.load(write.at(frame["gates"], gate_start, offset)) for offset in at_gate)
            squashed = write.load(write.at(frame["squashed"], start, place))
            before = write.load(write.at(frame["cell"], start, place))
            to_cell = write.at("%to_cell", start, place)
            steepness = write.binary("fsub", one, write.times(squashed, squashed))
            dc = write.fma(write.times(dh, o), steepness, write.load(to_cell))
            gradients = (
                write.times(write.times(dc, g), write.slope(i)),
                write.times(write.times(dc, before), write.slope(f)),
                write.times(write.times(dc, i), write.binary("fsub", one, write.times(g, g))),
                write.times(write.times(dh, squashed), write.slope(o)),
            )
            for value, offset in zip(gradients, at_gate, strict=True):
                write.store(value, write.at(frame["to_gates"], gate_start, offset))
            write.store(write.times(dc, f), to_cell)

    def each_frame(s: str) -> None:
        size = write.product("%batch", width)
        left = write.assign(f"sub i64 %frames, {s}")
        start = write.whole_product(write.assign(f"sub i64 {left}, 1"), size)
        gates = write.product(start, GATES)
        frame = {
            "found": write.at("%found", start),
            "gates": write.at("%gates", gates),
            "cell": write.at("%cell", start),
            "squashed": write.at("%squashed", start),
            "to_gates": write.at("%to_gates", gates),
            "later": write.at("%to_gates", write.product(write.whole_product(left, size), GATES)),
        }
        write.each(
            "0",
            str(width),
            vectors * lanes,
            lambda unit: write.rows(rows, lambda n, row: block(frame, unit, n, row)),
        )
        if through:
            _to_signals(write, width, rows, frame["to_gates"], write.at("%to_signals", start))

    write.each("0", "%frames", 1, each_frame)
    arrays = ("found", "gates", "cell", "squashed", "to_cell", "to_gates")
    if through:
        arrays = (*arrays, "to_signals", "weights", "signal_weights")
        return write.function("backward_through", arrays, ("frames", "batch")), write.declarations
    return write.function("backward", (*arrays, "weights"), ("frames", "batch")), write.declarations


def _to_signals(write: _Loops, width: int, rows: int, to_gates: str, out: str) -> None:
    """Write the gradient of the signals of a frame, from that of its gates while it is near."""
    lanes, length = write.lanes, GATES * width
    vectors = vectors_together(width, lanes, rows)

    def block(column: str, count: int, row: str) -> None:
        weights, left = write.at("%signal_weights", write.product(column, length)), write.product(row, length)
        zeros = [write.splat(0.0)] * (count * vectors)
        sums = write.times_matrix(
            write.at(to_gates, left), [length] * count, weights, str(length), zeros, vectors
        )
        place = write.at(out, write.product(row, width), column)
        for r in range(count):
            for v in range(vectors):
                write.store(sums[r * vectors + v], write.at(place, r * width + v * lanes))

    write.each(
        "0",
        str(width),
        vectors * lanes,
        lambda column: write.rows(rows, lambda n, row: block(column, n, row)),
    )


def _outer(width: int, lanes: int, rows: int) -> tuple[str, set[str]]:
    write = _Loops(lanes)

    def tile(start: str, end: str, is_first: str, column: str, vectors: int, count: int, row: str) -> None:
        out = write.at("%out", write.whole_product(row, "%columns"), column)
        places = [
            write.at(out, write.product("%columns", r), v * lanes)
            for r in range(count)
            for v in range(vectors)
        ]
        zero = write.splat(0.0)
        # Nothing is read that nobody wrote: the sums of the first rows begin at zero, whatever lies there.
        old = [
            write.assign(f"select i1 {is_first}, {write.vector} {zero}, {write.vector} {write.load(place)}")
            for place in places
        ]

        def add(n: str, sums: Sequence[str]) -> list[str]:
            right = write.at("%right", write.whole_product(n, "%columns"), column)
            left = write.at("%left", write.product(n, GATES * width), row)
            factors = [write.load(write.at(right, v * lanes)) for v in range(vectors)]
            return write.added_products([write.at(left, r) for r in range(count)], factors, sums)

        for place, value in zip(places, write.loop(start, end, 1, add, old), strict=True):
            write.store(value, place)

    def each_chunk(start: str) -> None:
        end = write.assign(f"add i64 {start}, {_CHUNK}")
        is_last = write.assign(f"icmp sgt i64 {end}, %count")
        end = write.assign(f"select i1 {is_last}, i64 %count, i64 {end}")
        is_first = write.assign(f"icmp eq i64 {start}, 0")
        together = 3 if rows > 2 else 2
        left = write.assign(f"srem i64 %columns, {together * lanes}")
        whole = write.assign(f"sub i64 %columns, {left}")
        for begin, stop, vectors in (("0", whole, together), (whole, "%columns", 1)):
            write.each(
                begin,
                stop,
                vectors * lanes,
                lambda column, v=vectors: write.rows(
                    rows, lambda count, row: tile(start, end, is_first, column, v, count, row)
                ),
            )

    write.each("0", "%count", _CHUNK, each_chunk)
    return write.function("outer", ("left", "right", "out"), ("columns", "count")), write.declarations


class _Loops(VectorText):
    """Lines of a function with loops, addresses, and the functions that squash."""

    def __init__(self, lanes: int) -> None:
        super().__init__(lanes, "float")
        self._block, self._loops = "entry", 0

    def function(self, name: str, arrays: Sequence[str], numbers: Sequence[str] = ()) -> str:
        """Return the function that was written."""
        parameters = [f"ptr noalias %{a}" for a in arrays] + [
            f"i64 %{n}" for n in (*numbers, "first", "last")
        ]
        return f"define void @{name}({', '.join(parameters)}) {{\nentry:\n  {self.take()}\n  ret void\n}}"

    def loop(
        self,
        first: str,
        last: str,
        step: int,
        body: Callable[[str, Sequence[str]], Sequence[str]],
        carried: Sequence[str] = (),
    ) -> list[str]:
        """Write a loop; `body` takes the index and the vectors carried along, and returns them anew."""
        self._loops += 1
        n, before = self._loops, self._block
        index, values = f"%i{n}", [f"%c{n}_{j}" for j in range(len(carried))]
        self._label(f"head{n}")
        place = len(self.lines)
        self.lines.append("")
        self.lines.append(f"%more{n} = icmp slt i64 {index}, {last}")
        self.lines.append(f"br i1 %more{n}, label %body{n}, label %done{n}")
        self._begin(f"body{n}")
        after = body(index, values)
        self.lines.append(f"%next{n} = add i64 {index}, {step}")
        end = self._block
        self.lines.append(f"br label %head{n}")
        self.lines[place] = "\n  ".join(
            [
                f"{index} = phi i64 [ {first}, %{before} ], [ %next{n}, %{end} ]",
                *(
                    f"{value} = phi {self.vector} [ {old}, %{before} ], [ {new}, %{end} ]"
                    for value, old, new in zip(values, carried, after, strict=True)
                ),
            ]
        )
        self._begin(f"done{n}")
        return values

    def each(self, first: str, last: str, step: int, body: Callable[[str], None]) -> None:
        """Write a loop that carries nothing."""

        def turn(index: str, _: Sequence[str]) -> tuple[str, ...]:
            body(index)
            return ()

        self.loop(first, last, step, turn)

    def rows(self, together: int, body: Callable[[int, str], None]) -> None:
        """Write `body` for rows `%first` to `%last`: as many at a time as go together, then the rest."""
        count = self.assign("sub i64 %last, %first")
        left = self.assign(f"srem i64 {count}, {together}")
        rest = self.assign(f"sub i64 %last, {left}")
        self.each("%first", rest, together, lambda row: body(together, row))
        self.each(rest, "%last", 1, lambda row: body(1, row))

    def times_matrix(
        self,
        left: str,
        steps: Sequence[str | int],
        right: str,
        length: str,
        sums: Sequence[str],
        vectors: int,
    ) -> list[str]:
        """Add rows of numbers times a matrix to sums, so many vectors a row.

        Parameters
        ----------
        left : str
            Where the first row begins.
        steps : sequence of str or int
            For each row its length, by which the next one follows.
        right : str
            Where the matrix lies, row by row as many vectors as are summed.
        length : str
            How many numbers of a row, and rows of the matrix, are multiplied.
        """
        starts = [left]
        for step in steps[:-1]:
            starts.append(self.at(starts[-1], step))

        def multiply(k: str, sums: Sequence[str]) -> list[str]:
            row = self.at(right, self.product(k, vectors * self.lanes))
            factors = [self.load(self.at(row, v * self.lanes)) for v in range(vectors)]
            return self.added_products([self.at(start, k) for start in starts], factors, sums)

        return self.loop("0", length, 1, multiply, sums)

    def added_products(self, places: Sequence[str], factors: Sequence[str], sums: Sequence[str]) -> list[str]:
        """Add the number at each place times each vector to the sum of both."""
        values = [self.load_broadcast(place) for place in places]
        pairs = [(value, factor) for value in values for factor in factors]
        return [self.fma(f, value, old) for (value, f), old in zip(pairs, sums, strict=True)]

    def at(self, base: str, *offsets: str | int) -> str:
        """Return the address so many numbers behind another."""
        for offset in offsets:
            if offset != 0:
                base = self.assign(f"getelementptr float, ptr {base}, i64 {offset}")
        return base

    def product(self, a: str, b: int) -> str:
        return self.whole_product(a, str(b))

    def whole_product(self, a: str, b: str) -> str:
        return self.assign(f"mul i64 {a}, {b}")

    def whole_sum(self, a: str, b: str) -> str:
        return self.assign(f"add i64 {a}, {b}")

    def load(self, place: str) -> str:
        return self.assign(f"load {self.vector}, ptr {place}, align 4")

    def load_broadcast(self, place: str) -> str:
        return self.broadcast(self.assign(f"load float, ptr {place}, align 4"))

    def store(self, value: str, place: str) -> None:
        self.lines.append(f"store {self.vector} {value}, ptr {place}, align 4")

    def times(self, a: str, b: str) -> str:
        return self.binary("fmul", a, b)

    def fma(self, a: str, b: str, c: str) -> str:
        return self.intrinsic("fma", a, b, c)

    def slope(self, squashed: str) -> str:
        """Return the derivative of the logistic function where it has this value."""
        return self.times(squashed, self.binary("fsub", self.splat(1.0), squashed))

    def logistic(self, x: str) -> str:
        """Return 1 / (1 + exp(-x)); no number stays none."""
        return self._logistic_of_opposite(self.times(x, self.splat(-1.0)))

    def tanh(self, x: str) -> str:
        """Return the hyperbolic tangent, to 1e-7."""
        return self.fma(
            self.splat(2.0), self._logistic_of_opposite(self.times(x, self.splat(-2.0))), self.splat(-1.0)
        )

    def _logistic_of_opposite(self, x: str) -> str:
        for relation, limit in (("ogt", _SATURATED), ("olt", -_SATURATED)):
            bound = self.splat(limit)
            x = self.select(self.compare(relation, x, bound), bound, x)
        one = self.splat(1.0)
        return self.binary("fdiv", one, self.binary("fadd", one, self._exponential(x)))

    def _exponential(self, x: str) -> str:
        """Return exp(x) for arguments that neither overflow nor underflow.

        x = n ln 2 + r with |r| <= ln(2) / 2, where the series to r^7 is exact in single precision; n is read
        from the last bits of a sum so large that it has no fraction.
        """
        large = self.splat(1.5 * 2**23)
        shifted = self.fma(x, self.splat(1.4426950408889634), large)
        n = self.binary("fsub", shifted, large)
        r = self.fma(n, self.splat(-0.693145751953125), x)
        r = self.fma(n, self.splat(-1.428606765330187e-06), r)
        value, factorial = self.splat(1 / 5040), 5040.0
        for power in range(7, 0, -1):
            factorial /= power
            value = self.fma(value, r, self.splat(1 / factorial))
        exponent = self.integers("shl", self.bits(shifted), 23)
        scaled = self.integers("add", self.bits(value), exponent)
        return self.assign(f"bitcast {self.whole} {scaled} to {self.vector}")

    def _label(self, name: str) -> None:
        self.lines.append(f"br label %{name}")
        self._begin(name)

    def _begin(self, name: str) -> None:
        self.lines.append(f"\n{name}:")
        self._block = name
