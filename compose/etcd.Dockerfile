# etcd of Debian 12, and the three things that containers of compose do with it.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        etcd-server etcd-client openssl curl >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY compose/secrets compose/member compose/auth /usr/local/bin/
