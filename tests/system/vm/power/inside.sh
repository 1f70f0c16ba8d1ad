#!/bin/bash
# Inside the virtual machine: say when the system is up and when the node listens; then, if the kernel's command line asks
# for it, change version or carry out what comes over MQTT, until the power goes.
# Words on the console: POWER WHAT SECONDS_SINCE_THE_KERNEL_STARTED
say() { echo "POWER $* $(cut -d' ' -f1 /proc/uptime)" >/dev/console; }
listens() { systemctl show -p StatusText --value leakear | grep -qE '^(OK|WARNING|LEAK|NOISY)'; }

waiting() { # before the daemon starts: ids of the events that no broker has acknowledged; the database is only copied
    mkdir -p /run/copy
    cp /var/lib/private/leakear/outbox.db* /run/copy/ 2>/dev/null
    say WAITING "$(python3 -ISc '
import json, sqlite3
try:
    rows = sqlite3.connect("/run/copy/outbox.db").execute("SELECT payload FROM events WHERE status != 1").fetchall()
except sqlite3.Error as error:
    rows = []
    print("ERROR:", error)
print(*[json.loads(payload)["id"] for (payload,) in rows] or ["none"])' 2>&1 | tr '\n' ' ')"
}

software() { # 0.1 → this → a broken release → taken back by itself
    say STEP dpkg unpacks and sets up this version
    dpkg --force-confold -i /srv/this.deb </dev/null >/run/said 2>&1 || say FAILED "$(tail -1 /run/said)"
    say STEP take-over
    leakear-update take-over >/run/said 2>&1 || say FAILED "$(tail -1 /run/said)"
    say STEP this version starts
    until listens; do sleep 0.5; done
    say STEP this version runs
    sleep 10
    say STEP dpkg unpacks and sets up the broken release
    dpkg --force-confold -i /srv/broken.deb </dev/null >/run/said 2>&1 || say FAILED "$(tail -1 /run/said)"
    say STEP the broken release is on trial
    until leakear-update status 2>&1 | grep -q "was taken back"; do sleep 1; done
    say STEP taken back, starts
    until listens; do sleep 0.5; done
    say STEP taken back, runs
    sleep 10
}

model() { # what the operator asks for on site
    mosquitto_sub -h 10.0.2.2 -p "$(cat /srv/port)" -t power/do | while read -r word; do
        case $word in
            rollback) leakear-edge rollback --config /etc/leakear/leakear.toml >/run/said 2>&1 || say FAILED "$(tail -1 /run/said)" ;;
            loud) cp /srv/loud.wav /srv/sound.wav && systemctl restart leakear ;;
            journal) journalctl -b -u leakear --no-pager -n 60 >/dev/console ;;
        esac
        say DID "$word"
    done
}

case ${1:-} in
    waiting) waiting ;;
    network)
        for line in /sys/class/net/e*; do ip addr add 10.0.2.15/24 dev "${line##*/}" && ip link set "${line##*/}" up; done
        ;;
    node) # the program of the unit that systemd has found; recordings in real time stand in for a microphone
        program=/usr/lib/leakear-edge
        [ ! -e /etc/systemd/system/leakear.service ] || program=/opt/leakear
        exec $program/current/bin/leakear-edge replay --config /etc/leakear/leakear.toml --speed 1 --repeat 1000 /srv/sound.wav
        ;;
    *)
        say BOOTED
        (sleep 90; listens || { systemctl status --no-pager leakear; journalctl -b --no-pager -n 40; } >/dev/console) &
        until listens; do sleep 0.3; done
        say LISTENS
        work=$(sed -n 's/.*leakear\.work=\([a-z]*\).*/\1/p' /proc/cmdline)
        [ -z "$work" ] || { "$work"; say DONE; }
        ;;
esac
