"""Where things of the first cluster are on the console, and who may do what there."""

from console_client import Console, new_person
from support import World
from watchword.domain.ids import UserId
from watchword.services.access import enter_in_person
from watchword.services.maintainers import appoint
from watchword.services.people import person_caller
from watchword.store.base import Transaction

NOWHERE = "01890000-0000-7000-8000-000000000000"


def cluster_at(world: World) -> str:
    """Where the first cluster is."""
    return f"clusters/{world.first.cluster.id}"


def queue_at(world: World, key: str = "default") -> str:
    """Where a queue of the first cluster is."""
    cluster = world.first.cluster

    async def work(tx: Transaction) -> str:
        found = await tx.accounts.queue_by_key(cluster.organization_id, cluster.id, key)
        assert found is not None
        return found.id

    return f"{cluster_at(world)}/queues/{world.run(world.context.store.read(work))}"


def give_cluster(world: World, user_id: UserId) -> None:
    """Give the first cluster to a person."""
    by = world.first.admin

    async def work(tx: Transaction) -> None:
        access = await enter_in_person(tx, by, "acme", person_caller(by, None, "tests"))
        await appoint(world.context, tx, access, world.first.cluster, user_id, None)

    world.run(world.context.store.write(work))


def member_of(world: World) -> Console:
    """A member who maintains nothing, signed in."""
    made = Console(world)
    made.sign_in_as(new_person(world, "member@example.com"))
    return made


def maintainer_of(world: World) -> Console:
    """A member who maintains the first cluster, signed in."""
    person = new_person(world, "maintainer@example.com")
    give_cluster(world, person.id)
    made = Console(world)
    made.sign_in_as(person)
    return made
