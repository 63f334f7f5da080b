# clocks are believed to run alike
s/return e->config.fence_after + .*drift_ppm;/return e->config.fence_after;/
