# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# Processes of the demonstration system, sourced by run.sh: started apart from
# the shell, known by pid files, ended by them.

say()
{
    printf '  %-7s %s\n' "$1" "$2"
}

die()
{
    printf 'run: %s\n' "$*" >&2
    exit 1
}

# Field 22 of stat; the name in field 2 may hold blanks.
proc_start()
{
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

# A pid may belong to somebody else by now: the start time tells.  One that
# ended and was not waited for (Z) is not alive.
proc_ended()
{
    case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in
        [ZX]*|"") return 0 ;;
    esac
    return 1
}

proc_alive()
{
    [ -s "$1" ] || return 1
    proc_pid=$(cat "$1")
    [ -n "$proc_pid" ] && ! proc_ended "$proc_pid" || return 1
    [ "$(proc_start "$proc_pid")" = "$(cat "$1.start" 2>/dev/null)" ]
}

# Is anything left of a process group?
proc_group()
{
    sed 's/.*) //' /proc/[0-9]*/stat 2>/dev/null \
        | awk -v group="$1" '$3 == group && $1 !~ /[ZX]/ { found = 1 }
            END { exit !found }'
}

# proc_run PIDFILE LOG COMMAND...: a session of its own survives the shell.
proc_run()
{
    proc_file=$1; proc_log=$2
    shift 2

    if proc_alive "$proc_file"; then
        return 0
    fi

    setsid nohup "$@" </dev/null >>"$proc_log" 2>&1 &
    proc_pid=$!
    echo "$proc_pid" > "$proc_file"
    proc_start "$proc_pid" > "$proc_file.start"
}

# proc_wait SECONDS PIDFILE LOG COMMAND...: until the command succeeds.
proc_wait()
{
    wait_left=$(($1 * 10)); wait_file=$2; wait_log=$3
    shift 3

    until "$@" >/dev/null 2>&1; do
        if ! proc_alive "$wait_file"; then
            tail -n 20 "$wait_log" >&2
            die "$(basename "$wait_file" .pid) has ended, see $wait_log"
        fi

        wait_left=$((wait_left - 1))
        if [ "$wait_left" -le 0 ]; then
            tail -n 20 "$wait_log" >&2
            die "$(basename "$wait_file" .pid) is not ready, see $wait_log"
        fi

        sleep 0.1
    done
}

# Children outlive a leader that was killed: a group with its number that holds
# files of ours open.
proc_orphans()
{
    for orphan_stat in /proc/[0-9]*/stat; do
        orphan=$(sed 's/.*) //' "$orphan_stat" 2>/dev/null \
            | awk -v group="$1" '$3 == group && $1 !~ /[ZX]/ { print "yes" }')
        if [ -n "$orphan" ] \
            && ls -l "${orphan_stat%stat}fd" 2>/dev/null | grep -qF " $RUN/"
        then
            return 0
        fi
    done

    return 1
}

# proc_stop SIGNAL PIDFILE: asks, waits, then kills; children go with it.
proc_stop()
{
    stop_pid=$(cat "$2" 2>/dev/null || true)

    if proc_alive "$2"; then
        kill -s "$1" "$stop_pid" 2>/dev/null || true

        stop_left=150
        while proc_alive "$2" && [ "$stop_left" -gt 0 ]; do
            sleep 0.1
            stop_left=$((stop_left - 1))
        done

        if proc_alive "$2"; then
            say KILL "$2"
            kill -s KILL -- "-$stop_pid" 2>/dev/null \
                || kill -s KILL "$stop_pid" 2>/dev/null || true
            sleep 0.2
        fi

    elif [ -n "$stop_pid" ] && proc_ended "$stop_pid" \
        && proc_orphans "$stop_pid"
    then
        kill -s "$1" -- "-$stop_pid" 2>/dev/null || true

    else
        stop_pid=
    fi

    # setsid made each the leader of a group: nothing of it may stay.
    if [ -n "$stop_pid" ]; then
        stop_left=50
        while proc_group "$stop_pid"; do
            stop_left=$((stop_left - 1))
            [ "$stop_left" -gt 0 ] || {
                kill -s KILL -- "-$stop_pid" 2>/dev/null || true
                break
            }
            sleep 0.1
        done
    fi

    rm -f "$2" "$2.start"
}
