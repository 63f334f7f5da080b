#!/usr/bin/python3
"""embed.py PAGE.html OUT.c OUT.h: the page as C, with the hashes of its script and its style, by which the
Content-Security-Policy names them and nothing else."""
import base64
import hashlib
import re
import sys


def hash_of(page, element):
    found = re.findall(rb"<%s>(.*?)</%s>" % (element, element), page, re.S)
    if len(found) != 1:
        sys.exit("embed.py: expected one <%s>, found %d" % (element.decode(), len(found)))
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(found[0]).digest()).decode()


def main(source, out_c, out_h):
    with open(source, "rb") as file:
        page = file.read()
    with open(out_h, "w", encoding="ascii") as file:
        file.write("/* Made from page.html. */\n#ifndef ONCED_PAGE_H\n#define ONCED_PAGE_H\n\n#include <stddef.h>\n\n"
                   "#define PAGE_SCRIPT_HASH \"%s\"\n#define PAGE_STYLE_HASH \"%s\"\n"
                   "extern const unsigned char page_text[];\nextern const size_t page_size;\n\n#endif\n"
                   % (hash_of(page, b"script"), hash_of(page, b"style")))
    with open(out_c, "w", encoding="ascii") as file:
        file.write("/* Made from page.html. */\n#include \"daemon/page.h\"\n\nconst unsigned char page_text[] = {")
        for i, byte in enumerate(page):
            file.write("%s%d," % ("\n" if i % 20 == 0 else "", byte))
        file.write("\n};\nconst size_t page_size = sizeof(page_text);\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
