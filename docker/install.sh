# sh install.sh NAME: install the lock /wheels/NAME.txt into /opt/venv, with hashes.
# From the wheels beside it where there are any (`make docker-build` puts them there on a machine
# whose pip is configured for another index), else from where pip looks by default.
set -eu
wheels=/wheels
from=
if ls "$wheels"/*.whl >/dev/null 2>&1; then
    from="--no-index --find-links $wheels"
fi
# shellcheck disable=SC2086
/opt/installer/bin/python -m pip --python /opt/venv/bin/python install --quiet --no-cache-dir \
    --disable-pip-version-check --root-user-action ignore $from --require-hashes -r "$wheels/$1.txt"
