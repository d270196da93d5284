"""What C++ of `c_family` stands on where a number is a vector of lanes, one sample of the batch per lane."""

from __future__ import annotations

import math

from casadi_dynamics.compiled.c.family import BINARY, UNARY
from casadi_dynamics.compiled.series import LARGEST_ANGLE, cosine_series, half_pi_parts, sine_tail


def prelude(scalar: str) -> str:
    """Return types and functions: those of `c_family`, and `gather` and `scatter` of samples into lanes.

    Parameters
    ----------
    scalar : str
        'double' or 'float'.
    """
    suffix, integer = ("", "long long") if scalar == "double" else ("f", "int")
    own = ("fabs", "fmin", "fmax")
    calls = [f"OF_ONE(f_{name}, __builtin_{name}{suffix})" for name in UNARY if name not in own]
    calls += [f"OF_TWO(f_{name}, __builtin_{name}{suffix})" for name in BINARY if name not in own]
    return "\n".join(
        [
            f"typedef {scalar} T;",
            f"typedef {integer} Integer;",
            _TYPES,
            *calls,
            _sine_and_cosine(scalar, suffix),
            _interleave(scalar),
            _LAYOUT,
        ]
    )


_TYPES = """\
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define LANES ((int)(BYTES / sizeof(T)))
#define OWN __attribute__((noinline))
#define INFINITE __builtin_inf()
#define NOT_A_NUMBER __builtin_nan("")
typedef T V __attribute__((vector_size(BYTES)));
typedef Integer I __attribute__((vector_size(BYTES)));
typedef decltype(V{} < V{}) M;
// The difference from zero keeps the sign of minus zero; a sum would not.
#define number(x) ((T)(x) - V{})
#define SIGN ((Integer)1 << (8 * sizeof(T) - 1))
static inline V select(M mask, V yes, V no) { return mask ? yes : no; }
static inline V f_fabs(V a) { return (V)((I)a & ~SIGN); }
static inline V f_fmin(V a, V b) { return select((a < b) | (b != b), a, b); }
static inline V f_fmax(V a, V b) { return select((a > b) | (b != b), a, b); }
#define OF_ONE(NAME, F) \\
  static inline V NAME(V a) { V r; for (int i = 0; i < LANES; i++) r[i] = F(a[i]); return r; }
#define OF_TWO(NAME, F) \\
  static inline V NAME(V a, V b) { V r; for (int i = 0; i < LANES; i++) r[i] = F(a[i], b[i]); return r; }"""


def _sine_and_cosine(scalar: str, suffix: str) -> str:
    """Return the function that computes both at once.

    The method is that of `trigonometry`. Numbers near 1.5 * 2^52 (2^23) are whole: adding it rounds, and
    leaves the quadrant in the lowest bits. The sign is taken off first and put back last, which keeps minus
    zero.
    """
    parts = [f"number({part.hex()})" for part in half_pi_parts(scalar)]
    reduced = "".join(f"  x = x - whole * {part};\n" for part in parts)
    return f"""
static OWN void sine_cosine(V angle, V& sine, V& cosine) {{
  const V shift = number({"0x1.8p52" if scalar == "double" else "0x1.8p23"});
  V x = f_fabs(angle);
  M small = x <= number({LARGEST_ANGLE[scalar]});
  bool exact = true;
  for (int i = 0; i < LANES; i++) exact = exact & (small[i] != 0);
#if !defined(__FMA__) && !defined(__ARM_FEATURE_FMA)
  exact = false;  // the reduction needs products that are not rounded
#endif
  if (!exact) {{
    for (int i = 0; i < LANES; i++) {{
      sine[i] = __builtin_sin{suffix}(angle[i]);
      cosine[i] = __builtin_cos{suffix}(angle[i]);
    }}
    return;
  }}
  V shifted = x * number({(2 / math.pi).hex()}) + shift;
  V whole = shifted - shift;
  I quadrant = (I)shifted;
{reduced}  V square = x * x;
  V s = (x * square) * ({_nested(sine_tail(scalar))}) + x;
  V c = {_nested(cosine_series(scalar))};
  M odd = (quadrant & 1) != 0;
  I turn = ((I)angle & SIGN) ^ (quadrant << (8 * (int)sizeof(T) - 2) & SIGN);
  sine = (V)((I)select(odd, c, s) ^ turn);
  cosine = (V)((I)select(odd, s, c) ^ ((quadrant + 1) << (8 * (int)sizeof(T) - 2) & SIGN));
}}
"""


def _nested(coefficients: list[float]) -> str:
    text = f"number({coefficients[-1].hex()})"
    for coefficient in reversed(coefficients[:-1]):
        text = f"({text} * square + number({coefficient.hex()}))"
    return text


def _interleave(scalar: str) -> str:
    """Return the macros that interleave the lower, and the upper, halves of two vectors."""
    lines = []
    for width in (16, 32, 64):
        lanes = width // (8 if scalar == "double" else 4)
        lines.append(f"#if BYTES == {width}")
        for name, start in (("LOWER", 0), ("UPPER", lanes // 2)):
            lanes_taken = ", ".join(f"{start + k}, {start + k + lanes}" for k in range(lanes // 2))
            lines.append(f"#define {name}(a, b) SHUFFLE(a, b, {lanes_taken})")
        lines.append("#endif")
    return "\n".join(lines)


_LAYOUT = """
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (I){__VA_ARGS__})
#endif
#define UNROLL _Pragma("GCC unroll 16")
// Interleaving the first half of the rows with the second, as often as LANES has factors of two, transposes.
static inline void transpose(V* rows) {
  V next[LANES];
  UNROLL
  for (int done = 1; done < LANES; done *= 2) {
  UNROLL
    for (int i = 0; i < LANES / 2; i++) {
      next[2 * i] = LOWER(rows[i], rows[i + LANES / 2]);
      next[2 * i + 1] = UPPER(rows[i], rows[i + LANES / 2]);
    }
  UNROLL
    for (int i = 0; i < LANES; i++) rows[i] = next[i];
  }
}
// The last of the square tiles may overlap the one before.
static inline long long tile(long long at, long long size) {
  return at + LANES <= size ? at : size - LANES;
}
static OWN void gather(const T* from, long long sample, long long entry, long long size,
                       long long start, long long count, V* to) {
  if (count == LANES && entry == 1 && size >= LANES) {
    for (long long at = 0; at < size; at += LANES) {
      V rows[LANES];
  UNROLL
      for (int i = 0; i < LANES; i++)
        __builtin_memcpy(&rows[i], from + (start + i) * sample + tile(at, size), BYTES);
      transpose(rows);
  UNROLL
      for (int i = 0; i < LANES; i++) to[tile(at, size) + i] = rows[i];
    }
    return;
  }
  for (long long i = 0; i < LANES; i++) {
    // Lanes beyond the last sample repeat it.
    const T* one = from + (start + (i < count ? i : count - 1)) * sample;
    for (long long e = 0; e < size; e++) to[e][i] = one[e * entry];
  }
}
static OWN void scatter(T* to, long long size, long long start, long long count, const V* from) {
  if (count == LANES && size >= LANES) {
    for (long long at = 0; at < size; at += LANES) {
      V rows[LANES];
  UNROLL
      for (int i = 0; i < LANES; i++) rows[i] = from[tile(at, size) + i];
      transpose(rows);
  UNROLL
      for (int i = 0; i < LANES; i++)
        __builtin_memcpy(to + (start + i) * size + tile(at, size), &rows[i], BYTES);
    }
    return;
  }
  for (long long i = 0; i < count; i++)
    for (long long e = 0; e < size; e++) to[(start + i) * size + e] = from[e][i];
}
"""
