"""What follows a leak: an organization's rules by kind and visibility, and trying them out."""

from litestar import get, patch

from watchword.domain import leakpolicy
from watchword.rest import leakshapes as shapes
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import maybe_instant
from watchword.services.leakpolicies import change_leak_policy, leak_policy, rows_of
from watchword.services.queries import Access, Unit

POLICY = "/v2/organizations/{org:str}/leak-policy"


def _show(policy: leakpolicy.LeakPolicy) -> shapes.LeakPolicy:
    return shapes.LeakPolicy(
        dry_run=policy.dry_run,
        rules=[
            shapes.LeakRule(
                kind=row.kind.value,
                visibility=row.visibility.value,
                rule=row.rule.text(),
                default=row.usual.text(),
                responses=[each.value for each in row.responses],
            )
            for row in rows_of(policy)
        ],
        updated_at=maybe_instant(policy.updated_at),
    )


@get(POLICY, opt=needs("leak_policy.read"), summary="Get the leak policy")
async def get_policy(request: RestRequest) -> shapes.LeakPolicy:
    """Every rule as it holds now, the defaults among them."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> shapes.LeakPolicy:
        return _show(await leak_policy(tx, access))

    return await call.read(work)


@patch(
    POLICY, opt=needs("leak_policy.update", body=shapes.LeakPolicyChange), summary="Change the leak policy"
)
async def change_policy(request: RestRequest) -> shapes.LeakPolicy:
    """Change rules; they hold for the very next report. What is not named stays as it is."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> shapes.LeakPolicy:
        body = call.decode(shapes.LeakPolicyChange)
        rules = body.rules or {}
        return _show(await change_leak_policy(call.context, tx, access, rules, dry_run=body.dry_run))

    return await call.write(work)


HANDLERS = (get_policy, change_policy)
