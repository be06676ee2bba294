"""A walk that calls the kernel it is given."""


def walk(kernel, rounds, calls):
    total = 0
    for _ in range(calls):
        total += kernel(rounds)
    return total
