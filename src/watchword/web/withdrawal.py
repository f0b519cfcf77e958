"""How a form wants access taken away: the mode, a drain's deadline, the reason."""

from watchword.domain.errors import Invalid
from watchword.domain.lifecycle import MAX_DEADLINE_MINUTES, Mode, Withdrawal, check_withdrawal, read_mode
from watchword.web.forms import Form


def read_withdrawal(form: Form, *, reason: str = "") -> Withdrawal:
    """Read a form; what belongs to another mode than the chosen one is not looked at.

    Args:
        form: as it was sent.
        reason: where it gives none.

    Raises:
        Invalid: there is no such mode, the reason is too long, or the deadline is none.
    """
    mode = read_mode(form.text("mode", Mode.STOP_JOINING.value))
    deadline = None
    if mode is Mode.DRAIN and form.text("deadline"):
        deadline = form.number("deadline", -1)
        if not 0 < deadline <= MAX_DEADLINE_MINUTES:
            raise Invalid(
                f"The deadline is a number of minutes, 1 to {MAX_DEADLINE_MINUTES}.", code="invalid_deadline"
            )
    return check_withdrawal(mode, deadline, form.text("reason") or reason)
