# a recovered term says clean, whether it had waited or not
s/e->ready = r->ready;/e->ready = true;/
