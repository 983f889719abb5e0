"""The errors llmos raises: what a user can cause gets one clear line that says what to do.

LLMOSError
├── UsageError        wrong input from the user (exit 2)
├── DeniedError       policy said no (exit 3)
├── BudgetError       a limit on tokens, calls or seconds was reached (exit 1)
├── ModelError        a model could not be loaded, reached or proved (exit 1)
└── Cancelled         the user stopped it (exit 130)
"""


class LLMOSError(Exception):
    """Base of all errors of llmos; its text is one line fit to be shown."""

    exit_code = 1


class UsageError(LLMOSError):
    """The user's input cannot be used."""

    exit_code = 2


class DeniedError(LLMOSError):
    """Policy denied what was asked."""

    exit_code = 3


class BudgetError(LLMOSError):
    """A budget was spent."""


class ModelError(LLMOSError):
    """A model could not be loaded, reached or proved."""


class Cancelled(LLMOSError):
    """The user stopped it."""

    exit_code = 130
