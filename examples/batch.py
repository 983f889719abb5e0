"""A request for each row of a CSV file, several at once on one loaded model; the answers go beside the questions."""

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llmos import LLMOS, LLMOSError

table = Path("sums.csv")
table.write_text("question\nwhat is 15% of 2480?\nhow many km is 26.2 miles?\nwhat is 12 * 12?\n")


def answer(question: str) -> str:
    """The answer, or why there is none."""
    try:
        return system.run(question).text
    except LLMOSError as error:
        return f"failed: {error}"


with LLMOS() as system, table.open() as file, ThreadPoolExecutor(2) as pool:
    questions = [row["question"] for row in csv.DictReader(file)]
    answers = list(pool.map(answer, questions))

with Path("answers.csv").open("w", newline="") as file:
    csv.writer(file).writerows([("question", "answer"), *zip(questions, answers, strict=True)])
print(Path("answers.csv").read_text())
assert "372" in answers[0]
