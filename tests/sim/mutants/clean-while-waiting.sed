# a term that has not waited says clean
s/a.clean = e->ready;/a.clean = true;/
