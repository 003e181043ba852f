#!/bin/sh
# Makes a cluster for POSTGRES_USER with POSTGRES_PASSWORD and POSTGRES_DB, and serves it.
set -eu
user=${POSTGRES_USER:-postgres}
printf %s "${POSTGRES_PASSWORD:?the server wants a password}" >/tmp/password
initdb --username="$user" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust \
    --locale=C --encoding=UTF8 --no-sync -D /data/cluster >/tmp/initdb.log 2>&1 || {
    cat /tmp/initdb.log >&2
    exit 1
}
rm /tmp/password
# As the official image does: a server that only its own machine reaches makes the database first.
if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    echo "create database \"${POSTGRES_DB:-$user}\";" |
        postgres --single -j -D /data/cluster postgres >/dev/null
fi
echo 'host all all all scram-sha-256' >>/data/cluster/pg_hba.conf
exec postgres -D /data/cluster -c listen_addresses='*' -c unix_socket_directories=/run -c fsync=off
