# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# A private MariaDB on a unix socket, sourced by run.sh.

db_install()
{
    rm -rf "$DB/data"
    mariadb-install-db --no-defaults --skip-test-db \
        --auth-root-authentication-method=normal --tmpdir="$DB/tmp" \
        --datadir="$DB/data" --user="$(id -un)" > "$DB/install.log" 2>&1 \
        || { cat "$DB/install.log" >&2; return 1; }
}


db_start()
{
    DB=$RUN/db
    mkdir -p "$DB/tmp"

    if [ ! -e "$DB/installed" ]; then
        db_install || { say AGAIN "MariaDB's tables"; db_install; } \
            || die "no database"
        touch "$DB/installed"
    fi

    say START "MariaDB"
    proc_run "$DB/mariadbd.pid" "$DB/mariadbd.log" "$(db_program)" \
        --no-defaults --datadir="$DB/data" --socket="$SOCK/db.sock" \
        --pid-file="$DB/server.id" --user="$(id -un)" --tmpdir="$DB/tmp" \
        --skip-networking --skip-name-resolve \
        --character-set-server=utf8mb4 --collation-server=utf8mb4_bin \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=48M \
        --performance-schema=OFF --innodb-flush-log-at-trx-commit=1
    proc_wait 60 "$DB/mariadbd.pid" "$DB/mariadbd.log" db_sql "SELECT 1"

    db_sql "CREATE DATABASE IF NOT EXISTS fota CHARACTER SET utf8mb4
            COLLATE utf8mb4_bin"
}

db_program()
{
    command -v mariadbd || echo /usr/sbin/mariadbd
}

db_sql()
{
    mariadb --no-defaults --socket="$SOCK/db.sock" --user=root \
        --batch --skip-column-names -e "$1"
}

db_stop()
{
    if [ -s "$RUN/db/mariadbd.pid" ]; then
        say STOP "MariaDB"
        proc_stop TERM "$RUN/db/mariadbd.pid"
    fi
}
