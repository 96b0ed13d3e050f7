FROM python:3.13-slim AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends binutils
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/notifier
COPY requirements.lock ./
# Both secrets are optional, for a package index of your own: see docs/containers.md.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    /opt/notifier/bin/pip install --require-hashes --only-binary :all: --no-compile -r requirements.lock
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY notifier notifier
# Half of the compiled modules is debug symbols.
RUN /opt/notifier/bin/pip install --no-deps --no-build-isolation --no-compile . \
 && /opt/notifier/bin/pip uninstall --yes --quiet pip setuptools \
 && find /opt/notifier -name '*.so' -exec strip --strip-debug {} +

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home notifier
COPY --from=build /opt/notifier /opt/notifier
COPY worker_runner.py /srv/
WORKDIR /srv
ENV PATH=/opt/notifier/bin:$PATH PYTHONUNBUFFERED=1 NOTIFIER_HOST=0.0.0.0 NOTIFIER_PORT=8000
# Bytecode of what runs: the user below cannot write it, and without it a start takes seconds more.
RUN python -c "import notifier.commands.app, notifier.rendering.child, mrml, asyncpg, sendgrid.helpers.mail, twilio.rest.api.v2010.account.message"
ENV PYTHONDONTWRITEBYTECODE=1
USER notifier
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"NOTIFIER_PORT\"]}/healthz', timeout=4)"]
CMD ["notifier", "serve"]
