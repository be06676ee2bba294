"""Integer helpers of the specification (section 4.7): ints in, int out. Plain subset: they run interpreted and compiled."""


def round2(x, n):
    """Divide by 2**n and round half up (spec 4.7.2); n = 0 gives x."""
    if n == 0:
        return x
    return (x + (1 << (n - 1))) >> n


def round2_signed(x, n):
    """round2 of the magnitude, with the sign of x (spec 4.7.2)."""
    if x >= 0:
        return round2(x, n)
    return -round2(-x, n)


def clip3(low, high, x):
    """x limited to low..high (spec 4.7.2)."""
    if x < low:
        return low
    if x > high:
        return high
    return x


def clip1(x):
    """x limited to the range of an 8-bit sample (spec 4.7.2)."""
    if x < 0:
        return 0
    if x > 255:
        return 255
    return x


def msb(x):
    """Position of the highest set bit of x > 0 (FloorLog2 and get_msb of spec 4.7)."""
    n = 0
    while x > 1:
        x >>= 1
        n += 1
    return n


def tile_log2(unit, target):
    """The smallest k for which unit << k is at least target (spec 5.9.16)."""
    k = 0
    while (unit << k) < target:
        k += 1
    return k
