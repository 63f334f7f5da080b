"""A plot with two logarithmic axes, as SVG, with nothing but what Python has."""
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 80, 190, 20, 50
COLOURS = ("#1b6ca8", "#c0392b", "#1e8449", "#7d3c98", "#7f8c8d", "#b9770e")


def decades(values):
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


def axis(values, start, length):
    """A function from value to place, and the powers of ten it shows."""
    low, high = decades(values)
    high += high == low
    return (lambda value: start + length * (math.log10(value) - low) / (high - low),
            [10.0 ** e for e in range(low, high + 1)])


def label(value):
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return "%g%s" % (value / unit, name)
    return "%g" % value


def text(x, y, said, anchor="middle", more=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (x, y, anchor, more, said)


def draw(lines, x_name, y_name):
    points = [point for line in lines.values() for point in line]
    place_x, ticks_x = axis([x for x, _ in points], LEFT, WIDTH - LEFT - RIGHT)
    place_y, ticks_y = axis([y for _, y in points], HEIGHT - BOTTOM, -(HEIGHT - TOP - BOTTOM))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
           'font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT, WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>']
    for value in ticks_x:
        x = place_x(value)
        out += ['<path d="M%.1f %d V%d" stroke="#ddd"/>' % (x, TOP, HEIGHT - BOTTOM),
                text(x, HEIGHT - BOTTOM + 18, label(value))]
    for value in ticks_y:
        y = place_y(value)
        out += ['<path d="M%d %.1f H%d" stroke="#ddd"/>' % (LEFT, y, WIDTH - RIGHT),
                text(LEFT - 8, y + 4, label(value), "end")]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(place_x(x), place_y(y)) for x, y in line]
        out += ['<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (
            colour, " ".join("%.1f,%.1f" % place for place in places))]
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*place, colour) for place in places]
        out += [text(places[-1][0] + 8, places[-1][1] + 4, name, "start", ' fill="%s"' % colour)]
    out += [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name),
            text(20, HEIGHT / 2, y_name, more=' transform="rotate(-90 20 %d)"' % (HEIGHT // 2)), "</svg>"]
    return "\n".join(out) + "\n"


def write(path, lines, x_name, y_name):
    """lines: {name: [(x, y), ...]}, all above zero."""
    with open(path, "w") as file:
        file.write(draw(lines, x_name, y_name))
