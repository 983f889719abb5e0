"""Limits: a request ends at its budget, a session at its quota, and the error says which. What was done is kept."""

from llmos import LLMOS, Budget, BudgetError, QuotaError, Scripted, ToolCall

loop = Scripted(lambda messages: ToolCall("1", "calculator", {"expression": "1 + 1"}))

with LLMOS(model=loop, budget=Budget(calls=3)) as system:
    try:
        system.run("count for ever")
    except QuotaError as error:  # the disk: llmos clean makes room
        print("full:", error.budget, error)
    except BudgetError as error:
        print(f"{error.budget}: {error}")
