"""Whether the time can be believed."""

from leakear.edge.clock import FIRST_PLAUSIBLE, Clock, boot_id, kernel_synced

NOW = FIRST_PLAUSIBLE + 1e7


class World:
    """A wall clock and a steady one, and what the kernel says of the first."""

    def __init__(self, wall: float = NOW, kept: bool = True) -> None:
        self.wall, self.steady, self.kept = wall, 100.0, kept

    def clock(self) -> Clock:
        return Clock(lambda: self.kept, lambda: self.wall, lambda: self.steady)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_a_kept_clock_is_believed() -> None:
    world = World()
    clock = world.clock()
    for _ in range(100):
        world.passes(10)
        assert clock.look()
    assert clock.faults == {}


def test_the_year_1970_is_never_believed() -> None:
    assert not World(wall=5.0).clock().look()


def test_the_first_synchronisation_may_jump() -> None:
    world = World(wall=50.0, kept=False)
    clock = world.clock()
    assert not clock.look()
    world.passes(60)
    world.wall = NOW
    world.kept = True
    assert clock.look()
    assert clock.faults == {}


def test_jumps_of_a_kept_clock_are_faults_until_healed() -> None:
    for jump in (7200.0, -86400.0, -NOW):
        world = World()
        clock = world.clock()
        assert clock.look()
        world.passes(10)
        world.wall += jump
        assert not clock.look()
        assert "jumped" in clock.faults["clock_jumped"]
        world.passes(600)
        assert not clock.look()  # the kernel does not know of the jump: it alone is no proof
        world.wall -= jump
        world.passes(10)
        assert clock.look()  # back where it was
        assert clock.faults == {}


def test_a_new_synchronisation_ends_the_doubt() -> None:
    world = World()
    clock = world.clock()
    world.passes(10)
    world.wall += 7200
    assert not clock.look()
    world.kept = False
    world.passes(10)
    assert not clock.look()
    world.kept = True
    world.passes(10)
    assert clock.look()


def test_this_machine_answers() -> None:
    assert kernel_synced() in (True, False)
    assert len(boot_id()) == 36
