"""Ids: one type per entity, time-ordered UUIDs (RFC 9562 §5.7)."""

from typing import NewType

OrganizationId = NewType("OrganizationId", str)
UserId = NewType("UserId", str)
ClusterId = NewType("ClusterId", str)
QueueId = NewType("QueueId", str)
TokenId = NewType("TokenId", str)
AgentId = NewType("AgentId", str)
PipelineId = NewType("PipelineId", str)
BuildId = NewType("BuildId", str)
StepId = NewType("StepId", str)
JobId = NewType("JobId", str)
AnnotationId = NewType("AnnotationId", str)
ArtifactId = NewType("ArtifactId", str)
EventId = NewType("EventId", str)
TeamId = NewType("TeamId", str)
ServiceId = NewType("ServiceId", str)
DeliveryId = NewType("DeliveryId", str)
IncidentId = NewType("IncidentId", str)
SecretId = NewType("SecretId", str)
SessionId = NewType("SessionId", str)
PasskeyId = NewType("PasskeyId", str)
MailId = NewType("MailId", str)
TeamMemberId = NewType("TeamMemberId", str)
MaintainerId = NewType("MaintainerId", str)
InvitationId = NewType("InvitationId", str)
BannerId = NewType("BannerId", str)
RevocationId = NewType("RevocationId", str)
LeakId = NewType("LeakId", str)
DeploymentId = NewType("DeploymentId", str)
WorkItemId = NewType("WorkItemId", str)
DagsterUploadId = NewType("DagsterUploadId", str)
ResourceId = NewType("ResourceId", str)
CacheRegistryId = NewType("CacheRegistryId", str)
CacheEntryId = NewType("CacheEntryId", str)
RepositoryCredentialId = NewType("RepositoryCredentialId", str)
RegistryId = NewType("RegistryId", str)
PackageId = NewType("PackageId", str)
PackageFileId = NewType("PackageFileId", str)
StackId = NewType("StackId", str)

_VERSION = 7
_VARIANT = 0b10
RANDOM_BYTES = 10


def uuid7(now_us: int, random: bytes) -> str:
    """Build a lower-case hyphenated version-7 UUID.

    Args:
        now_us: Unix time in microseconds; 48 bits carry its milliseconds, the 12 after the version
            the rest, so that ids of one process sort by time (RFC 9562 §6.2, method 3).
        random: exactly 10 random bytes.

    Raises:
        ValueError: `random` has another length.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a UUID needs {RANDOM_BYTES} random bytes")
    noise = int.from_bytes(random, "big")
    number = (now_us // 1000 & (1 << 48) - 1) << 80
    number |= _VERSION << 76
    number |= (now_us % 1000 * 4096 // 1000) << 64
    number |= _VARIANT << 62
    number |= noise & (1 << 62) - 1
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uuid(text: str) -> bool:
    """Tell whether `text` has the canonical hyphenated shape of a UUID, in either case."""
    if len(text) != 36 or text[8] + text[13] + text[18] + text[23] != "----":  # noqa: PLR2004 - RFC 9562 §4
        return False
    digits = text.replace("-", "")
    return len(digits) == 32 and all(c in "0123456789abcdefABCDEF" for c in digits)  # noqa: PLR2004
