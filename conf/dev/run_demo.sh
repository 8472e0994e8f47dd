# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# What the demonstration shows, sourced by run.sh: two nodes, a tenant, a
# product, three versions of real firmware and a rollout, all made with the
# fota command.  Every step may be repeated.

DEMO_DEVICES=100

images_start()
{
    IMAGES=${FOTA_RUN_IMAGES:-$RUN/images}
    mkdir -p "$RUN/cache"

    if [ ! -s "$IMAGES/done" ]; then
        say IMAGES "making firmware of Debian packages, this takes longest"
        proc_run "$RUN/images.pid" "$RUN/images.log" \
            sh "$DEV/images.sh" "$IMAGES" "$RUN/cache"
    fi
}

images_wait()
{
    while proc_alive "$RUN/images.pid"; do
        sleep 0.2
    done

    rm -f "$RUN/images.pid" "$RUN/images.pid.start"

    if [ ! -s "$IMAGES/done" ]; then
        tail -n 20 "$RUN/images.log" >&2
        die "no firmware images, see $RUN/images.log"
    fi
}

images_stop()
{
    proc_stop TERM "$RUN/images.pid"
}

demo_node()
{
    fota node show "$1" --quiet >/dev/null 2>&1 && return 0

    fota node create "$1" --quiet --site "$1" \
        --url "https://127.0.0.1:$(edge_tls_port "$1")" \
        --continent "$2" --country "$3" --city "$4" --lat "$5" --lon "$6"
}

demo_nodes()
{
    demo_node tokyo-1 AS JP Tokyo 35.69 139.69
    demo_node osaka-1 AS JP Osaka 34.69 135.50
}

demo_tenant()
{
    say DEMO "tenant demo, product dashcam-x1"

    fota tenant show demo --quiet >/dev/null 2>&1 \
        || fota tenant create demo --quiet --auth open,gateway,device \
            --title "Demonstration 演示 デモ"
    fota tenant show demo --json | jq -r .signer.public_key \
        > "$RUN/centre/signer.pub"

    [ "$(fota device-key list demo --json | jq length)" != 0 ] \
        || fota device-key rotate demo --quiet

    if [ ! -s "$RUN/centre/gateway" ]; then
        (umask 077; fota gateway create demo "run-$(date +%s)" --json \
            | jq -r .token > "$RUN/centre/gateway")
    fi

    fota product show dashcam-x1 --quiet >/dev/null 2>&1 \
        || fota product create dashcam-x1 --quiet --title "行车记录仪 X1" \
            --poll 60

    if ! fota group show lab --quiet >/dev/null 2>&1; then
        {
            echo id
            seq -f 'cam-%04g' 1 "$DEMO_DEVICES"
        } > "$RUN/devices.csv"
        fota group create lab --quiet
        fota group import lab "$RUN/devices.csv" --create --quiet
    fi
}

demo_firmware()
{
    have=$(fota artifact list --all --json)

    demo_artifact "$IMAGES/dashcam-x1-1.0.0.squashfs" 1.0.0 ""
    demo_artifact "$IMAGES/dashcam-x1-1.1.0.squashfs" 1.1.0 ""
    demo_artifact "$IMAGES/dashcam-x1-1.2.0.squashfs" 1.2.0 ""
    demo_artifact "$IMAGES/dashcam-x1-1.0.0-1.1.0.xdelta" 1.1.0 1.0.0
    demo_artifact "$IMAGES/dashcam-x1-1.1.0-1.2.0.xdelta" 1.2.0 1.1.0
}

demo_artifact()
{
    if [ "$(echo "$have" | jq --arg v "$2" --arg f "$3" '[.[]
        | select(.version == $v and (.from // "") == $f)] | length')" != 0 ]
    then
        return 0
    fi

    say UPLOAD "$(basename "$1")"
    fota firmware upload "$1" --version "$2" ${3:+--from "$3"} --quiet
}

demo_rollout()
{
    ROLLOUT=$(fota rollout list --product dashcam-x1 --json \
        | jq -r '[.[] | select(.name == "1.2.0 in stages")][0].id // empty')

    if [ -z "$ROLLOUT" ]; then
        say DEMO "rollout to 1.2.0: the laboratory and half of the rest first"
        ROLLOUT=$(fota rollout create "1.2.0 in stages" --target 1.2.0 \
            --stage 50,group=lab,success=90,error=20,min=20,manual \
            --stage 100,group=lab,error=20,min=20 --json | jq -r .id)
        fota rollout start "$ROLLOUT" --quiet
    fi
}

demo_offers()
{
    [ "$(curl -sf "http://127.0.0.1:$(edge_port "$1")/fota/v1/check?tenant=demo&product=dashcam-x1&device=cam-0042&version=1.0.0" \
        | jq -r .update)" = true ]
}

demo_stored()
{
    [ "$(find "$(edge_dir "$1")/store" -maxdepth 1 -type f -size +0 \
        ! -name '.*' ! -name '*.part' | wc -l)" -ge 4 ]
}

# A rollout that an operator paused or ended offers nothing, which is right.
demo_ready()
{
    [ "$(fota rollout show "$ROLLOUT" --json | jq -r .state)" = running ] \
        || return 0

    for edge_name in $EDGES; do
        EDGE=$(edge_dir "$edge_name")
        proc_wait 90 "$EDGE/fota-agent.pid" "$EDGE/fota-agent.log" \
            demo_offers "$edge_name"
        proc_wait 90 "$EDGE/fota-agent.pid" "$EDGE/fota-agent.log" \
            demo_stored "$edge_name"
    done

    say READY "both edges have the policy and the files"
}

# Every start updates another device.
demo_device()
{
    demo_n=1
    while [ -d "$RUN/devices/$(printf 'cam-%04d' "$demo_n")" ]; do
        demo_n=$((demo_n + 1))
    done

    demo_id=$(printf 'cam-%04d' "$demo_n")
    mkdir -p "$RUN/devices"

    echo
    echo "Device $demo_id, which runs 1.0.0, asks edge tokyo-1:"
    echo
    fota device simulate --id "$demo_id" --version 1.0.0 \
        --image "$IMAGES/dashcam-x1-1.0.0.squashfs" --attr hw=3
    echo
}

demo_next()
{
    cat <<END

  edge tokyo-1    http://127.0.0.1:$(edge_port tokyo-1)   https://127.0.0.1:$(edge_tls_port tokyo-1)
  edge osaka-1    http://127.0.0.1:$(edge_port osaka-1)   https://127.0.0.1:$(edge_tls_port osaka-1)
  centre          $CENTRE_URL   (API, TLS by $RUN/pki/ca.pem)

Try next:

  . $RUN/env
  fota status
  fota rollout show $ROLLOUT
  fota device simulate --id cam-0042 --version 1.0.0
  fota explain cam-0042 --version 1.0.0 --ip 203.0.113.7
  fota rollout pause $ROLLOUT; fota rollout resume $ROLLOUT
  curl -s 'http://127.0.0.1:$(edge_port tokyo-1)/fota/v1/check?tenant=demo&product=dashcam-x1&device=cam-0001&version=1.0.0' | jq .

make stop ends all of it, make clean-run forgets its data.
END
}
