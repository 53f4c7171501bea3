# Two stages: the first builds the environment; the second holds it, the config and the data, and
# no compiler. Build: docker build -t segue .   Run: docker run -p 8000:8000 segue
#
# The base is named by its exact version; `docker buildx imagetools inspect` gives its digest.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
# Dependencies first, with the build's own: by version and hash, so a package that was exchanged in
# the registry ends the build. The layer is made again only when the file changes.
COPY deploy/requirements.txt ./deploy/
RUN python -m venv /venv && \
    /venv/bin/python -m pip install --no-cache-dir --require-hashes -r deploy/requirements.txt
COPY pyproject.toml setup.py README.md LICENSE config.yaml ./
COPY data ./data
COPY core ./core
COPY strategies ./strategies
COPY events ./events
COPY engine ./engine
COPY app ./app
COPY simulator ./simulator
COPY analysis ./analysis
COPY training ./training
COPY audit ./audit
COPY learning ./learning
COPY cli ./cli
COPY segue ./segue
RUN /venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11.14-slim-bookworm
RUN useradd --create-home --uid 10001 segue
WORKDIR /srv/segue
COPY --from=build /venv /venv
COPY config.yaml ./
COPY data ./data
# The event log, and in it the record of started experiments, outlive the container.
RUN mkdir log && chown segue log
USER segue
EXPOSE 8000 8001
VOLUME ["/srv/segue/log"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["/venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["/venv/bin/segue", "serve", "--config", "config.yaml", "--host", "0.0.0.0", "--port", "8000", "--admin-address", "0.0.0.0:8001"]
