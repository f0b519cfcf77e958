"""What clients' documents name and this server does not have: null, or an error that says so."""

from watchword.graphql.binding import Arguments, query, refuse
from watchword.graphql.call import Call

refuse(
    "Mutation",
    "apiAccessTokenCodeAuthorize",
    "pipelineCreateWebhook",
    "pipelineDeleteWebhook",
    "pipelineScheduleCreate",
    "pipelineScheduleUpdate",
    "pipelineScheduleDelete",
    "pipelineTemplateCreate",
    "pipelineTemplateUpdate",
    "pipelineTemplateDelete",
    "ruleCreate",
    "ruleUpdate",
    "ruleDelete",
    "teamPipelineCreate",
    "teamPipelineUpdate",
    "teamPipelineDelete",
    "teamSuiteCreate",
    "teamSuiteUpdate",
    "teamSuiteDelete",
)


def _absent(*names: str) -> None:
    for name in names:

        @query(name, None)
        async def resolve(_call: Call, _arguments: Arguments) -> None:
            return None


_absent(
    "apiAccessTokenCode",
    "graphQLSnippet",
    "pipelineSchedule",
    "pipelineTemplate",
    "rule",
    "ssoProvider",
)
