"""A kernel that does nothing of use, long enough to be seen."""


def churn(rounds):
    total = 1
    for step in range(rounds):
        total = (total * 1103515245 + step) & 0x7FFFFFFF
        if total & 1:
            total ^= step & 0xFF
    return total
