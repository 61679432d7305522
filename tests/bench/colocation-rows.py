#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""colocation-rows.py ROUNDS SECONDS [ROW…]: runs in the guest, in deterministic time.

nginx answers requests at a fixed rate while containers of podman compress and compile beside it, left
to the scheduler in the way that ROW names:

    alone       always measured: the containers are there and sleep
    normal      their work is like anybody else's
    idle        it runs in SCHED_IDLE (chrt --idle 0)
    weight      cpu.weight=1 on the cgroup that they are in
    cpu-idle    cpu.idle=1 on it
    offline     cpu.offline=1 on it, and on those that are in it already
    class       each task is put into the class (tkctl offline); only if it is named

Prints, for each time that it looked at the machine while it measured,

    ROW ROUND US BUSY IDLE WEB BATCH

with the time of day in us, USER_HZ of all CPUs of the service, and us that the service and the
containers have run. The requests are in /results/requests.log: begin, status and duration, as h2load
has them.

Who asks isn't what is measured: h2load has the last CPU, as if it were another machine, and nobody
else is there. It asks on 50 connections, one after the other, and each has 100 ms for its answer before
its next request is due, so that a slow answer delays no other's question. One h2load asks all the
time: which worker of nginx has which connection is the same for all rows.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

SHARE = pathlib.Path("/usr/share/tkernel-rs")
sys.path.insert(0, str(SHARE / "lib"))

# pylint: disable=wrong-import-position
import clock
from boxes import Box
from cgroup import Cgroup
from disks import run
from target import wait_until

PLACE = pathlib.Path("/run/web")
RESULTS = pathlib.Path("/results")
CONNECTIONS, PERIOD_MS = 50, 100
CPUS = os.cpu_count() - 1
LOOK = 0.25
# For caches and queues of the row before to be forgotten.
SETTLE, REST = 1, 0.5
ROWS = ("normal", "idle", "weight", "cpu-idle", "offline")

NGINX = f"""daemon off;
pid {PLACE}/pid;
error_log stderr;
worker_processes {CPUS};
events {{ worker_connections 1024; }}
http {{
	access_log off;
	gzip on;
	gzip_types application/json;
	types {{ application/json json; }}
	keepalive_requests 1000000;
	keepalive_timeout 1h;
	server {{
		# Each worker has a queue of its own, or one would get most connections.
		listen 127.0.0.1:80 reuseport;
		root {PLACE};
	}}
}}
"""

# Two loops in each container: two that want to run for each of four CPUs.
COMPRESS = "while :; do tar -c /usr/include 2>/dev/null | xz -2 -T 1 >/dev/null; done"
COMPILE = (f"while :; do for file in {SHARE}/src/*.c; do "
           f"gcc -O2 -I {SHARE}/include -c -o /tmp/$$.o $file || exit; done; done")
CONTAINERS = {"compress-1": COMPRESS, "compress-2": COMPRESS, "compile-1": COMPILE, "compile-2": COMPILE}


def wait_for_the_clock():
    """It is the verified TSC only from about a second after boot, and so are timers that are better
    than the tick."""
    source = pathlib.Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    wait_until(lambda: source.read_text() == "tsc\n", "the TSC")
    time.sleep(1)


def cgroup(name, cpus):
    """One that stays: podman leaves something in it."""
    group = Cgroup(name)
    group.path.mkdir()
    group.write("cpuset.cpus", cpus)
    return group


@contextlib.contextmanager
def service(web):
    """nginx, with a page of 6 KiB that it compresses for everyone who asks."""
    PLACE.mkdir()
    (PLACE / "nginx.conf").write_text(NGINX)
    items = ",\n".join(f'{{"id": {number}, "name": "item {number * 7919 % 1000}", "price": {number * 31 % 97}}}'
                       for number in range(126))
    (PLACE / "page.json").write_text(f"[{items}]\n")
    with web.start("nginx", "-c", PLACE / "nginx.conf") as nginx:
        wait_until((PLACE / "pid").exists, "nginx")
        try:
            yield
        finally:
            nginx.terminate()


@contextlib.contextmanager
def requests(client, seconds):
    """h2load, asking; far longer than it has to. With select(2), whose timeouts are microseconds: with
    milliseconds it asks two at a time now and then."""
    total = int(CONNECTIONS * seconds * 1000 / PERIOD_MS)
    with client.start("env", "LIBEV_FLAGS=1", "h2load", "--h1", "--header=accept-encoding: gzip",
                      f"--clients={CONNECTIONS}", f"--requests={total}", f"--rps={1000 / PERIOD_MS:g}",
                      "--rate=1", f"--rate-period={PERIOD_MS // CONNECTIONS}ms",
                      f"--log-file={RESULTS}/requests.log", "http://127.0.0.1/page.json",
                      stdout=subprocess.DEVNULL) as h2load:
        try:
            yield h2load
        finally:
            h2load.kill()


@contextlib.contextmanager
def work(boxes, prefix):
    """Two loops in each container. Ends them by killing all but the container's init."""
    started = [box.start(*prefix, "sh", "-c", CONTAINERS[name], stdin=subprocess.DEVNULL)
               for name, box in boxes.items() for _ in range(2)]
    try:
        yield started
    finally:
        for box in boxes.values():
            wait_until(lambda group=box.root, init=box.pid: kill_others(group, init), "the end of the work")
        for process in started:
            process.wait()


def kill_others(group, init):
    """Whether there were none."""
    others = [pid for pid in group.read("cgroup.procs").split() if int(pid) != init]
    if others:
        subprocess.run(["kill", "-KILL", *others], stderr=subprocess.DEVNULL, check=False)
    return not others


# What is written to the containers' cgroup, and what was there.
FILES = {"weight": ("cpu.weight", "1", "100"), "cpu-idle": ("cpu.idle", "1", "0"), "offline": ("cpu.offline", "1", "0")}
# What stands in front of the work's commands.
PREFIXES = {"idle": ["chrt", "--idle", "0"], "class": [str(SHARE / "bin/tkctl"), "offline", "--"]}
WITH_MODULE = ("offline", "class")


@contextlib.contextmanager
def left_to(row, batch):
    """Sets what a row sets."""
    if row in WITH_MODULE:
        run("modprobe", "bt_sched_shim")
    if row in FILES:
        name, value, default = FILES[row]
        # Those below that are there already don't inherit `offline`; with the others the upper one's count.
        groups = [batch] + [Cgroup.existing(path.parent) for path in batch.path.glob("*/**/cpu.offline")]
        for group in groups:
            group.write(name, value)
    yield
    if row in FILES:
        for group in groups:
            group.write(name, default)
    if row in WITH_MODULE:
        run("rmmod", "bt_sched_shim")


def look(label, groups):
    """Prints a line."""
    now = time.time_ns() // 1000
    lines = pathlib.Path("/proc/stat").read_text().splitlines()[1:1 + CPUS]
    # All but those of guests, which are part of others.
    numbers = [list(map(int, line.split()[1:9])) for line in lines]
    idle = sum(cpu[3] + cpu[4] for cpu in numbers)
    used = [group.numbers("cpu.stat")["usage_usec"] for group in groups]
    print(label, now, sum(map(sum, numbers)) - idle, idle, *used, flush=True)


def measure(label, seconds, groups):
    """Looks now and then."""
    end = time.monotonic() + seconds
    look(label, groups)
    while time.monotonic() < end:
        time.sleep(LOOK)
        look(label, groups)


def say(what):
    """For who waits."""
    print(f"{time.monotonic():.1f} s: {what}", file=sys.stderr, flush=True)


def warm_up():
    """What is read from the disk now isn't read while it is measured."""
    for command in (COMPRESS, COMPILE):
        once = command.removeprefix("while :; do ").removesuffix("; done")
        run("sh", "-c", once.replace("xz -2 -T 1", "cat"), timeout=600)
    run("sh", "-c", "xz -1 </etc/passwd >/dev/null; chrt --idle 0 true")


def main():
    """Runs the rows."""
    rounds, seconds = int(sys.argv[1]), int(sys.argv[2])
    rows = ["alone", *(sys.argv[3:] or ROWS)]
    wait_for_the_clock()
    say("boot")
    # All of this is one session, and what it does should be compared as cgroups are.
    pathlib.Path("/proc/sys/kernel/sched_autogroup_enabled").write_text("0")
    service_cpus = f"0-{CPUS - 1}"
    with contextlib.ExitStack() as stack:
        web, client, batch = (cgroup(name, cpus) for name, cpus in
                              (("web", service_cpus), ("client", str(CPUS)), ("batch", service_cpus)))
        boxes = {name: stack.enter_context(Box(name, "--cgroup-parent=/batch")) for name in CONTAINERS}
        say("containers are there")
        warm_up()
        say("warm")
        stack.enter_context(service(web))
        say("begin")
        stack.enter_context(clock.short_turns(20))
        stack.enter_context(clock.idle_takes_turns())
        per_row = seconds + SETTLE + REST + 10
        h2load = stack.enter_context(requests(client, rounds * len(rows) * per_row))
        for number in range(1, rounds + 1):
            for row in rows:
                say(f"{row}, round {number}")
                with left_to(row, batch), work({} if row == "alone" else boxes, PREFIXES.get(row, [])) as started:
                    time.sleep(SETTLE)
                    measure(f"{row} {number}", seconds, (web, batch))
                    ended = [process.args for process in started if process.poll() is not None]
                    assert not ended, f"{row}: has ended: {ended}"
                assert h2load.poll() is None, "h2load has ended"
                time.sleep(REST)


main()
