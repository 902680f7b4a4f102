# One image for a commune and for the province. First `mboka init --data /data ...`, then serve behind a TLS proxy.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock ./
# Fetch everything checked by hash, then take from that only what the server needs.
RUN pip download --no-cache-dir --require-hashes -r requirements.lock -d /wheels
COPY pyproject.toml README.md NOTICE ./
COPY LICENSES LICENSES
COPY app app
COPY sync sync
COPY migrations migrations
RUN python -m venv /opt/mboka && /opt/mboka/bin/pip install --no-cache-dir --no-index --find-links /wheels .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home mboka && install -d -o mboka -g mboka /data
COPY --from=build /opt/mboka /opt/mboka
USER mboka
VOLUME /data
EXPOSE 8017
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["/opt/mboka/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8017/sync/v1/hello', timeout=4)"]
ENTRYPOINT ["/opt/mboka/bin/mboka"]
CMD ["serve", "--data", "/data", "--host", "0.0.0.0", "--port", "8017", "--behind-proxy"]
