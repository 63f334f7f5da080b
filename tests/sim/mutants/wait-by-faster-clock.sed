# a waiter takes the larger elapsed time
s/election_v_with_drift(e) - once_elapsed_min(e->wait_since/election_v_with_drift(e) - once_elapsed_max(e->wait_since/
s/int64_t silent = once_elapsed_min/int64_t silent = once_elapsed_max/
