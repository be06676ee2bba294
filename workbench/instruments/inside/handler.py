"""The signal handler of the sampler in the process: machine code that copies a thread's stack and comes back.

It is written in Python, compiled by numba where the workbench runs, and taken out of the object file as bare machine code
that calls nothing and refers to nothing. So the process that is watched needs no numba and no C compiler: it maps the
bytes, and has the kernel call them on each tick of a thread's processor time.

What the handler reads of the interrupted thread it reads through the kernel (process_vm_readv on its own process), which
says so where an address is not readable: a stack that is just being changed gives a short sample, never a fault. The
handler takes no lock, allocates nothing and leaves `errno` alone.

Samples lie in a file that is mapped: they outlive a process that is killed. There are SLOTS records; when all are taken,
each further sample replaces a random one with the probability that keeps all samples of the run equally likely (reservoir
sampling, Vitter 1985, algorithm R). So memory is bounded however long a program runs.

Layout, in words of 8 bytes: the HEAD_* words, then the records, each with the REC_* words and room for its parts.
"""

from __future__ import annotations

import platform
import struct
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import EnvironmentFault
from workbench.files import cache_folder, sha256_of, written_whole

# --- head of the file of samples
HEAD_ON, HEAD_TAKEN, HEAD_SLOTS, HEAD_PID = range(4)
# How Python's frames are found; see python_frames.py. STEPS 0: not at all.
HEAD_STEPS, HEAD_FIRST_STEP, HEAD_SECOND_STEP, HEAD_CODE, HEAD_PREVIOUS, HEAD_INSTRUCTION, HEAD_KEY = range(4, 11)
HEAD_HIDDEN = 11  # the first of MOST_HIDDEN words
HEAD_WORDS = 64

# --- a thread's control block; the words behind BLOCK_REMOTE_SIZE are room to work in
BLOCK_HEAD, BLOCK_THREAD, BLOCK_STATE, BLOCK_RANDOM = range(4)
BLOCK_LOCAL, BLOCK_LOCAL_SIZE, BLOCK_REMOTE, BLOCK_REMOTE_SIZE = range(4, 8)
BLOCK_WORD, BLOCK_PAGE = 8, 9
FRAME_WORDS = 16  # of an interpreter's frame, the words that hold what is wanted
MOST_PYTHON = 128
MOST_HIDDEN = 4
MOST_NATIVE = 96
STACK_WORDS = 160
PAGE_BYTES = 4096
BLOCK_KEYS = 16  # an address and a size each, to read the keys of all code objects at once
BLOCK_COPY = BLOCK_KEYS + 2 * MOST_PYTHON  # of the page at BLOCK_PAGE, where that is not 0
BLOCK_WORDS = BLOCK_COPY + PAGE_BYTES // 8

# --- a record
REC_BUSY, REC_THREAD, REC_SECONDS, REC_NANOSECONDS, REC_PC, REC_SP, REC_BP = range(7)
REC_NATIVE_COUNT, REC_PYTHON_COUNT, REC_STACK_BYTES, REC_TICKET = range(7, 11)
REC_NATIVE = 11  # pairs: saved frame pointer, return address
REC_PYTHON = REC_NATIVE + 2 * MOST_NATIVE  # code object, and above bit 48 the instruction in units of 2 bytes
REC_KEYS = REC_PYTHON + MOST_PYTHON
REC_STACK = REC_KEYS + MOST_PYTHON
REC_WORDS = REC_STACK + STACK_WORDS
NO_INSTRUCTION = 0xFFFF

SLOTS = 1 << 14

_CLOCK_GETTIME, _PROCESS_VM_READV = 228, 310
_CLOCK_MONOTONIC = 1
_SIGNAL_VALUE = 24  # siginfo_t: what timer_create was given
_CONTEXT_BP, _CONTEXT_SP, _CONTEXT_PC = 120, 160, 168  # ucontext_t of x86-64
_SHT_PROGBITS, _SHT_RELA, _SHF_EXECUTABLE = 1, 4, 4


class HandlerError(Exception):
    """The handler cannot be made here."""


@cache
def machine_code() -> bytes:
    """The handler as position-independent code: void handler(int signal, siginfo_t *, ucontext_t *), its entry first.

    It is kept in the workbench's cache. Raises HandlerError where the processor is no x86-64 or numba does not give code
    that stands alone.
    """
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        raise HandlerError(f"the sampler is for Linux on x86-64, this is {platform.system()} on {platform.machine()}")
    kept = cache_folder("sampler") / f"{sha256_of(Path(__file__))[:16]}.bin"
    if kept.is_file():
        return kept.read_bytes()
    code = _text_of(_compiled())
    with suppress(OSError, EnvironmentFault):  # a cache that cannot be written costs seconds, no more
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(kept) as part:
            part.write_bytes(code)
    return code


def _compiled() -> bytes:
    """An object file with the handler as its only function."""
    import llvmlite.binding as llvm
    from numba import njit, types

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # for system calls
    handle = _handler()
    signature = types.int64(types.int64, types.int64)
    function = njit(signature, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(handle)
    module = llvm.parse_assembly(function.inspect_llvm(function.signatures[0]))
    inner = next(each for each in module.functions if not each.is_declaration and "handle" in each.name)
    module.link_in(llvm.parse_assembly(_ENTRY.format(inner=inner.name)))
    for each in [*module.functions, *module.global_variables]:
        if not each.is_declaration and each.name != "entry":
            each.linkage = "internal"
    # Plain x86-64: the handler shall run wherever the program does, and needs no vectors.
    machine = llvm.Target.from_default_triple().create_target_machine("x86-64", "", 2, "pic", "small")
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


_ENTRY = """
declare i32 @"{inner}"(ptr, ptr, i64, i64) alwaysinline
define void @entry(i32 %signal, ptr %info, ptr %context) {{
  %result = alloca i64
  %error = alloca ptr
  %i = ptrtoint ptr %info to i64
  %c = ptrtoint ptr %context to i64
  %status = call i32 @"{inner}"(ptr %result, ptr %error, i64 %i, i64 %c)
  ret void
}}
"""


def _text_of(elf: bytes) -> bytes:
    """The only executable section of an object file. Raises HandlerError where it refers to anything outside."""
    offset, size, count = struct.unpack_from("<40xQ10xHH2x", elf)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + index * size) for index in range(count)]
    texts = [
        at for at, each in enumerate(sections) if each[1] == _SHT_PROGBITS and each[2] & _SHF_EXECUTABLE and each[5]
    ]
    moved = [each for each in sections if each[1] == _SHT_RELA and each[7] in texts and each[5]]
    if len(texts) != 1 or moved:
        raise HandlerError("the signal handler was not compiled to code that stands alone: another version of numba?")
    at, length = sections[texts[0]][4:6]
    return elf[at : at + length]


def _handler() -> Any:
    """The handler as a function of the addresses of siginfo_t and ucontext_t."""
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic

    word = ir.IntType(64)

    @intrinsic
    def load(_typing: Any, _address: Any) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], word.as_pointer()))

        return types.int64(types.int64), lower

    @intrinsic
    def store(_typing: Any, _address: Any, _value: Any) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            builder.store(arguments[1], builder.inttoptr(arguments[0], word.as_pointer()))
            return arguments[1]

        return types.int64(types.int64, types.int64), lower

    @intrinsic
    def fetch_add(_typing: Any, _address: Any, _value: Any) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], word.as_pointer())
            return builder.atomic_rmw("add", place, arguments[1], "monotonic")

        return types.int64(types.int64, types.int64), lower

    @intrinsic
    def system_call(_typing: Any, _number: Any, _a: Any, _b: Any, _c: Any, _d: Any, _e: Any, _f: Any) -> Any:
        def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(word, [word] * 7)
            registers = "={rax},{rax},{rdi},{rsi},{rdx},{r10},{r8},{r9},~{rcx},~{r11},~{memory}"
            return builder.asm(kind, "syscall", registers, arguments, True)

        return types.int64(*[types.int64] * 7), lower

    inline = njit(inline="always", error_model="numpy")

    @inline
    def copy(block: Any, head: Any, source: Any, target: Any, size: Any) -> Any:
        """Copy bytes of this process; returns how many could be read, less than 0 where none."""
        store(block + 8 * BLOCK_LOCAL, target)
        store(block + 8 * BLOCK_LOCAL_SIZE, size)
        store(block + 8 * BLOCK_REMOTE, source)
        store(block + 8 * BLOCK_REMOTE_SIZE, size)
        local, remote = block + 8 * BLOCK_LOCAL, block + 8 * BLOCK_REMOTE
        return system_call(_PROCESS_VM_READV, load(head + 8 * HEAD_PID), local, 1, remote, 1, 0)

    @inline
    def copied(block: Any, head: Any, at: Any, size: Any) -> Any:
        """Where a copy of so many bytes of this process lies; 0 where they cannot be read. Pages are read whole, for what is
        wanted next lies on the same one mostly: a call of the kernel for each frame would cost three times as much."""
        target, page = block + 8 * BLOCK_COPY, at & -PAGE_BYTES
        if at + size > page + PAGE_BYTES:
            store(block + 8 * BLOCK_PAGE, 0)
            return target if copy(block, head, at, target, size) == size else 0
        if load(block + 8 * BLOCK_PAGE) != page:
            store(block + 8 * BLOCK_PAGE, 0)
            if copy(block, head, page, target, PAGE_BYTES) != PAGE_BYTES:
                return 0
            store(block + 8 * BLOCK_PAGE, page)
        return target + at - page

    @inline
    def chosen_slot(block: Any, head: Any, taken: Any) -> Any:
        """Where this sample goes, `taken` having come before it; less than 0 where it is left out."""
        slots = load(head + 8 * HEAD_SLOTS)
        if taken < slots:
            return taken
        state = load(block + 8 * BLOCK_RANDOM)  # xorshift64, Marsaglia 2003
        state ^= state << 13
        state ^= (state >> 7) & 0x01FFFFFFFFFFFFFF
        state ^= state << 17
        store(block + 8 * BLOCK_RANDOM, state)
        slot = (state & 0x7FFFFFFFFFFFFFFF) % (taken + 1)
        return slot if slot < slots else -1

    @inline
    def native_frames(block: Any, head: Any, record: Any, sp: Any, bp: Any) -> Any:
        """Follow saved frame pointers up the stack, whatever code they belong to."""
        count, below, at = 0, sp, bp
        while count < MOST_NATIVE and at >= below and at & 7 == 0:
            pair = copied(block, head, at, 16)
            if pair == 0:
                break
            store(record + 8 * (REC_NATIVE + 2 * count), load(pair))
            store(record + 8 * (REC_NATIVE + 2 * count + 1), load(pair + 8))
            count += 1
            below = at + 16
            at = load(pair)
        return count

    @inline
    def is_hidden(head: Any, code: Any) -> Any:
        """Whether a frame is one of the interpreter's own, which no function belongs to."""
        found = False
        for n in range(MOST_HIDDEN):
            found |= code == load(head + 8 * (HEAD_HIDDEN + n))
        return found

    @inline
    def python_frames(block: Any, head: Any, record: Any) -> Any:
        """Follow the interpreter's own frames, innermost first; less than 0 where they cannot be known."""
        at, steps = load(block + 8 * BLOCK_STATE), load(head + 8 * HEAD_STEPS)
        if at == 0 or steps == 0:
            return -1
        word = block + 8 * BLOCK_WORD
        if copy(block, head, at + load(head + 8 * HEAD_FIRST_STEP), word, 8) != 8:
            return -1
        at = load(word)
        if steps == 2:
            if copy(block, head, at + load(head + 8 * HEAD_SECOND_STEP), word, 8) != 8:
                return -1
            at = load(word)
        count = seen = 0
        while count < MOST_PYTHON and seen < 2 * MOST_PYTHON and at != 0:
            frame = copied(block, head, at, 8 * FRAME_WORDS)
            if frame == 0:
                break
            seen += 1
            at = load(frame + load(head + 8 * HEAD_PREVIOUS))
            code = load(frame + load(head + 8 * HEAD_CODE))
            if is_hidden(head, code):
                continue
            step = (load(frame + load(head + 8 * HEAD_INSTRUCTION)) - code) >> 1
            if step < 0 or step > NO_INSTRUCTION:
                step = NO_INSTRUCTION
            store(record + 8 * (REC_PYTHON + count), code | step << 48)
            store(block + 8 * (BLOCK_KEYS + 2 * count), code + load(head + 8 * HEAD_KEY))
            store(block + 8 * (BLOCK_KEYS + 2 * count + 1), 8)
            count += 1
        # The key of each code object tells it from another one that lies at its place later.
        store(block + 8 * BLOCK_LOCAL, record + 8 * REC_KEYS)
        store(block + 8 * BLOCK_LOCAL_SIZE, 8 * count)
        local, remote = block + 8 * BLOCK_LOCAL, block + 8 * BLOCK_KEYS
        read = system_call(_PROCESS_VM_READV, load(head + 8 * HEAD_PID), local, 1, remote, count, 0)
        return min(count, max(read, 0) >> 3)

    def handle(info: Any, context: Any) -> Any:
        block = load(info + _SIGNAL_VALUE)
        head = load(block + 8 * BLOCK_HEAD)
        if load(head + 8 * HEAD_ON) == 0:
            return 0
        taken = fetch_add(head + 8 * HEAD_TAKEN, 1)
        slot = chosen_slot(block, head, taken)
        if slot < 0:
            return 0
        record = head + 8 * (HEAD_WORDS + slot * REC_WORDS)
        if fetch_add(record + 8 * REC_BUSY, 1) != 0:
            fetch_add(record + 8 * REC_BUSY, -1)  # another thread has drawn the same slot just now
            return 0
        store(record + 8 * REC_TICKET, taken + 1)
        store(record + 8 * REC_THREAD, load(block + 8 * BLOCK_THREAD))
        system_call(_CLOCK_GETTIME, _CLOCK_MONOTONIC, record + 8 * REC_SECONDS, 0, 0, 0, 0)
        store(block + 8 * BLOCK_PAGE, 0)  # the copy is of another time
        sp, bp = load(context + _CONTEXT_SP), load(context + _CONTEXT_BP)
        store(record + 8 * REC_PC, load(context + _CONTEXT_PC))
        store(record + 8 * REC_SP, sp)
        store(record + 8 * REC_BP, bp)
        store(record + 8 * REC_NATIVE_COUNT, native_frames(block, head, record, sp, bp))
        store(record + 8 * REC_PYTHON_COUNT, python_frames(block, head, record))
        store(record + 8 * REC_STACK_BYTES, copy(block, head, sp, record + 8 * REC_STACK, 8 * STACK_WORDS))
        fetch_add(record + 8 * REC_BUSY, -1)
        return 0

    return handle
