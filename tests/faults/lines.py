"""Faults of the line between tablet, commune and province: each is one request or answer that did not go well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sync.answers import SyncError
from tests.faults import proxy
from tests.faults.proxy import Act
from tests.faults.world import Agent, World, send

Run = Callable[[World, int], None]
# Shorter than a late answer, longer than any good one here.
SHORT_SECONDS = 0.3
CUT_SECONDS = (0.05, 0.4)
READ_EVERY = 4


def read(agent: Agent) -> None:
    """Read and fetch receipts, as far as the line allows."""
    with suppress(SyncError):
        agent.tablet.pull()
        agent.tablet.fetch_receipts()


def befalls(name: str, *acts: Act, timeout: float | None = None) -> Run:
    """Each batch meets one of these faults on its way, sometimes a reading does."""

    def run(world: World, count: int) -> None:
        usual = world.http.timeout
        if timeout is not None:
            world.http.timeout = timeout
        for at in range(count):
            agent = world.agent(at)
            world.line.arm(name, world.random.choice(acts))
            if at % READ_EVERY == READ_EVERY - 1:
                read(agent)
            agent.enter(world.next_line())
            agent.deliver()
        world.http.timeout = usual

    return run


def lossy(world: World, count: int) -> None:
    """40 % of everything is lost until so many losses have happened."""
    world.line.always = proxy.lossy
    _work_until(world, "40 % loss", count)
    world.line.always = None


def cut_every(world: World, count: int) -> None:
    """A slow line is cut at short intervals, whatever is under way."""

    def cutting() -> None:
        for _ in range(count):
            time.sleep(world.random.uniform(*CUT_SECONDS))
            while not world.line.cut_all():
                time.sleep(0.002)
            world.book.inject("line cut again and again")

    world.line.always = proxy.slow
    cutter = threading.Thread(target=cutting)
    cutter.start()
    _work_until(world, "line cut again and again", count)
    cutter.join()
    world.line.always = None


def _work_until(world: World, name: str, count: int) -> None:
    target = world.book.injected[name] + count
    at = 0
    while world.book.injected[name] < target:
        agent = world.agent(at)
        at += 1
        agent.enter(world.next_line())
        agent.deliver()
        if at % READ_EVERY == 0:
            read(agent)


def relayed(world: World, count: int) -> None:
    """The line between commune and province does to a bundle what it does to a batch."""
    acts = (proxy.reset, proxy.cut_request, proxy.cut_answer, proxy.truncated, proxy.sent_twice)
    for at in range(count):
        agent = world.agent(at)
        agent.enter(world.next_line())
        world.upward.arm("bundle on a bad line", world.random.choice(acts), path="bundles")
        agent.deliver()
        wait_settled(agent)


def wait_settled(agent: Agent, seconds: float = 60.0) -> None:
    """Until the province's receipts of all its work are on the tablet; gives up silently, the judge will tell."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(SyncError):
            agent.tablet.fetch_receipts()
        status = agent.tablet.status()
        if status["settled"] == status["entered"]:
            return
        time.sleep(0.05)


def delivered_often(world: World, count: int) -> None:
    """Each batch reaches commune and province one to five times each, all of them shuffled; one receipt per node."""
    done = 0
    while done < count:
        begun = [_entered(world, at) for at in range(len(world.agents))]
        plan = [
            (agent, url)
            for agent in begun
            for url in (world.commune.url, world.province.url)
            for _ in range(world.random.randint(1, 5))
        ]
        world.random.shuffle(plan)
        world.book.inject("deliveries repeated", len(plan) - len(begun))
        done += len(plan) - len(begun)
        answers = [(agent, url, send(agent, url, http=world.http)) for agent, url in plan]
        _demand_one_receipt(world, answers)
        for agent in begun:
            agent.deliver()


def in_parallel(world: World, count: int) -> None:
    """The same batch arrives two to four times at the same moment."""
    with ThreadPoolExecutor(4) as pool:
        for at in range(count):
            agent = _entered(world, at)
            times = world.random.randint(2, 4)
            world.book.inject("parallel retries", times - 1)
            sending = [pool.submit(send, agent, world.commune.url, http=world.http) for _ in range(times)]
            _demand_one_receipt(world, [(agent, "", each.result()) for each in sending])
            agent.deliver()


def _entered(world: World, at: int) -> Agent:
    agent = world.agent(at)
    agent.enter(world.next_line())
    return agent


def _demand_one_receipt(world: World, answers: list[tuple[Agent, str, tuple[int, bytes]]]) -> None:
    first: dict[tuple[str, str], bytes] = {}
    for agent, url, (status, text) in answers:
        world.expect(status, 200, when="to a repeated batch")
        if first.setdefault((agent.tablet.dev, url), text) != text:
            world.wrong.append("another receipt for the same batch")


def any_clock(world: World, count: int) -> None:
    """Tablets whose clocks stand anywhere between 1970 and 2046 write down when they believe it is."""
    now = time.time()
    choices = (0.0, now + 20 * 365.25 * 86400, now - 43200, now + 43200, now - 90 * 86400 + 43200)
    for at in range(count):
        agent = world.agent(at)
        moment = world.random.choice(choices) + world.random.random()
        agent.tablet._clock = _standing(moment)
        world.book.inject("tablet's clock wrong")
        line = world.next_line()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+01:00", time.gmtime(moment))
        for entity in (line["household"], line["visit"], *line["persons"]):
            entity["at"] = stamp
        agent.enter(line)
        agent.deliver()
    for agent in world.agents:
        agent.tablet._clock = time.time


def _standing(moment: float) -> Callable[[], float]:
    return lambda: moment
