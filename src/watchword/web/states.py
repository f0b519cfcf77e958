"""What states of builds, jobs and steps are called on pages: the text and the kind of a badge."""

from watchword.domain.buildsteps import BuildStep
from watchword.domain.pipelines import Build, BuildState, Job, JobState

Words = tuple[str, str]

_BUILDS: dict[BuildState, Words] = {
    BuildState.SCHEDULED: ("Scheduled", "plain"),
    BuildState.RUNNING: ("Running", "busy"),
    BuildState.FAILING: ("Failing", "bad"),
    BuildState.BLOCKED: ("Blocked", "warn"),
    BuildState.PASSED: ("Passed", "good"),
    BuildState.FAILED: ("Failed", "bad"),
    BuildState.CANCELING: ("Canceling", "warn"),
    BuildState.CANCELED: ("Canceled", "plain"),
    BuildState.NOT_RUN: ("Not run", "plain"),
}
_JOBS: dict[JobState, Words] = {
    JobState.WAITING: ("Waiting for other steps", "plain"),
    JobState.LIMITED: ("Waiting for its concurrency group", "plain"),
    JobState.SCHEDULED: ("Waiting for an agent", "plain"),
    JobState.RESERVED: ("Reserved by a stack", "plain"),
    JobState.ACCEPTED: ("Accepted by an agent", "busy"),
    JobState.RUNNING: ("Running", "busy"),
    JobState.CANCELING: ("Canceling", "warn"),
    JobState.TIMING_OUT: ("Timing out", "warn"),
    JobState.CANCELED: ("Canceled", "plain"),
    JobState.TIMED_OUT: ("Timed out", "bad"),
    JobState.SKIPPED: ("Skipped", "plain"),
    JobState.BROKEN: ("Left out", "plain"),
    JobState.WAITING_FAILED: ("Not run: a step before it failed", "plain"),
}
_STEPS: dict[str, Words] = {
    "blocked": ("Blocked", "warn"),
    "unblocked": ("Unblocked", "good"),
    "blocked_failed": ("Not reached: a step before it failed", "plain"),
    "waiting": ("Waiting for other steps", "plain"),
    "waiting_failed": ("Not passed: a step before it failed", "plain"),
    "finished": ("Passed", "good"),
    "canceled": ("Canceled", "plain"),
    "broken": ("Left out", "plain"),
}
# What a list of builds can be narrowed to.
BUILD_STATES = [("", "All states"), *((state.value, words[0]) for state, words in _BUILDS.items())]


def build_words(build: Build) -> Words:
    """A build's state."""
    return _BUILDS[build.state]


def job_words(job: Job) -> Words:
    """A job's state; how one failed says its exit status."""
    if job.state is not JobState.FINISHED:
        return _JOBS[job.state]
    if job.passed:
        return "Passed", "good"
    return (
        (f"Soft failed ({job.exit_status})", "warn")
        if job.soft_failed
        else (f"Failed ({job.exit_status})", "bad")
    )


def step_words(step: BuildStep) -> Words:
    """The state of a wait, block or input."""
    return _STEPS[step.shown_state]


def job_name(job: Job) -> str:
    """What a job is called: its label, else the first line of its command."""
    name = job.label or job.command.strip().partition("\n")[0] or job.step_key or "Job"
    if job.parallel_total:
        name += f" ({job.parallel_index + 1} of {job.parallel_total})"
    return name


def step_name(step: BuildStep) -> str:
    """What a step that has no job is called."""
    return step.step.label or step.step.key or step.step.type.value.capitalize()
