"""Sampled runs as the instrument writes them, from a seed: the means are known, the counts are drawn."""

import numpy as np

from workbench.analysis.folded import Recording, parse_frame

KERNELS = "encoder/kernels/set_numba"
MAIN = "main (encoder/cli.py:20);encode (encoder/stream.py:40);encode_frame (encoder/frame/frame.py:77)"
TILE = "tile.walk.encode_tile (encoder/tile/walk.py:61);split (encoder/tile/search.py:88)"
SEARCH = f"{TILE};inter_search [inlined] (encoder/tile/inter_search.py:210)"
SATD = f"set_numba.satd ({KERNELS}/distortion.py:49)"
WORK = {  # stack below its thread -> mean samples of a frame
    f"{SEARCH};{SATD}": 9.0,
    f"{SEARCH};set_numba.satd ({KERNELS}/distortion.py:57);_difference16 [inlined] ({KERNELS}/distortion.py:23)": 6.0,
    f"{SEARCH};set_numba.sad ({KERNELS}/distortion.py:33)": 8.0,
    f"{SEARCH}": 3.0,
    f"{TILE};rd_cost (encoder/tile/choice.py:30);set_numba.forward_transform ({KERNELS}/transform.py:70)": 5.0,
    f"{TILE};rd_cost (encoder/tile/choice.py:31);set_numba.quantize ({KERNELS}/transform.py:99)": 2.5,
    f"{TILE};rd_cost (encoder/tile/choice.py:33);{SATD}": 1.5,
    f"{TILE}": 2.0,
    "tile.walk.encode_tile (encoder/tile/walk.py:66);write_symbol [inlined] (encoder/tile/symbol.py:12)": 4.0,
    "tile.walk.encode_tile (encoder/tile/walk.py:66);[unknown]": 0.2,
}
FRAME = {  # on the main thread only
    f"{MAIN};cdef_frame (encoder/frame/filters.py:31);set_numba.cdef_filter ({KERNELS}/cdef.py:20)": 4.0,
    f"{MAIN};deblock_frame (encoder/frame/filters.py:20);set_numba.deblock_edge ({KERNELS}/deblock.py:15)": 2.0,
    "main (encoder/cli.py:20);encode (encoder/stream.py:44);read (encoder/y4m.py:12);[libc.so.6] read": 0.4,
    "main (encoder/cli.py:22);[libpython3.11.so] PyObject_Call": 0.2,
}
# A line that no version of the file has.
POOL = "Thread.run (threading.py:99999);_worker (concurrent/futures/thread.py:90)"


def means(changed=None):
    """Stack -> mean samples of a frame, on two threads. `changed`: part of a stack -> factor on its samples."""
    all_of_it = {f"thread main;{stack}": mean for stack, mean in FRAME.items()}
    for thread, share in ((f"thread main;{MAIN}", 0.6), (f"thread 2;{POOL}", 0.4)):
        all_of_it |= {f"{thread};{stack}": share * mean for stack, mean in WORK.items()}
    factors = (changed or {}).items()
    return {
        stack: mean * float(np.prod([factor for part, factor in factors if part in stack]))
        for stack, mean in all_of_it.items()
    }


def run(seed, frames=48, rate_hz=997.0, speed=1.0, spread=0.0, changed=None, title="clip 352x288, kernels numba"):
    """One run. speed: factor on all; spread: relative standard deviation of a factor of each stack's own."""
    random = np.random.RandomState(seed)
    folded = {}
    for stack, mean in means(changed).items():
        own = max(1 + spread * random.standard_normal(), 0.05)
        count = int(random.poisson(mean * frames * speed * own))
        if count:
            folded[stack] = count
    seconds = sum(folded.values()) / rate_hz
    unknown = sum(count for stack, count in folded.items() if stack.endswith("[unknown]"))
    return Recording(folded, "sampler", rate_hz, seconds, frames, unknown / sum(folded.values()), title)


def write_sources(root):
    """Files in which every line that WORK and FRAME run is code of the function that ran it; returns their folder."""
    ran = {}
    for stack in means():
        for frame in map(parse_frame, stack.split(";")):
            if frame.path.startswith("encoder/"):
                ran.setdefault(frame.path, {}).setdefault(frame.bare, set()).add(frame.line)
    for path, functions in ran.items():
        text = [""] * max(line for lines in functions.values() for line in lines)
        for name, lines in functions.items():
            text[min(lines) - 2] = f"def {name}():"
            for line in range(min(lines), max(lines) + 1):
                text[line - 1] = f"    {name}_{line} = {line}  # <{name}>"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("\n".join(text) + "\n")
    return root
