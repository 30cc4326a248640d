# syntax=docker/dockerfile:1
# Two stages: what builds is not in what runs. Everything installed is pinned with hashes in
# requirements.lock; hatchling is among it, so that nothing is fetched to build the package.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/monitor
COPY requirements.lock ./
RUN /opt/monitor/bin/pip install --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md ./
COPY monitor ./monitor
COPY rules ./rules
COPY mappings ./mappings
RUN /opt/monitor/bin/pip install --no-deps --no-build-isolation .
# Compiled for any processor of the architecture, for it is not known where the image will run; the
# same setting below makes the daemon take what was compiled here.
ENV NUMBA_CPU_NAME=generic
WORKDIR /
RUN /opt/monitor/bin/python -m monitor.warm

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 monitor \
 && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/monitor \
      --shell /usr/sbin/nologin monitor \
 && chmod 0750 /var/lib/monitor
COPY --from=build /opt/monitor /opt/monitor
ENV PATH=/opt/monitor/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 NUMBA_CPU_NAME=generic
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/monitor
VOLUME ["/var/lib/monitor"]
EXPOSE 9108
STOPSIGNAL SIGTERM
# http.client, because urllib would ask a configured proxy for 127.0.0.1.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 \
  CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 9108, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["monitor"]
CMD ["run", "-c", "/etc/monitor/config.yaml"]
