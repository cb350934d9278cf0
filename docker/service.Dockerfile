# The services of one architecture. The command selects one: `scoring` or `model`.
# `make docker-build` builds it; by hand: docker build -f docker/service.Dockerfile --build-arg ARCHITECTURE=sync .
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# The installer stays out of the final image, so that it contains no pip.
FROM base AS installer
RUN python3 -m venv /opt/installer && python3 -m venv --without-pip /opt/venv
COPY docker/install.sh /opt/

# The unit tests of the services. The stage does not depend on the architecture, so both images share it. If a test
# fails, neither image is built.
FROM installer AS tests
COPY requirements/test.txt docker/wheels/test* /wheels/
RUN sh /opt/install.sh test
WORKDIR /app
COPY pyproject.toml ./
COPY contract contract
COPY feature_store feature_store
COPY sync sync
COPY async async
COPY benchmark benchmark
COPY tests tests
ENV PYTHONPATH=/app:/app/sync:/app/async
RUN python -m pytest -x -p no:cacheprovider tests/unit/contract tests/unit/feature_store tests/unit/services \
    && echo passed > /passed

# Only the locked requirements of this architecture.
FROM installer AS dependencies
ARG ARCHITECTURE
COPY requirements/${ARCHITECTURE}.txt docker/wheels/${ARCHITECTURE}* /wheels/
RUN sh /opt/install.sh ${ARCHITECTURE}

# Our own modules, compiled, with the ports of both services for the health check.
FROM dependencies AS sources
ARG ARCHITECTURE
WORKDIR /app
COPY docker/health.py ./
COPY contract contract
COPY feature_store feature_store
COPY ${ARCHITECTURE} ${ARCHITECTURE}
RUN python -m compileall -q /app \
    && python -c "import json; from contract.settings import PORTS; \
print(json.dumps({role: port for (name, role), port in PORTS.items() if name == '${ARCHITECTURE}'}))" > ports.json
# This file exists only if the tests have passed.
COPY --from=tests /passed /opt/passed

FROM base AS service
ARG ARCHITECTURE
RUN echo 'service:x:10001:10001::/app:/usr/sbin/nologin' >> /etc/passwd && echo 'service:x:10001:' >> /etc/group
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=sources /app /app
WORKDIR /app
# Temporary files go to memory, so that the root file system can be read-only.
ENV ARCHITECTURE=${ARCHITECTURE} \
    PYTHONPATH=/app:/app/${ARCHITECTURE} \
    SERVING_HOST=0.0.0.0 \
    TMPDIR=/dev/shm
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["python", "/app/health.py"]
ENTRYPOINT ["sh", "-c", "exec python -m ${ARCHITECTURE}_api.server \"$@\"", "serve"]
CMD ["scoring"]
# Last, because they change with every commit.
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="sync-or-async ${ARCHITECTURE} services" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${COMMIT}" \
    org.opencontainers.image.licenses="MIT"
