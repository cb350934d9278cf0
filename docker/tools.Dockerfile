# The other images: `store` seeds or runs the feature store, `bench` is Locust with our users, `jobs` is what answers
# later; its command names the module: a service, a worker, the dispatcher or the receiver of callbacks.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

FROM base AS installer
ARG REQUIREMENTS
RUN python3 -m venv /opt/installer && python3 -m venv --without-pip /opt/venv
COPY docker/install.sh /opt/
COPY requirements/${REQUIREMENTS}.txt docker/wheels/${REQUIREMENTS}* /wheels/
RUN sh /opt/install.sh ${REQUIREMENTS}

FROM installer AS sources
WORKDIR /app
COPY contract contract
COPY feature_store feature_store
RUN python -m compileall -q /app

FROM sources AS sources-of-bench
COPY benchmark benchmark
COPY sync/contender.toml sync/
COPY async/contender.toml async/
RUN python -m compileall -q /app

FROM sources AS sources-of-jobs
COPY docker/health.py ./
COPY async async
COPY strategies strategies
RUN python -m compileall -q /app

FROM base AS tool
RUN echo 'service:x:10001:10001::/app:/usr/sbin/nologin' >> /etc/passwd && echo 'service:x:10001:' >> /etc/group
COPY --from=installer /opt/venv /opt/venv
WORKDIR /app
ENV PYTHONPATH=/app \
    TMPDIR=/dev/shm
USER 10001:10001
STOPSIGNAL SIGTERM

FROM tool AS store
COPY --from=sources /app /app
ENTRYPOINT ["python", "-m", "feature_store"]
CMD ["seed"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="sync-or-async feature store tools" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}" \
    org.opencontainers.image.licenses="MIT"

FROM tool AS bench
COPY --from=sources-of-bench /app /app
ENTRYPOINT ["locust", "-f", "benchmark/load/locustfile.py"]
CMD ["--class-picker"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="sync-or-async load generator" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}" \
    org.opencontainers.image.licenses="MIT"

FROM tool AS jobs
COPY --from=sources-of-jobs /app /app
ENV PYTHONPATH=/app:/app/async \
    SERVING_HOST=0.0.0.0
ENTRYPOINT ["python", "-m"]
CMD ["strategies.job_rq.service"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="sync-or-async services that answer later" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}" \
    org.opencontainers.image.licenses="MIT"
