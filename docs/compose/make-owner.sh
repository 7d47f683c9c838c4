#!/bin/sh
# Runs once, when the database cluster is new: makes the owner, who is no superuser but may make roles, and its database.
set -eu
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v password="$OWNER_PASSWORD" --username postgres --dbname postgres <<'SQL'
CREATE ROLE muster LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE muster OWNER muster LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0;
SQL
