# a waiter takes the larger elapsed time
s/v_with_drift(e) - once_elapsed_min(e->wait_since/v_with_drift(e) - once_elapsed_max(e->wait_since/
s/int64_t silent = once_elapsed_min/int64_t silent = once_elapsed_max/
