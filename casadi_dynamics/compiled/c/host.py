"""A tape as C++ on the vector types of GCC and Clang, one sample of the batch per lane."""

from __future__ import annotations

from itertools import accumulate

from casadi_dynamics.compiled.c.family import statements
from casadi_dynamics.compiled.c.prelude import prelude
from casadi_dynamics.compiled.parts import Part, cut
from casadi_dynamics.compiled.tape import Tape

#: Computing instructions of a function: the time to compile grows faster than the length of a function.
LONGEST_PART = 1000


def source(tape: Tape, scalar: str) -> str:
    """Return the text of a program.

    It defines ``run(inputs, outputs, first, last)`` with C linkage; see `Program.run`.

    Parameters
    ----------
    tape : Tape
    scalar : str
        'double' or 'float'.
    """
    parts, waiting = cut(tape, LONGEST_PART)
    functions = [_function(number, part, tape) for number, part in enumerate(parts)]
    calls = "\n    ".join(f"part_{number}(in, kept, out);" for number in range(len(parts)))
    return "".join([prelude(scalar), *functions, _run(tape, waiting, calls)])


def _function(number: int, part: Part, tape: Tape) -> str:
    first_in, outputs = [0, *accumulate(tape.input_sizes)], sum(tape.output_sizes)

    def load(number: int, entry: int) -> str:
        return f"in[{first_in[number] + entry}]" if number < len(tape.input_sizes) else f"kept[{entry}]"

    def store(destination: int, value: str) -> str:
        place = f"out[{destination}]" if destination < outputs else f"kept[{destination - outputs}]"
        return f"{place} = {value};"

    body = "\n  ".join(statements(part, load, store))
    return f"""
static OWN void part_{number}(const V* __restrict in, V* __restrict kept, V* __restrict out) {{
  {body}
}}
"""


def _run(tape: Tape, waiting: int, calls: str) -> str:
    sizes_in = ", ".join(map(str, (*tape.input_sizes, 0)))
    sizes_out = ", ".join(map(str, (*tape.output_sizes, 0)))
    return f"""
static const long long sizes_in[] = {{ {sizes_in} }}, sizes_out[] = {{ {sizes_out} }};

extern "C" void run(const long long* inputs, const long long* outputs, long long first, long long last) {{
  V in[{sum(tape.input_sizes) + 1}], kept[{waiting + 1}], out[{sum(tape.output_sizes) + 1}];
  for (long long at = first; at < last; at += LANES) {{
    long long count = last - at < LANES ? last - at : LANES;
    V* to = in;
    for (int i = 0; i < {len(tape.input_sizes)}; to += sizes_in[i++])
      if (inputs[3 * i + 1] != 0 || at == first)  // what all samples share stays in its place
        gather((const T*)inputs[3 * i], inputs[3 * i + 1], inputs[3 * i + 2], sizes_in[i], at, count, to);
    {calls}
    const V* from = out;
    for (int i = 0; i < {len(tape.output_sizes)}; from += sizes_out[i++])
      scatter((T*)outputs[i], sizes_out[i], at, count, from);
  }}
}}
"""
