"""The errors llmos raises: what a user can cause gets one clear line that says what to do.

LLMOSError
├── UsageError        wrong input from the user (exit 2)
├── DeniedError       policy said no (exit 3)
├── BudgetError       a limit of one request was reached; ``budget`` says which (exit 1)
│   └── QuotaError    a limit on what is kept on disk was reached; ``budget`` says which (exit 1)
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
    """A budget was spent. ``budget`` is the field of ``Budget`` that sets it, such as ``calls``.

    ``context`` is the model's own window, over which a prompt went: the one reason that a model raises this for.
    """

    def __init__(self, message: str, budget: str = "") -> None:
        super().__init__(message)
        self.budget = budget


class QuotaError(BudgetError):
    """What is kept on disk has reached its quota; ``budget`` is the field of ``Quotas`` that sets it: ``log``."""


class ModelError(LLMOSError):
    """A model could not be loaded, reached or proved."""


class Cancelled(LLMOSError):
    """The user stopped it."""

    exit_code = 130
