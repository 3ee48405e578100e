# SPDX-License-Identifier: GPL-2.0-or-later
"""How long an address stays admitted: for the TTL of the answer and the grace
time, longer while it is in use or asked for again, and then no more.

The answers come from ttl-N.hostile.test, whose TTL is N seconds. Time is the
subject here: wait_until() waits for a moment, and what must hold then is
looked at once, without a second try that would itself be a use.
"""
import contextlib
import socket
import time

import pytest

import lab
from dns_helpers import cage
from gate_helpers import GOOD, Gate
from relay_helpers import accept, listener, port_of

TTL, GRACE = 1, 1
NAME = f"ttl-{TTL}.hostile.test"
PORT = 80
# An element that is not refreshed is not in the kernel after so long.
KERNEL = TTL + GRACE + 3
# Use is noticed in steps, so that the end may be later by that much.
STEP = 2
QTYPE = {4: "A", 6: "AAAA"}
LATE = 0.2  # how late a timer may be


@pytest.fixture
def box(egress):
    with cage("*.hostile.test", user="tester",
              options=("--grace", str(GRACE))) as opened, \
            Gate(opened) as opened.gate:
        yield opened


def resolve(box):
    """When the answers had come: the admissions began before that."""
    for v, qtype in QTYPE.items():
        assert box.ask(NAME, qtype).addresses == [GOOD[v]]
    return time.monotonic()


def elements(box):
    """{address: seconds left} in the kernel's sets."""
    return {**box.gate.elements("addr4"), **box.gate.elements("addr6")}


def wait_for(moment):
    lab.wait_until(lambda: time.monotonic() >= moment, 60)


def syns(far, port=PORT):
    """How many connections to each address were seen outside."""
    return {v: len(far.wire(rf" > {GOOD[v]}\.{port}: Flags \[S\]"))
            for v in GOOD}


def dial(box, port=PORT):
    return {v: box.connect(GOOD[v], port) for v in GOOD}


OPEN = {4: None, 6: None}
SHUT = {4: "ECONNREFUSED", 6: "ECONNREFUSED"}
NONE, ONE = {4: 0, 6: 0}, {4: 1, 6: 1}


def is_gone(box, far, port=PORT):
    """New connections are refused, and nothing of them is seen outside."""
    far.mark()
    assert dial(box, port) == SHUT
    assert syns(far, port) == NONE
    return True


def test_unused_address_expires(box, far):
    """Shut as soon as TTL and grace are over; and the kernel's set forgets it
    as well. Open again when it was asked for again."""
    resolved = resolve(box)
    assert set(elements(box)) == set(GOOD.values())
    wait_for(resolved + TTL + GRACE + LATE)
    assert is_gone(box, far)
    lab.wait_until(lambda: not elements(box), KERNEL, what="the sets are empty")
    assert is_gone(box, far)
    resolve(box)
    assert dial(box) == OPEN and syns(far) == ONE


def test_address_lasts_as_long_as_promised(box, far):
    """Not less than TTL and grace either: the first use comes at the very end,
    and is worth another grace time."""
    begin = time.monotonic()
    resolve(box)
    wait_for(begin + TTL + GRACE - 2 * LATE)
    assert dial(box) == OPEN and syns(far) == ONE
    used = time.monotonic()
    wait_for(used + GRACE - 2 * LATE)
    assert begin + TTL + GRACE < time.monotonic()
    assert dial(box) == OPEN and syns(far) == {4: 2, 6: 2}


def test_address_in_use_stays(box, far):
    """While a connection lives, beyond the kernel's first time-out too, new
    ones are let in; the grace time begins when the last has ended."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(listener(socket.AF_INET))
        server6 = stack.enter_context(listener(socket.AF_INET6))
        begin = resolve(box)
        ends = {}
        for v, far_end in (4, server), (6, server6):
            near = stack.enter_context(
                box.connected(GOOD[v], True, port_of(far_end)))
            ends[v] = near, stack.enter_context(accept(far_end))
        wait_for(begin + KERNEL)
        for v, (near, end) in ends.items():
            near.send(b"alive")
            assert end.recv(9) == b"alive"
        far.mark()
        assert dial(box) == OPEN and syns(far) == ONE
    ended = time.monotonic()
    assert set(elements(box)) == set(GOOD.values())
    wait_for(ended + GRACE + STEP + LATE)
    assert is_gone(box, far)
    lab.wait_until(lambda: not elements(box), KERNEL, what="the sets are empty")


def test_asking_again_refreshes(box, far):
    """Asked for again before it expires, never used: open long after the first
    answers have expired, in the table and in the kernel's sets."""
    begin = asked = resolve(box)
    while time.monotonic() < begin + KERNEL:
        wait_for(asked + TTL + GRACE / 2)
        before = elements(box)
        asked = resolve(box)
        after = elements(box)
        assert all(after[x] > before[x] for x in GOOD.values())
    assert syns(far) == NONE
    wait_for(asked + TTL + GRACE / 2)
    assert dial(box) == OPEN and syns(far) == ONE


def test_cached_answer_promises_no_more(box, far):
    """A cached answer's TTL is what is left of it, so that the admission never
    ends before the answer does."""
    name = "ttl-3.hostile.test"
    begin = time.monotonic()
    assert box.ask(name).ttl == 3
    asked = len(far.dns(name))
    wait_for(begin + 1.5)
    reply = box.ask(name)
    told = time.monotonic()
    assert reply.ttl <= 2 and len(far.dns(name)) == asked
    wait_for(told + reply.ttl + GRACE - 2 * LATE)
    assert box.connect(GOOD[4], PORT) is None
