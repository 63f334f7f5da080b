#!/usr/bin/python3
"""oncectl-calendar.py ONCECTL: what `oncectl calendar` prints, and what it refuses with which exit code."""
import json
import os
import subprocess
import sys

import common

AFTER = "2026-03-27T12:00:00Z"
BERLIN = ["--tz", "Europe/Berlin", "--after", AFTER]
TABLE = """\
LOCAL                         UTC                   REMARK
Sat 2026-03-28 02:30:00 CET   2026-03-28T01:30:00Z  -
Sun 2026-03-29 03:00:00 CEST  2026-03-29T01:00:00Z  stands for 2026-03-29 02:30:00, which the clock skips
Mon 2026-03-30 02:30:00 CEST  2026-03-30T00:30:00Z  -
"""
HOURLY = """\
LOCAL                         UTC                   REMARK
Sun 2026-03-29 01:00:00 CET   2026-03-29T00:00:00Z  -
Sun 2026-03-29 03:00:00 CEST  2026-03-29T01:00:00Z  the clock has been set forward by 1h
"""
# arguments, exit code, text that must be in the only line on standard error
REFUSED = (
    (["0 25 * * *"], 2, 'bad schedule "0 25 * * *": column 3: "25" is out of range, expected an hour, 0 to 23'),
    (["@reboot"], 2, "a cluster does not boot"),
    ([], 2, "expected oncectl calendar EXPRESSION"),
    ([""], 2, "empty"),
    (["a\nb\x1b[31m"], 2, "bad schedule"),
    (["@daily", "--tz", "Europe/Nowhere"], 2, 'there is no time zone "Europe/Nowhere"'),
    (["@daily", "--tz", "../../../etc/passwd"], 2, "there is no time zone"),
    (["@daily", "--tz", "/etc/localtime"], 2, "there is no time zone"),
    (["@daily", "--tz", "Europe"], 2, "there is no time zone"),
    (["daily Nowhere"], 2, 'there is no time zone "Nowhere"'),
    (["daily UTC", "--tz", "Europe/Berlin"], 2, "--tz: the expression names its time zone itself, UTC"),
    (["@daily", "-n", "0"], 2, "-n: bad number"),
    (["@daily", "-n", "1001"], 2, "-n: bad number"),
    (["@daily", "--after", "yesterday"], 2, "--after: bad time"),
    (["2020-01-01", "--after", AFTER], 1, "is not due again after " + AFTER),
)


def call(program, *words):
    done = subprocess.run([program, "calendar", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def expect(tap, name, got, expected):
    tap.case(name, [] if got == expected else ["%r, expected %r" % (got, expected)])


def main():
    program, tap = sys.argv[1], common.Tap()
    expect(tap, "a gap", call(program, "30 2 * * *", "-n", "3", *BERLIN), (0, TABLE, ""))
    expect(tap, "words that are not quoted", call(program, "30", "2", "*", "*", "*", "-n=3", *BERLIN),
           (0, TABLE, ""))
    expect(tap, "a clock that was set", call(
        program, "@hourly", "-n", "2", "--tz", "Europe/Berlin", "--after", "2026-03-28T23:30:00Z"),
           (0, HOURLY, ""))
    code, out, err = call(program, "--json", "-n", "2", "30 2 * * *", "--tz", "Europe/Berlin", "--after",
                          "2026-03-28T12:00:00Z")
    expect(tap, "json", (code, json.loads(out), err), (0, {
        "expression": "30 2 * * *", "zone": "Europe/Berlin", "instants": [
            {"utc": "2026-03-29T01:00:00Z", "unix": 1774746000, "local": "2026-03-29T03:00:00+02:00",
             "abbreviation": "CEST", "remark": "gap", "skipped": "2026-03-29T02:30:00"},
            {"utc": "2026-03-30T00:30:00Z", "unix": 1774830600, "local": "2026-03-30T02:30:00+02:00",
             "abbreviation": "CEST", "remark": None}]}, ""))
    refused = REFUSED
    if os.path.exists("/usr/share/zoneinfo/right/UTC"):
        refused += ((["@daily", "--tz", "right/UTC"], 1, "leap seconds"),)
    for words, code, said in refused:
        got, out, err = call(program, *words)
        right = got == code and out == "" and said in err and err.count("\n") == 1 and "\x1b" not in err
        tap.case("refuses %r" % words, [] if right else [repr((got, out, err))])
    tap.finish()


if __name__ == "__main__":
    main()
