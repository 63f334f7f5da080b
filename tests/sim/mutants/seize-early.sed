# a seizure after 0.6 V(1 + delta)
s/max64(election_v_with_drift(e) + e->config.stand_back - silent,/max64(election_v_with_drift(e) * 6 \/ 10 - silent,/
