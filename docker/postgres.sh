#!/bin/sh
# Starts the PostgreSQL of `make docker-base PROFILE=jobs`. At the first start it makes POSTGRES_DB, which belongs to
# POSTGRES_USER with POSTGRES_PASSWORD, in PGDATA: those variables of the official image, and no others.
set -eu
if [ ! -d "$PGDATA" ]; then
    new=$PGDATA.new
    rm -rf "$new"
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    initdb --pgdata "$new" --username "$POSTGRES_USER" --pwfile /tmp/password --auth scram-sha-256 --encoding UTF8
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\";" | postgres --single -D "$new" postgres >/dev/null
    mv "$new" "$PGDATA" # whole, or not at all
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
