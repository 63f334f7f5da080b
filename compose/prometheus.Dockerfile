# Prometheus of Debian 12, which reads the three nodes' metrics and knows the alert rules that are shipped.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install prometheus >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY compose/healthy /usr/local/bin/
COPY compose/prometheus.yml conf/monitoring/onced.rules.yml /etc/prometheus/
CMD ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data", \
     "--storage.tsdb.retention.time=1d"]
