# onced as `make install` lays it out, on nothing but the libraries it is linked with.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
COPY packages.list /src/
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        $(awk '$1 == "build" { print $2 }' /src/packages.list) >/dev/null
COPY . /src
RUN meson setup --buildtype=release -Dprefix=/usr /build /src >/dev/null \
 && ninja --quiet -C /build && DESTDIR=/out meson install -C /build --no-rebuild --quiet \
 && gcc -O2 -o /out/usr/bin/lifejob /src/tests/integration/lifejob.c
# The packages of those libraries, as Debian knows them.
RUN ldd /out/usr/bin/* /out/usr/sbin/* 2>/dev/null | awk '$3 ~ "^/" { print $3 }' | sort -u \
  | xargs -n 1 readlink -f | sed 's,^/usr,,' | xargs -I '{}' dpkg -S '*{}' \
  | cut -d : -f 1 | sort -u >/out/packages

FROM ${BASE}
COPY --from=build /out/packages /usr/share/onced/packages
RUN apt-get -qq update \
 && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
        $(cat /usr/share/onced/packages) >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr /usr
COPY compose/healthy /usr/local/bin/
COPY compose/onced.conf /etc/onced/onced.conf
COPY compose/jobs.d /etc/onced/jobs.d
CMD ["onced"]
