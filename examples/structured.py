"""An answer as a value: a pydantic model, filled in under a grammar once the tools have been used."""

from pydantic import BaseModel

from llmos import LLMOS, Scripted, ToolCall


class Tip(BaseModel):
    """What a tip comes to."""

    amount: float
    currency: str = "EUR"


work = ToolCall("1", "calculator", {"expression": "15% * 84"})
model = Scripted([work, "A tip of 15% is 12.60 EUR.", '{"amount": 12.6}'])

with LLMOS(model=model) as system:
    tip = system.run("15% tip on 84 euros?", returns=Tip)
    print(tip)
    assert tip == Tip(amount=12.6)
