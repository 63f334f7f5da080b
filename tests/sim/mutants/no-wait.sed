# work starts as soon as the key is held
s/e->ready = fresh .*/e->ready = fresh || true;/
