"""Files to which many processes append lines of words, one write a line."""
import os


def words(path, who, good):
    """The words of each line; None when there is no file. A last line without its newline is being written: left
    out. Any other that is not good(words) is no line of who."""
    if not os.path.exists(path):
        return None
    with open(path) as file:
        text = file.read()
    found = [raw.split(" ") for raw in text[:text.rfind("\n") + 1].splitlines()]
    for line in found:
        if not good(line):
            raise ValueError("not a line of %s: %r" % (who, " ".join(line)[:80]))
    return found
