"""A new agent token: safe choices, what they mean in words, and a value that is shown exactly once."""

import re
from html import unescape

import pytest

from console_client import PASSWORD, Console, set_password
from services.scene import Scene
from support import MINUTE_US, World
from watchword.domain.events import Action
from watchword.domain.ids import TokenId
from watchword.domain.restrictions import load
from watchword.domain.tokens import DAY_US, Token
from watchword.store.base import Transaction
from watchword.web.agentsetup import environments


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


@pytest.fixture
def new(world: World) -> str:
    return f"clusters/{world.first.cluster.id}/tokens/new"


def hidden(console: Console, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', console.last.text)
    assert found
    return unescape(found[1])


def filled(console: Console, path: str, **fields: str) -> dict[str, str]:
    """What a browser sends that opened the form and filled some fields in."""
    console.get(path)
    chosen = dict(re.findall(r'type="radio" [^>]*name="(\w+)" value="(\w+)" checked', console.last.text))
    queue = re.search(r'<option value="(\w*)" selected', console.last.text)
    preset = {"once": hidden(console, "once"), **chosen, "queue": queue[1] if queue else ""}
    return {**preset, **fields}


def value_on(console: Console) -> str:
    """The value on the page; empty where there is none."""
    found = re.search(r'value="(bk[a-z]{2}_[^"]+)"', console.last.text)
    return found[1] if found else ""


def tokens_of(scene: Scene) -> list[Token]:
    """All agent tokens, the newest last."""
    world, owner = scene.world, scene.organization_id
    made = [TokenId(event.subject_id) for event in scene.events(Action.TOKEN_CREATED)]

    async def work(tx: Transaction) -> list[Token | None]:
        return [await tx.tokens.find(owner, one) for one in made]

    return [token for token in world.run(world.store.read(work)) if token is not None]


def test_the_preselected_choices_are_one_queue_and_thirty_days(
    admin: Console, scene: Scene, new: str
) -> None:
    admin.post(new, filled(admin, new, description="Linux in Frankfurt"))
    assert admin.last.status_code == 200
    token = tokens_of(scene)[-1]
    assert token.description == "Linux in Frankfurt"
    assert load(token.restrictions).queue == "default"
    assert token.expires_at == token.created_at + 30 * DAY_US
    assert (token.max_uses, token.not_before) == (0, 0)


def test_the_value_stands_on_one_page_and_works(admin: Console, scene: Scene, new: str) -> None:
    admin.post(new, filled(admin, new, description="Linux"))
    value, page = value_on(admin), admin.last.text
    assert page.count(value) == 1
    token = tokens_of(scene)[-1]
    assert scene.present(value).id == token.id
    assert "It has not been copied yet." in admin.text()
    assert token.digest.hex()[:12] in page
    assert 'readonly autocomplete="off"' in page
    assert admin.last.headers["cache-control"] == "no-store"
    for path in (new.removesuffix("/new"), f"{new.removesuffix('new')}{token.id}", "settings/audit"):
        assert value not in admin.get(path).text


@pytest.mark.parametrize("later", [0, 6 * MINUTE_US, 600 * MINUTE_US])
def test_a_form_that_is_sent_again_makes_nothing_and_shows_nothing(
    admin: Console, scene: Scene, new: str, later: int
) -> None:
    set_password(scene.world, scene.first.admin)
    fields = filled(admin, new, description="Linux")
    admin.post(new, fields)
    count = len(tokens_of(scene))
    scene.world.clock.forward(later)
    scene.sweep()
    admin.post(new, fields)
    if later:
        assert "Confirm that it is you" in admin.text()
        admin.post(new, {**fields, "proof": PASSWORD})
    assert len(tokens_of(scene)) == count
    assert "This form was sent before" in admin.text()
    assert not value_on(admin)
    assert tokens_of(scene)[-1].id in admin.last.text


def test_a_form_without_its_word_makes_nothing(admin: Console, scene: Scene, new: str) -> None:
    count = len(tokens_of(scene))
    assert admin.post(new, {"description": "x", "expiry": "30"}).status_code == 403
    assert len(tokens_of(scene)) == count


def test_a_proof_is_asked_for_and_what_was_filled_in_is_kept(world: World, scene: Scene, new: str) -> None:
    set_password(world, world.first.admin)
    console = Console(world)
    console.sign_in_as(world.first.admin, fresh=False)
    fields = filled(console, new, description="Kept <me>", allowed_ip_addresses="10.0.0.0/8\n192.0.2.0/24")
    console.post(new, fields)
    assert not value_on(console)
    assert 'value="Kept &lt;me&gt;"' in console.last.text
    kept = {name: hidden(console, name) for name in ("once", "description", "allowed_ip_addresses", "expiry")}
    console.post(new, {**kept, "proof": PASSWORD})
    assert value_on(console)
    networks = load(tokens_of(scene)[-1].restrictions).networks
    assert [block.text for block in networks] == ["10.0.0.0/8", "192.0.2.0/24"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "They join the queue default and no other."),
        ({"queue": ""}, "any queue of the cluster"),
        ({"uses": "one"}, "The first agent that connects uses it up: a join token."),
        ({"uses": "some", "max_uses": "12"}, "It is used up when 12 agents have connected."),
        ({"expiry": "never"}, "It never expires: a lost copy stays good until somebody revokes it."),
        ({"expiry": "custom", "expires_at": "2027-03-01T12:00"}, "From 2027-03-01 12:00:00 UTC on nobody"),
        ({"allowed_ip_addresses": "10.0.0.0/8"}, "from 10.0.0.0/8 and from nowhere else"),
        ({"allowed_ip_addresses": "10.0.0.1 10.0.0.2 10.0.0.3\n10.0.0.4"}, "10.0.0.3 and 1 more network"),
        ({"tags": "os=linux\narch=amd64"}, "They must carry os=linux and arch=amd64."),
        ({"not_before": "2027-01-20T00:00"}, "Nobody joins before 2027-01-20 00:00:00 UTC."),
    ],
)
def test_what_the_choices_mean_is_said_before_and_after(
    admin: Console, new: str, fields: dict[str, str], says: str
) -> None:
    chosen = filled(admin, new, description="Linux", **fields)
    query = {name: value for name, value in chosen.items() if name != "once"}
    admin.last = admin.http.get(f"/organizations/acme/{new}", params=query)
    assert says in admin.text()
    admin.post(new, chosen)
    assert value_on(admin)
    assert says in admin.text()


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"description": " "}, "description_missing", "description"),
        ({"expiry": "custom"}, "invalid_expiry", "expires_at"),
        ({"expiry": "custom", "expires_at": "soon"}, "invalid_time", "expires_at"),
        ({"expiry": "custom", "expires_at": "2020-01-01T00:00"}, "expiry_too_soon", "expires_at"),
        ({"expiry": "400"}, "invalid_expiry", "expires_at"),
        ({"not_before": "2028-01-20T00:00"}, "never_valid", "not_before"),
        ({"uses": "some", "max_uses": "0"}, "invalid_uses", "max_uses"),
        ({"uses": "some", "max_uses": "many"}, "invalid_uses", "max_uses"),
        ({"queue": "no such"}, "invalid_queue_key", "queue"),
        ({"queue": "absent"}, "unknown_queue", "queue"),
        ({"allowed_ip_addresses": "10.0.0.300"}, "invalid_network", "allowed_ip_addresses"),
        ({"allowed_ip_addresses": "10.0.0.1 " * 25}, "too_many_networks", "allowed_ip_addresses"),
        ({"tags": "queue=other"}, "queue_in_tags", "tags"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_made(
    admin: Console, scene: Scene, new: str, fields: dict[str, str], code: str, field: str
) -> None:
    count = len(tokens_of(scene))
    sent = filled(admin, new, **{"description": "Linux", **fields})
    assert admin.post(new, sent).status_code == 422
    assert code in admin.text()
    assert f'href="#f-{field}"' in admin.last.text
    assert f'id="e-{field}"' in admin.last.text
    assert hidden(admin, "once") != sent["once"]
    assert len(tokens_of(scene)) == count


def test_another_like_a_token_takes_its_choices_over(admin: Console, scene: Scene, new: str) -> None:
    chosen = {
        "uses": "some",
        "max_uses": "7",
        "expiry": "90",
        "queue": "default",
        "tags": "os=linux",
        "allowed_ip_addresses": "10.0.0.0/8",
    }
    admin.post(new, filled(admin, new, description="First", **chosen))
    first = tokens_of(scene)[-1]
    again = filled(admin, f"{new}?like={first.id}")
    assert (again["uses"], again["expiry"], again["queue"]) == ("some", "90", "default")
    for part in ('value="First"', 'value="7"', ">os=linux<", ">10.0.0.0/8<"):
        assert part in admin.last.text, part
    assert admin.get(f"{new}?like={scene.token(unclustered=True).token.id}").status_code == 404


def test_tokens_of_no_cluster_are_made_too(admin: Console, scene: Scene) -> None:
    new = "unclustered/tokens/new"
    admin.post(new, filled(admin, new, description="Loose"))
    assert value_on(admin).startswith("bkar_")
    assert "no cluster" in admin.text()
    assert scene.present(value_on(admin)).id == tokens_of(scene)[-1].id


def test_no_command_holds_the_value_or_a_place_for_it_in_an_argument(admin: Console, new: str) -> None:
    admin.post(new, filled(admin, new, description="Linux"))
    value = value_on(admin)
    shown = [unescape(text) for text in re.findall(r"<textarea[^>]*>([^<]*)</textarea>", admin.last.text)]
    steps = [step.text for one in environments("http://127.0.0.1:8080") for step in one.steps]
    assert shown == steps
    assert len({one.key for one in environments("x")}) == 6
    for text in shown:
        assert value not in text
        assert "--token " not in text
        assert "--from-literal" not in text
        assert "-e BUILDKITE_AGENT_TOKEN" not in text
