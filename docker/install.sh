# sh install.sh NAME: install the lock /wheels/NAME.txt into /opt/venv, with hashes.
# If `make docker-build` has provided wheels (on a machine whose pip is configured for another index), exactly those
# files are installed, checked by their hashes, without any index.
set -eu
wheels=/wheels
list=$wheels/$1.txt
only=
if [ -f $wheels/files.txt ]; then
    list=$wheels/files.txt
    only="--no-index --no-deps"
fi
# shellcheck disable=SC2086
/opt/installer/bin/python -m pip --python /opt/venv/bin/python install --quiet --no-cache-dir \
    --disable-pip-version-check --root-user-action ignore $only --require-hashes -r "$list"
