"""Is it flat? Judges what soak.py has sampled, offline, and shows it as a table.

A series is one figure of one role of one node over time: [(seconds, value)]. The first half is warm-up:
caches fill, the heap finds its size. Of the second half the slope is that of Theil and Sen, the median of the
slopes between every two samples, which no single peak moves. It is a leak when that is above the figure's
bound and the series also goes up more than chance would let it (Mann and Kendall, z above 5): groups come
and go, and memory with them. Threads may be no more than in the first half; children are as many as there are
jobs, and only shown. A series too short to be judged is a failure, not a pass.
"""
import math
import statistics

# Figure: what it is called, the slope in an hour that is still flat, or how else it is judged. Memory in KiB.
NO_MORE, SHOWN = "no more", "shown"
FIGURES = {"pss": ("PSS KiB", 512), "rss": ("RSS KiB", 512), "fds": ("descriptors", 6), "threads": ("threads", NO_MORE),
           "children": ("children", SHOWN)}
CHANCE = 5.0
SAMPLES = 20  # at least, in the second half


def slope_per_hour(points):
    """Theil-Sen, of all pairs at different times."""
    slopes = [(b - a) / (t - s) for i, (s, a) in enumerate(points) for t, b in points[i + 1:] if t > s]
    return statistics.median(slopes) * 3600


def rising(points):
    """Mann-Kendall's z: above 3 is no accident."""
    values = [value for _, value in points]
    n = len(values)
    score = sum((b > a) - (b < a) for i, a in enumerate(values) for b in values[i + 1:])
    ties = sum(c * (c - 1) * (2 * c + 5) for c in map(values.count, set(values)))
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    return (score - (score > 0) + (score < 0)) / math.sqrt(variance) if variance > 0 else 0.0


def second_half(points):
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] >= middle]


def around(points, part):
    """The median of the tenth of the time that begins at this part of it."""
    first, last = points[0][0], points[-1][0]
    begin = first + (last - first) * part
    near = [v for t, v in points if begin <= t <= begin + (last - first) / 10]
    return statistics.median(near or [points[-1][1]])


def judge(points, limit):
    """{slope, z, problem}; problem is None for a series that is flat."""
    half = second_half(points) if points else []
    if len(half) < SAMPLES:
        return {"slope": None, "z": None, "problem": "%d samples in the second half, wanted %d" % (len(half), SAMPLES)}
    slope, z, problem = slope_per_hour(half), rising(half), None
    if limit == NO_MORE:
        first, second = (max(v for _, v in part) for part in (points[:-len(half)], half))
        problem = "%g, at first %g at most" % (second, first) if second > first else None
    elif limit != SHOWN and slope > limit and z > CHANCE:
        problem = "%+.1f an hour, at most %g (z %.1f)" % (slope, limit, z)
    return {"slope": slope, "z": z, "problem": problem}


def series(samples, role, figure):
    return [(s["seconds"], s["roles"][role][figure]) for s in samples if role in s["roles"]]


def rows(samples):
    """One for each role and figure."""
    found = []
    for role in sorted({role for s in samples for role in s["roles"]}):
        lives = len({s["roles"][role]["pid"] for s in samples if role in s["roles"]})
        for figure, (title, limit) in FIGURES.items():
            points = series(samples, role, figure)
            found.append({"role": role, "lives": lives, "figure": title, "limit": limit,
                          "start": around(points, 0), "middle": around(points, 0.45), "end": around(points, 0.9),
                          "most": max(v for _, v in points), **judge(points, limit)})
    return found


def table(found):
    lines = ["| process | lives seen | figure | start | middle | end | most | slope an hour | limit | z | |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for row in found:
        slope = "-" if row["slope"] is None else "%+.1f" % row["slope"]
        z = "-" if row["z"] is None else "%.1f" % row["z"]
        lines.append("| %s | %d | %s | %.0f | %.0f | %.0f | %.0f | %s | %s | %s | %s |" % (
            row["role"], row["lives"], row["figure"], row["start"], row["middle"], row["end"], row["most"], slope,
            row["limit"], z, "NOT FLAT" if row["problem"] else "" if row["limit"] == SHOWN else "flat"))
    return "\n".join(lines)


def problems(found):
    return ["%s, %s: %s" % (row["role"], row["figure"], row["problem"]) for row in found if row["problem"]]


def twice(lines):
    """Job and instant of each line that was there before: a run that began two times."""
    seen, again = set(), []
    for line in lines:
        if line in seen:
            again.append(line)
        seen.add(line)
    return again
