"""LLVM functions that bring samples from tensors of any layout into lanes, and results back.

A tensor has one row per sample; a program wants one vector per entry, with a sample in each lane. Blocks of
as many samples as there are lanes are transposed in registers on the way in and out, so that no tensor is
ever copied as a whole and what a block needs stays in the first cache.
"""

from __future__ import annotations

from casadi_dynamics.compiled.llvm.vectors import VectorText

#: Rows and columns of the squares that are transposed at a time: half of an AVX-512 register, which measured
#: faster than a whole one.
TILE = {"double": 4, "float": 8}


def transfers(lanes: int, scalar: str) -> tuple[str, set[str]]:
    """Return the LLVM functions `@pack` and `@unpack`.

    `@pack` takes a tensor's (address, sample stride, entry stride), a table of entries and how many they are,
    whether these are all entries in order, the block's first sample, the sample before which vectors are
    fresh memory, the run's last (exclusive) sample, and where the vectors go. A stride of 0 between samples
    is a value for all samples, brought in to fresh memory only. `@unpack` takes vectors, how many they are,
    the block's first and the run's last sample, the address of the contiguous rows, and memory for one row
    that is not wanted. Vectors come and go in multiples of `TILE`.

    Parameters
    ----------
    scalar : str
        'double' or 'float'.

    Returns
    -------
    tuple of str and set of str
        The functions, and the declarations that they need.
    """
    whole, tile = VectorText(lanes, scalar), VectorText(TILE[scalar], scalar)
    texts = [_PACK, _shared(whole), _strided(whole), _rows(tile, lanes), _unpack(tile, lanes)]
    declarations = {"declare i64 @llvm.smin.i64(i64, i64)"}
    return "\n".join(texts), declarations | whole.declarations | tile.declarations


_PACK = """
define internal void @pack(ptr %tensor, ptr %table, i64 %entries, i1 %dense, i64 %at, i64 %fresh, i64 %last, ptr %to) {
entry:
  %from = load ptr, ptr %tensor
  %second = getelementptr i64, ptr %tensor, i64 1
  %sample_stride = load i64, ptr %second
  %third = getelementptr i64, ptr %tensor, i64 2
  %entry_stride = load i64, ptr %third
  %is_shared = icmp eq i64 %sample_stride, 0
  br i1 %is_shared, label %shared, label %each
shared:
  %is_fresh = icmp slt i64 %at, %fresh
  br i1 %is_fresh, label %once, label %done
once:
  call void @pack_shared(ptr %from, i64 %entry_stride, ptr %table, i64 %entries, ptr %to)
  br label %done
each:
  %close = icmp eq i64 %entry_stride, 1
  %in_rows = and i1 %close, %dense
  br i1 %in_rows, label %rows, label %strided
rows:
  call void @pack_rows(ptr %from, i64 %sample_stride, i64 %entries, i64 %at, i64 %last, ptr %to)
  br label %done
strided:
  call void @pack_strided(ptr %from, i64 %sample_stride, i64 %entry_stride, ptr %table, i64 %entries, i64 %at, i64 %last, ptr %to)
  br label %done
done:
  ret void
}
"""  # noqa: E501


def _shared(write: VectorText) -> str:
    source = write.assign("getelementptr i64, ptr %table, i64 %k")
    entry = write.assign(f"load i64, ptr {source}")
    index = write.assign(f"mul i64 {entry}, %entry_stride")
    pointer = write.assign(f"getelementptr {write.scalar}, ptr %from, i64 {index}")
    value = write.broadcast(write.assign(f"load {write.scalar}, ptr {pointer}"))
    _store_vector(write, value, "%to", "%k")
    parameters = "ptr %from, i64 %entry_stride, ptr %table, i64 %entries, ptr %to"
    return _loop("pack_shared", parameters, "", write.take())


def _strided(write: VectorText) -> str:
    offsets = [write.assign(f"mul i64 {s}, %sample_stride") for s in _samples(write, write.lanes)]
    before = write.take()
    source = write.assign("getelementptr i64, ptr %table, i64 %k")
    entry = write.assign(f"load i64, ptr {source}")
    index = write.assign(f"mul i64 {entry}, %entry_stride")
    start = write.assign(f"getelementptr {write.scalar}, ptr %from, i64 {index}")
    vector = "undef"
    for lane, offset in enumerate(offsets):
        pointer = write.assign(f"getelementptr {write.scalar}, ptr {start}, i64 {offset}")
        value = write.assign(f"load {write.scalar}, ptr {pointer}")
        vector = write.assign(f"insertelement {write.vector} {vector}, {write.scalar} {value}, i32 {lane}")
    _store_vector(write, vector, "%to", "%k")
    parameters = (
        "ptr %from, i64 %sample_stride, i64 %entry_stride, ptr %table, i64 %entries, "
        "i64 %at, i64 %last, ptr %to"
    )
    return _loop("pack_strided", parameters, before, write.take())


def _rows(write: VectorText, lanes: int) -> str:
    """Transpose tiles; of the last tile only as many columns are read as there are."""
    offsets = [write.assign(f"mul i64 {s}, %stride") for s in _samples(write, lanes)]
    rows = [write.assign(f"getelementptr {write.scalar}, ptr %from, i64 {o}") for o in offsets]
    before = write.take()

    def tile(read) -> str:
        for first in range(0, lanes, write.lanes):
            columns = [read(_entry(write, row)) for row in rows[first : first + write.lanes]]
            for k, column in enumerate(_transposed(write, columns)):
                pointer = _part_of_vector(write, lanes, "%to", k, first)
                write.lines.append(f"store {write.vector} {column}, ptr {pointer}")
        return write.take()

    whole = tile(lambda pointer: write.assign(f"load {write.vector}, ptr {pointer}, align {write.bytes}"))
    parts = tile(lambda pointer: write.masked_load(pointer, "%mask"))
    parameters = "ptr %from, i64 %stride, i64 %entries, i64 %at, i64 %last, ptr %to"
    return _tiles("pack_rows", parameters, before, whole, parts, write)


def _unpack(write: VectorText, lanes: int) -> str:
    rows = []
    for lane in range(lanes):
        sample = write.assign(f"add i64 %at, {lane}")
        offset = write.assign(f"mul i64 {sample}, %entries")
        row = write.assign(f"getelementptr {write.scalar}, ptr %to, i64 {offset}")
        wanted = write.assign(f"icmp slt i64 {sample}, %last")
        rows.append(write.assign(f"select i1 {wanted}, ptr {row}, ptr %unwanted"))
    before = write.take()

    def tile(put) -> str:
        for first in range(0, lanes, write.lanes):
            places = [_part_of_vector(write, lanes, "%from", k, first) for k in range(write.lanes)]
            columns = [write.assign(f"load {write.vector}, ptr {place}") for place in places]
            for row, values in zip(rows[first:], _transposed(write, columns), strict=False):
                put(values, _entry(write, row))
        return write.take()

    whole = tile(lambda v, p: write.lines.append(f"store {write.vector} {v}, ptr {p}, align {write.bytes}"))
    parts = tile(lambda v, p: write.masked_store(v, p, "%mask"))
    parameters = "ptr %from, i64 %entries, i64 %at, i64 %last, ptr %to, ptr %unwanted"
    return _tiles("unpack", parameters, before, whole, parts, write)


def _samples(write: VectorText, lanes: int) -> list[str]:
    """Return the sample of each lane; lanes beyond the last sample repeat it."""
    final = write.assign("sub i64 %last, 1")
    wanted = [write.assign(f"add i64 %at, {lane}") for lane in range(lanes)]
    return [write.assign(f"call i64 @llvm.smin.i64(i64 {sample}, i64 {final})") for sample in wanted]


def _entry(write: VectorText, row: str) -> str:
    return write.assign(f"getelementptr {write.scalar}, ptr {row}, i64 %e")


def _part_of_vector(write: VectorText, lanes: int, base: str, entry: int, first: int) -> str:
    """Return where lane `first` lies of the vector of an entry, counted from `%e` on."""
    vector = write.assign(f"add i64 %e, {entry}")
    start = write.assign(f"mul i64 {vector}, {lanes}")
    index = write.assign(f"add i64 {start}, {first}")
    return write.assign(f"getelementptr {write.scalar}, ptr {base}, i64 {index}")


def _transposed(write: VectorText, rows: list[str]) -> list[str]:
    """Swap blocks across the diagonal, of 1 x 1 in blocks of 2 x 2, then of 2 x 2 in 4 x 4, and so on."""
    rows, size = list(rows), write.lanes
    step = 1
    while step < size:
        for i in (i for i in range(size) if not i & step):
            above = [j if not j & step else size + j - step for j in range(size)]
            below = [j + step if not j & step else size + j for j in range(size)]
            pair = rows[i], rows[i + step]
            rows[i], rows[i + step] = write.shuffle(*pair, above), write.shuffle(*pair, below)
        step *= 2
    return rows


def _store_vector(write: VectorText, vector: str, to: str, index: str) -> None:
    pointer = write.assign(f"getelementptr {write.vector}, ptr {to}, i64 {index}")
    write.lines.append(f"store {write.vector} {vector}, ptr {pointer}")


def _loop(name: str, parameters: str, before: str, body: str) -> str:
    return f"""
define internal void @{name}({parameters}) {{
entry:
  {before}
  %any = icmp sgt i64 %entries, 0
  br i1 %any, label %each, label %done
each:
  %k = phi i64 [ 0, %entry ], [ %next, %each ]
  {body}
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %entries
  br i1 %more, label %each, label %done
done:
  ret void
}}
"""


def _tiles(name: str, parameters: str, before: str, whole: str, part: str, write: VectorText) -> str:
    columns = ", ".join(f"i64 {lane}" for lane in range(write.lanes))
    integers = f"<{write.lanes} x i64>"
    return f"""
define internal void @{name}({parameters}) {{
entry:
  {before}
  br label %next
next:
  %e = phi i64 [ 0, %entry ], [ %after, %whole ]
  %after = add i64 %e, {write.lanes}
  %fits = icmp sle i64 %after, %entries
  br i1 %fits, label %whole, label %rest
whole:
  {whole}
  br label %next
rest:
  %left = sub i64 %entries, %e
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %part, label %done
part:
  %one = insertelement {integers} undef, i64 %left, i32 0
  %all = shufflevector {integers} %one, {integers} undef, <{write.lanes} x i32> zeroinitializer
  %mask = icmp slt {integers} <{columns}>, %all
  {part}
  br label %done
done:
  ret void
}}
"""
