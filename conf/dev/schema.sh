#!/bin/sh
#
# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# Writes the C table of admin/server/schema.h from the migrations given as
# arguments to standard output.  One string literal per line of SQL, so that
# no compiler limit on the length of a source line is met.

set -eu

LC_ALL=C
export LC_ALL

{
    for file in "$@"; do
        name=$(basename "$file" .sql)
        case $name in
            [0-9][0-9][0-9]_*) ;;
            *)  echo "$file: a migration is named NNN_name.sql" >&2
                exit 1 ;;
        esac
        printf '%s %s\n' "$name" "$file"
    done
} | sort | awk '
    BEGIN {
        print "#include \"schema.h\"\n"
        print "const fota_schema_step_t  fota_schema_steps[] = {"
    }
    {
        number = substr($1, 1, 3) + 0
        if (n > 0 && number == last) {
            print "two migrations have the number " number > "/dev/stderr"
            failed = 1
            exit 1
        }
        last = number
        n++
        printf "    { %d, \"%s\",\n", number, $1
        while ((rc = (getline line < $2)) > 0) {
            gsub(/\\/, "&&", line)
            gsub(/"/, "\\\\&", line)
            gsub(/\?/, "\\\\&", line)
            gsub(/\t/, "\\t", line)
            gsub(/\r/, "", line)
            printf "      \"%s\\n\"\n", line
        }
        if (rc < 0) {
            print "cannot read " $2 > "/dev/stderr"
            failed = 1
            exit 1
        }
        close($2)
        print "      \"\" },"
    }
    END {
        if (failed) {
            exit 1
        }
        print "    { 0, NULL, NULL }"
        print "};\n"
        printf "const size_t  fota_schema_nsteps = %d;\n", n
    }
'
