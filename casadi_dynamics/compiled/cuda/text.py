"""A tape as a CUDA C kernel, one thread per sample of the batch."""

from __future__ import annotations

from casadi_dynamics.compiled.c.family import BINARY, UNARY, statements
from casadi_dynamics.compiled.parts import cut
from casadi_dynamics.compiled.tape import Tape


def source(tape: Tape, scalar: str) -> str:
    """Return the text of a kernel ``run``.

    Its one argument is a structure of 64-bit integers, passed by value so that nothing must be copied to the
    device before a launch: address, stride of samples and stride of entries (in numbers) of each input, the
    address of the numbers (samples, size) of each output, and the first sample and the one after the last.

    Parameters
    ----------
    tape : Tape
    scalar : str
        'double' or 'float'.
    """
    place = [(number, entry) for number, size in enumerate(tape.output_sizes) for entry in range(size)]
    (whole,), _ = cut(tape, max(1, len(tape.instructions)))
    lines = statements(
        whole,
        load=lambda number, entry: f"in{number}[{entry} * step{number}]",
        store=lambda entry, value: f"out{place[entry][0]}[{place[entry][1]}] = {value};",
    )
    inputs = "".join(
        f"    const T* __restrict__ in{i} = (const T*)values[{3 * i}] + sample * values[{3 * i + 1}];\n"
        f"    const long long step{i} = values[{3 * i + 2}];\n"
        for i in range(len(tape.input_sizes))
    )
    first_output = 3 * len(tape.input_sizes)
    outputs = "".join(
        f"    T* __restrict__ out{i} = (T*)values[{first_output + i}] + sample * {size};\n"
        for i, size in enumerate(tape.output_sizes)
    )
    count = argument_count(tape)
    body = "\n".join("    " + line for line in lines)
    return f"""{prelude(scalar)}
struct Arguments {{ long long values[{count}]; }};

extern "C" __global__ void run(const Arguments given) {{
  const long long* values = given.values;
  const long long last = values[{count - 1}], threads = (long long)gridDim.x * blockDim.x;
  long long sample = values[{count - 2}] + (long long)blockIdx.x * blockDim.x + threadIdx.x;
  for (; sample < last; sample += threads) {{
{inputs}{outputs}{body}
  }}
}}
"""


def argument_count(tape: Tape) -> int:
    """Return how many integers the argument of the kernel holds."""
    return 3 * len(tape.input_sizes) + len(tape.output_sizes) + 2


def prelude(scalar: str) -> str:
    """Return the text that the statements of `c_family` stand on."""
    suffix = "" if scalar == "double" else "f"
    calls = [f"#define f_{name}(a) {name}{suffix}(a)" for name in UNARY]
    calls += [f"#define f_{name}(a, b) {name}{suffix}(a, b)" for name in BINARY]
    sine_cosine = f"#define sine_cosine(angle, s, c) sincos{suffix}(angle, &s, &c)"
    return "\n".join([f"typedef {scalar} T;", _TYPES, sine_cosine, *calls])


_TYPES = """\
typedef T V;
typedef bool M;
#define INFINITE __longlong_as_double(0x7ff0000000000000LL)
#define NOT_A_NUMBER __longlong_as_double(0x7ff8000000000000LL)
#define number(x) ((T)(x))
#define select(mask, yes, no) ((mask) ? (yes) : (no))"""
